"""Nodes: closing, opening and emptying them."""
