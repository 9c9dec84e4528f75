"""Whether a pod can reach a Service: as far as Services and their endpoints tell."""

from __future__ import annotations

from kubemend.lab.api import Api, Object
from kubemend.lab.fields import labels, name, spec

_SERVICE_LABEL = "kubernetes.io/service-name"


async def connect(api: Api, namespace: str, host: str, port: int) -> str:
    """The error of a connection from a pod of `namespace` to a Service, or "" when it works.

    host: `name`, `name.namespace` or a longer form of it. port 0 only looks the name up.
    """
    words = host.removesuffix(".").removesuffix(".cluster.local").removesuffix(".svc").split(".")
    if not host or len(words) > 2:
        return f"lookup {host}: no such host"
    space = words[1] if len(words) == 2 else namespace
    service = await api.get("Service", space, words[0])
    if service is None:
        return f"lookup {host}: no such host"
    if not port or spec(service).get("type") == "ExternalName":
        return ""
    at = f"dial tcp {spec(service).get('clusterIP', host)}:{port}"
    wanted = next((p for p in spec(service).get("ports") or () if p["port"] == port), None)
    if wanted is None:
        return f"{at}: i/o timeout"
    slices = await api.list("EndpointSlice", space)
    mine = [s for s in slices if labels(s).get(_SERVICE_LABEL) == name(service)]
    return "" if any(_reaches(s, wanted.get("name", "")) for s in mine) else f"{at}: connect: connection refused"


def _reaches(found: Object, port: str) -> bool:
    ready = any((e.get("conditions") or {}).get("ready") for e in found.get("endpoints") or ())
    return ready and any((p.get("name") or "") == port for p in found.get("ports") or ())
