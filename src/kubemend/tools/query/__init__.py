"""Asking as one asks with kubectl."""
