"""Rules about pods that no node takes (KM2xx)."""
