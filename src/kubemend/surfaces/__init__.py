"""Where people and programs meet kubemend. Thin, and unaware of one another."""
