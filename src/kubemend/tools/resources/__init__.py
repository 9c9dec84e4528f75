"""Listing and showing what is there."""
