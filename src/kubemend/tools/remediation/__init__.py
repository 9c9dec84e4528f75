"""Changing what is there, through the guard, and following what comes of it."""
