"""Rules about nodes (KM6xx)."""
