"""A Service of the real control plane with something of this machine behind it, and somebody who may ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from testbed import metrics
from testbed.plane import ControlPlane

SPACE = "monitoring"
READY_S = 30.0
LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}


def own_address() -> str:
    """An address of this machine that is not loopback, for no endpoint may be that."""
    try:
        return metrics.own_address()
    except OSError:
        pytest.skip("this machine has no address but loopback")


@asynccontextmanager
async def behind(
    plane: ControlPlane, port: int, *, name: str = "prometheus-server", space: str = SPACE
) -> AsyncIterator[None]:
    """A Service of the Prometheus chart's labels. Its pod was told to run on this machine, at this port."""
    plane.kubectl("apply", "-f", "-", manifest=yaml.safe_dump_all(_objects(name, space, port)))
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "podIP": own_address(), "podIPs": [{"ip": own_address()}], "conditions": [ready]}
    plane.kubectl(
        "-n", space, "patch", "pod", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
    )
    try:
        async with asyncio.timeout(READY_S):
            while own_address() not in plane.kubectl("-n", space, "get", "endpoints", name, "-o", "json"):  # noqa: ASYNC110  (a test polls as people do)
                await asyncio.sleep(0.05)
        yield
    finally:
        plane.kubectl("-n", space, "delete", "service", name)
        plane.kubectl("-n", space, "delete", "pod", name, "--grace-period=0", "--force")
        plane.kubectl("delete", "node", f"{space}-{name}")


def _objects(name: str, space: str, port: int) -> list[dict[str, Any]]:
    meta = {"name": name, "namespace": space, "labels": LABELS}
    container = {"name": "server", "image": "prometheus:1", "ports": [{"containerPort": port}]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
        # Not the default one, which a controller makes at the same time.
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": space}},
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"{space}-{name}"}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {
                "nodeName": f"{space}-{name}",
                "serviceAccountName": name,
                "containers": [container],
                "tolerations": [{"operator": "Exists"}],
                "automountServiceAccountToken": False,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": port}]},
        },
    ]


def account(plane: ControlPlane, folder: Path, name: str, rules: Mapping[str, list[dict[str, Any]]]) -> Path:
    """The kubeconfig of a ServiceAccount with these rules by namespace; "" is the whole cluster."""
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": SPACE}
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SPACE}},
    ]
    for space, held in rules.items():
        kind, meta = ("Role", {"name": name, "namespace": space}) if space else ("ClusterRole", {"name": name})
        ref = {"apiGroup": group, "kind": kind, "name": name}
        made += [
            {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "rules": held},
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{kind}Binding",
                "metadata": meta,
                "roleRef": ref,
                "subjects": [subject],
            },
        ]
    plane.kubectl("apply", "-f", "-", manifest=yaml.safe_dump_all(made))
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": plane.kubectl("-n", SPACE, "create", "token", name).strip()}
    path = folder / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
