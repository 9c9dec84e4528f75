"""Kubernetes' own semantics as pure functions: what an API server, scheduler or kubectl would answer. No I/O."""
