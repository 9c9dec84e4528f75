"""The practice cluster: a small Kubernetes API in one process, with controllers, a scheduler and nodes to practise on."""
