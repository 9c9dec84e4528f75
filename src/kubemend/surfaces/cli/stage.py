"""What is played in the demo: a little shop in good health, and two workloads that are about to run out of memory."""

from __future__ import annotations

from typing import Any

import yaml

NAMESPACE = "demo"

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.lab/web:1.2
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 2}
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: demo}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: basket, namespace: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: basket}}
  template:
    metadata: {labels: {app: basket}}
    spec:
      containers:
      - name: redis
        image: redis:7
        resources: {requests: {memory: 32Mi}, limits: {memory: 64Mi}}
"""

HOG = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: memory-hog
  namespace: demo
  labels: {app: memory-hog}
spec:
  replicas: 1
  selector:
    matchLabels: {app: memory-hog}
  template:
    metadata:
      labels: {app: memory-hog}
    spec:
      containers:
      - name: memory-hog
        image: polinux/stress
        resources:
          limits: {memory: 100Mi}
        command: [stress]
        args: ["--vm", "1", "--vm-bytes", "200M"]
"""
"""Asks for 200M under a limit of 100Mi."""

LEAK = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: leaky, namespace: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: leaky}}
  template:
    metadata: {labels: {app: leaky}}
    spec:
      containers:
      - name: leaky
        image: polinux/stress
        resources: {limits: {memory: 64Mi}}
        command: [stress]
        args: ["--vm", "1", "--vm-bytes", "900M"]
"""
"""Takes all memory there is: no sensible limit is enough, so the repair can't hold."""


def objects(text: str) -> list[dict[str, Any]]:
    """The manifests in a text."""
    return list(yaml.safe_load_all(text))
