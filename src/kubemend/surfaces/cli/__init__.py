"""The command line: one command a file, rendering apart from it, nothing heavy imported before it is needed."""
