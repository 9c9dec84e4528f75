"""Endpoints of a Service: which pods it reaches at which ports, as EndpointSlices and as the older Endpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from kubemend.kube.selectors import subset
from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.fields import (
    Key,
    deleting,
    difference,
    finished,
    key,
    labels,
    name,
    namespace,
    owner_reference,
    ready,
    spec,
    status,
    uid,
)

SERVICE_LABEL = "kubernetes.io/service-name"
HEADLESS = "service.kubernetes.io/headless"
COPIED, COPIER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"

_Ports = tuple[tuple[str, int, str], ...]
"""(name, number, protocol) of each port, as the pods of one slice have them."""


class EndpointsController(Controller):
    """One slice for each set of ports that the Service's names and numbers mean among its pods."""

    kind = "Service"
    sees = ("Pod", "EndpointSlice", "Endpoints")
    component = "endpoint-slice-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """The Service itself, the one a slice is of, and those that select a pod now or did before."""
        yield from super().affected(obj, before)
        if obj["kind"] == "Pod":
            found = [labels(version) for version in (obj, before) if version is not None]
            for service in self.seen.all(self.kind, namespace(obj)):
                selector = spec(service).get("selector")
                if selector and any(subset(selector, each) for each in found):
                    yield key(service)

    async def gone(self, key: Key) -> float | None:
        """The Service is gone: so are its Endpoints. Its slices are owned by it, and so the garbage collector's."""
        known = self.seen.find("Endpoints", *key)
        if known is not None and labels(known).get(COPIED) == COPIER:
            await self.seen.delete(known)
        return None

    async def reconcile(self, obj: Object) -> float | None:
        """Make the slices and the Endpoints what they should be."""
        selector = spec(obj).get("selector")
        if not selector or deleting(obj) or spec(obj).get("type") == "ExternalName":
            return None
        pods = [p for p in self.seen.all("Pod", namespace(obj)) if subset(selector, labels(p)) and _reachable(p)]
        groups: dict[_Ports, list[Object]] = defaultdict(list)
        for pod in sorted(pods, key=name):
            groups[_ports(obj, pod)].append(pod)
        await self._slices(obj, groups or {(): []})
        await self._endpoints(obj, groups)
        return None

    async def _slices(self, obj: Object, groups: dict[_Ports, list[Object]]) -> None:
        held = [s for s in self.seen.owned(obj, "EndpointSlice") if labels(s).get(MANAGER_LABEL) == MANAGER]
        known_by_ports = {_ports_of(s): s for s in held}
        for ports, pods in groups.items():
            wanted = _slice(obj, ports, [self._endpoint(obj, p) for p in pods])
            known = known_by_ports.get(ports)
            if known is None:
                await self.seen.create(wanted)
            elif patch := difference({k: known.get(k) for k in ("endpoints", "ports")}, _part(wanted)):
                await self.seen.patch(known, {"metadata": {"uid": uid(known)}, **patch})
        for left in held:
            if _ports_of(left) not in groups:
                await self.seen.delete(left)

    def _endpoint(self, obj: Object, pod: Object) -> dict[str, Any]:
        anyway = bool(spec(obj).get("publishNotReadyAddresses"))
        node = self.seen.find("Node", "", spec(pod).get("nodeName", ""))
        zone = labels(node).get("topology.kubernetes.io/zone") if node else None
        named = spec(pod).get("hostname") if spec(pod).get("subdomain") == name(obj) else None
        return {
            "addresses": [status(pod)["podIP"]],
            "conditions": {
                "ready": anyway or (ready(pod) and not deleting(pod)),
                "serving": anyway or ready(pod),
                "terminating": deleting(pod),
            },
            "nodeName": spec(pod).get("nodeName", ""),
            "targetRef": _target(pod),
            **({"zone": zone} if zone else {}),
            **({"hostname": named} if named else {}),
        }

    async def _endpoints(self, obj: Object, groups: dict[_Ports, list[Object]]) -> None:
        """The same as core/v1 Endpoints, which `kubectl describe service` and older tools still read."""
        anyway = bool(spec(obj).get("publishNotReadyAddresses"))
        subsets = [s for ports, pods in groups.items() if (s := _subset(ports, pods, anyway)) is not None]
        known = self.seen.find("Endpoints", namespace(obj), name(obj))
        if known is None:
            await self.seen.create(_endpoints(obj, subsets))
        elif (known.get("subsets") or []) != subsets:
            await self.seen.patch(known, {"metadata": {"uid": uid(known)}, "subsets": subsets})


def _reachable(pod: Object) -> bool:
    return bool(status(pod).get("podIP")) and not finished(pod)


def _ports(obj: Object, pod: Object) -> _Ports:
    """What the Service's ports are on this pod. A name that none of its containers has is left out."""
    found = []
    for port in spec(obj).get("ports") or ():
        target, protocol = port.get("targetPort") or port["port"], port.get("protocol", "TCP")
        number = target if isinstance(target, int) else _named(pod, target, protocol)
        if number is not None:
            found.append((port.get("name", ""), number, protocol))
    return tuple(found)


def _named(pod: Object, named: str, protocol: str) -> int | None:
    if named.isdigit():
        return int(named)
    sidecars = [c for c in spec(pod).get("initContainers") or () if c.get("restartPolicy") == "Always"]
    ports = (p for c in [*spec(pod)["containers"], *sidecars] for p in c.get("ports") or ())
    same = (p for p in ports if p.get("name") == named and p.get("protocol", "TCP") == protocol)
    return next((int(p["containerPort"]) for p in same), None)


def _ports_of(found: Object) -> _Ports:
    ports = found.get("ports") or ()
    return tuple((p.get("name", ""), p["port"], p.get("protocol", "TCP")) for p in ports)


def _slice(obj: Object, ports: _Ports, endpoints: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name(obj)}-",
            "namespace": namespace(obj),
            "labels": {**labels(obj), SERVICE_LABEL: name(obj), MANAGER_LABEL: MANAGER, **_headless(obj)},
            "ownerReferences": [owner_reference(obj)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints or None,
        "ports": [{"name": n, "port": number, "protocol": protocol} for n, number, protocol in ports] or None,
    }


def _headless(obj: Object) -> dict[str, str]:
    return {HEADLESS: ""} if spec(obj).get("clusterIP") == "None" else {}


def _part(wanted: Object) -> dict[str, Any]:
    return {k: wanted[k] for k in ("endpoints", "ports")}


def _target(pod: Object) -> dict[str, str]:
    return {"kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod)}


def _subset(ports: _Ports, pods: list[Object], anyway: bool) -> dict[str, Any] | None:
    told: dict[str, list[dict[str, Any]]] = {"addresses": [], "notReadyAddresses": []}
    for pod in pods:
        address = {"ip": status(pod)["podIP"], "nodeName": spec(pod).get("nodeName", ""), "targetRef": _target(pod)}
        if anyway or not deleting(pod):
            told["addresses" if anyway or ready(pod) else "notReadyAddresses"].append(address)
    if not any(told.values()) or not ports:
        return None
    named = [{**({"name": n} if n else {}), "port": number, "protocol": p} for n, number, p in ports]
    return {**{k: v for k, v in told.items() if v}, "ports": named}


def _endpoints(obj: Object, subsets: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": name(obj),
            "namespace": namespace(obj),
            "labels": {**labels(obj), COPIED: COPIER},
        },
        "subsets": subsets,
    }
