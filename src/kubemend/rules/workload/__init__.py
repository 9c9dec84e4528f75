"""Rules about the controllers that make pods (KM4xx)."""
