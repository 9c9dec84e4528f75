"""Cells about addresses and ports: Services, Endpoints, EndpointSlices, Ingresses."""

from __future__ import annotations

from kubemend.lab.api import Object
from kubemend.lab.apiserver.cells import NONE, UNSET, at, some


def external(service: Object) -> str:
    """A Service's addresses outside the cluster."""
    spec = service["spec"]
    own = spec.get("externalIPs") or []
    match spec["type"]:
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "LoadBalancer":
            given = at(service, "status", "loadBalancer", "ingress", default=[])
            return ",".join([*(i.get("ip") or i.get("hostname", "") for i in given), *own]) or "<pending>"
    return ",".join(own) or NONE


def ports(service: Object) -> str:
    """A Service's ports."""
    ports = service["spec"].get("ports") or ()
    told = (f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p['protocol']}" for p in ports)
    return ",".join(told) or NONE


def address(service: Object) -> str:
    """A Service's address in the cluster."""
    return str(at(service, "spec", "clusterIPs", default=[NONE])[0])


def endpoints(obj: Object) -> str:
    """The addresses of Endpoints."""
    found: list[str] = []
    for part in obj.get("subsets") or ():
        ips = [a["ip"] for a in part.get("addresses") or ()]
        ports = [p["port"] for p in part.get("ports") or ()]
        found += [f"{ip}:{port}" for port in ports for ip in ips] or ips
    return some(found)


def slice_ports(obj: Object) -> str:
    """The ports of an EndpointSlice."""
    if not obj.get("ports"):
        return UNSET
    return some([str(p.get("port") or p.get("name") or "*") for p in obj["ports"]])


def slice_addresses(obj: Object) -> str:
    """The addresses of an EndpointSlice."""
    found = [a for e in obj.get("endpoints") or () for a in e["addresses"] or ()]
    return some(found) if found else UNSET


def hosts(obj: Object) -> str:
    """The hosts of an Ingress."""
    return some([r["host"] for r in obj["spec"].get("rules") or () if r.get("host")]).replace(NONE, "*")


def balanced(obj: Object) -> str:
    """Where a load balancer took an Ingress."""
    given = at(obj, "status", "loadBalancer", "ingress", default=[])
    return ",".join(i.get("ip") or i.get("hostname", "") for i in given)
