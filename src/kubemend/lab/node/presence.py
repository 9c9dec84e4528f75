"""A node's place in the API: its registration, its conditions, and its signs of life."""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kubemend.lab.api import Api, Object
from kubemend.lab.fields import annotated, condition, difference, now, status, uid, with_condition
from kubemend.lab.node.process import PREFIX
from kubemend.model.errors import KubemendError

log = logging.getLogger(__name__)

VERSION = "v1.34.4"
BEAT_S = 10.0
"""Seconds between two signs of life (a quarter of the lease's duration, as kubelets have it)."""
LEASE_S = 40
SLOWEST_PACE = 0.02
"""Signs of life come no faster than at this pace, so that a fast cluster is no busy one."""
LEASES = "kube-node-lease"
PRESSURE, STOPPED = f"{PREFIX}pressure", f"{PREFIX}stopped"
"""Node annotations by which a fault is injected: "Memory", "Disk" or "PID"; and "true" for a kubelet that hangs."""

CAPACITY: Mapping[str, str] = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}

_PRESSURES = {
    "Memory": ("KubeletHasSufficientMemory", "KubeletHasInsufficientMemory", "memory available"),
    "Disk": ("KubeletHasNoDiskPressure", "KubeletHasDiskPressure", "disk space available"),
    "PID": ("KubeletHasSufficientPID", "KubeletHasInsufficientPID", "PID available"),
}


class Presence:
    """Keeps a Node object and its Lease. labels are put over those that every node has."""

    def __init__(
        self, api: Api, named: str, *, capacity: Mapping[str, str], labels: Mapping[str, str], pace: float
    ) -> None:
        self._api, self._name = api, named
        self._capacity = {**CAPACITY, **capacity}
        self._beat = BEAT_S * max(pace, SLOWEST_PACE)
        number = number_of(named)
        self.address = f"10.0.{number // 250}.{number % 250 + 1}"
        self._labels = {
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": named,
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "kubemend-lab",
            "topology.kubernetes.io/region": "lab",
            "topology.kubernetes.io/zone": f"lab-{'abc'[number % 3]}",
            **labels,
        }

    async def register(self) -> None:
        """Make the Node, or take up the one that is there; then tell that it is ready."""
        if await self._api.get("Node", "", self._name) is None:
            meta = {"name": self._name, "labels": self._labels}
            await self._api.create({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {}})
        await self.renew()
        await self.tell()

    async def tell(self) -> None:
        """Write the node's status where it differs."""
        node = await self._api.get("Node", "", self._name)
        if node is None:
            return
        if patch := difference(status(node), self._status(node)):
            await self._api.patch(node, {"metadata": {"uid": uid(node)}, "status": patch}, subresource="status")

    def is_true(self, node: Object) -> bool:
        """Whether the conditions that the API has of the node are what they should be."""
        wanted = self._status(node)["conditions"]
        return all((condition(node, c["type"]) or {}).get("status") == c["status"] for c in wanted)

    async def breathe(self, hangs: asyncio.Event) -> None:
        """Renew the lease for ever, except while the node `hangs`."""
        while True:
            await asyncio.sleep(self._beat)
            if not hangs.is_set():
                try:
                    await self.renew()
                except KubemendError as refused:
                    log.warning("node %s: lease not renewed: %s", self._name, refused)

    async def renew(self) -> None:
        """One sign of life."""
        renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        known = await self._api.get("Lease", LEASES, self._name)
        if known is not None:
            await self._api.patch(known, {"spec": {"renewTime": renewed}})
            return
        await self._api.create(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "namespace": LEASES},
                "spec": {"holderIdentity": self._name, "leaseDurationSeconds": LEASE_S, "renewTime": renewed},
            }
        )

    def _status(self, node: Object) -> dict[str, Any]:
        told = list(status(node).get("conditions") or [])
        pressed = annotated(node).get(PRESSURE, "")
        for word, (good, bad, what) in _PRESSURES.items():
            reason, has = (bad, "insufficient") if pressed == word else (good, "sufficient")
            said = f"kubelet has {has} {what}"
            told = _put(told, f"{word}Pressure", "True" if pressed == word else "False", reason, said)
        told = _put(told, "Ready", "True", "KubeletReady", "kubelet is posting ready status")
        return {
            **status(node),
            "addresses": [
                {"type": "InternalIP", "address": self.address},
                {"type": "Hostname", "address": self._name},
            ],
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": told,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": uid(node),
                "containerRuntimeVersion": "containerd://2.1.5",
                "kernelVersion": "6.18.0",
                "kubeProxyVersion": "",
                "kubeletVersion": VERSION,
                "machineID": uid(node),
                "operatingSystem": "linux",
                "osImage": "kubemend practice node",
                "systemUUID": uid(node),
            },
        }


def _put(told: list[dict[str, Any]], type_: str, state: str, reason: str, message: str) -> list[dict[str, Any]]:
    old = next((c for c in told if c["type"] == type_), None)
    beat = old["lastHeartbeatTime"] if old is not None and old.get("status") == state else now()
    new = {"type": type_, "status": state, "reason": reason, "message": message, "lastHeartbeatTime": beat}
    return with_condition(told, new)


def number_of(named: str) -> int:
    """A number for a node's addresses: the one its name ends with, else one made of the name. Below 62,500."""
    digits = re.search(r"(\d{1,4})$", named)
    return int(digits[1]) if digits else 10_000 + zlib.crc32(named.encode()) % 50_000
