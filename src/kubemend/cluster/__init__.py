"""The only room that talks to Kubernetes: kubeconfig and logins, Reader, Writer, watch cache, collector, snapshot files."""
