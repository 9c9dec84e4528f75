"""Rules about volumes and the claims on them (KM3xx)."""
