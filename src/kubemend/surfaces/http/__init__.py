"""The tools over HTTP."""
