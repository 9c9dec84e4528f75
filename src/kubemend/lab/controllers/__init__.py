"""The controllers of the practice cluster, one kind each, all fed by one informer."""
