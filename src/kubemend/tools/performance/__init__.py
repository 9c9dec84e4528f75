"""How the cluster carries its load: hot spots, pressure, and how long pods wait for their place."""
