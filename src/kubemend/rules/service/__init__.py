"""Rules about the way traffic takes to pods (KM5xx)."""
