"""Tools that follow a request through the cluster, and trouble through time and what is shared."""
