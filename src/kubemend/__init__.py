"""kubemend mends Kubernetes: detect, diagnose, repair, verify, undo."""

__version__ = "0.1.0"
