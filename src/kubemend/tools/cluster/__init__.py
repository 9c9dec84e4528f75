"""The cluster itself: the connection to it, what it serves, one object in full, what its fields mean."""
