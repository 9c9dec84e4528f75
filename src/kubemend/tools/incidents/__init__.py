"""From an alert to what is known about it: who it is about, and the evidence in one package."""
