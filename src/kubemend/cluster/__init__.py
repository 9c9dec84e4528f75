"""The only room that talks to Kubernetes: logins, Reader, Writer, watch cache, collector, snapshot files."""
