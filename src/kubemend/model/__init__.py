"""The words everything else is said in. Frozen data and pure functions; no I/O, no other room."""
