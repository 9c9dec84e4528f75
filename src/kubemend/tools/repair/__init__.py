"""Diagnoses and repairs: the loop itself as tools."""
