"""Commands as people type them: kubectl by our own reading of it, bash and Python where nothing can be reached."""
