"""What the API server fills in, checks and refuses before an object is stored."""
