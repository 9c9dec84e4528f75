"""Diagnosis rules: one fault per file, in folders by noun; pure functions of a snapshot, found by walking."""
