"""Repair strategies: one per file, pure planners found by walking the package. What carries a plan out is the guard."""
