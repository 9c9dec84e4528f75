"""The practice cluster: a small Kubernetes API in one process, with controllers, scheduler and nodes."""
