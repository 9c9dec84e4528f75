"""The tools as a Model Context Protocol server."""
