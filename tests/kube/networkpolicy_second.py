"""A second reading of NetworkPolicy: everything written out as sets, on raw objects, sharing nothing with the first.

A policy becomes the set of (peer, protocol, port) that it lets through, by going through every peer and every port
there is. It is slow and short-sighted (ports up to 20), and that is its worth.
"""

from __future__ import annotations

import random
from typing import Any

Raw = dict[str, Any]
PORTS = range(1, 21)
PROTOCOLS = ("TCP", "UDP", "SCTP")


class World:
    """Namespaces by name with their labels, pods, and addresses outside; policies are raw manifests."""

    def __init__(self, namespaces: dict[str, dict[str, str]], pods: list[Raw], outside: list[str]) -> None:
        self.namespaces, self.pods, self.outside = namespaces, pods, outside

    def ends(self) -> list[Raw]:
        return [*self.pods, *({"ip": ip} for ip in self.outside)]


def reaches(world: World, policies: list[Raw], source: Raw, target: Raw, at: tuple[int, str]) -> bool:
    """Whether the connection to a (port, protocol) is open, by the documentation alone."""
    port, protocol = at
    if "name" in source and source is target:
        return True
    wanted = (_key(target), protocol, port)
    leaving = [p for p in policies if _closes(p, "Egress", source)]
    if leaving and not any(wanted in _open(world, p, "egress", "to") for p in leaving):
        return False
    entering = [p for p in policies if _closes(p, "Ingress", target)]
    coming = (_key(source), protocol, port)
    return not entering or any(coming in _open(world, p, "ingress", "from", target) for p in entering)


def _key(end: Raw) -> str:
    return f"{end['namespace']}/{end['name']}" if "name" in end else end["ip"]


def _closes(policy: Raw, direction: str, end: Raw) -> bool:
    spec = policy["spec"]
    types = list(spec.get("policyTypes") or [])
    if not types:
        types = ["Ingress"]
        if spec.get("egress"):
            types.append("Egress")
    if direction not in types or end.get("namespace") != policy["metadata"]["namespace"]:
        return False
    return _wants(spec.get("podSelector") or {}, end["labels"])


def _wants(selector: Raw, labels: dict[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels or labels[key] != value:
            return False
    for one in selector.get("matchExpressions") or []:
        has, values = one["key"] in labels, one.get("values") or []
        holds = {
            "In": has and labels.get(one["key"]) in values,
            "NotIn": not has or labels[one["key"]] not in values,
            "Exists": has,
            "DoesNotExist": not has,
        }[one["operator"]]
        if not holds:
            return False
    return True


def _open(world: World, policy: Raw, rules: str, peers: str, only: Raw | None = None) -> set[tuple[str, str, int]]:
    """Every (peer, protocol, port) that a policy allows; `only` is the pod that is entered, else peers are entered."""
    found = set()
    for rule in policy["spec"].get(rules) or []:
        for end in _chosen(world, policy, rule.get(peers) or []):
            entered = only if only is not None else end
            for protocol in PROTOCOLS:
                for number in PORTS:
                    if _lets(rule.get("ports") or [], entered, protocol, number):
                        found.add((_key(end), protocol, number))
    return found


def _chosen(world: World, policy: Raw, peers: list[Raw]) -> list[Raw]:
    if not peers:
        return world.ends()
    chosen = []
    for end in world.ends():
        for peer in peers:
            if "ipBlock" in peer:
                block = peer["ipBlock"]
                inside = _bits(end["ip"]).startswith(_prefix(block["cidr"]))
                if inside and not any(_bits(end["ip"]).startswith(_prefix(e)) for e in block.get("except") or []):
                    chosen.append(end)
            elif "name" in end:
                place = [policy["metadata"]["namespace"]]
                if "namespaceSelector" in peer:
                    place = [n for n, labels in world.namespaces.items() if _wants(peer["namespaceSelector"], labels)]
                if end["namespace"] in place and _wants(peer.get("podSelector") or {}, end["labels"]):
                    chosen.append(end)
    return chosen


def _bits(address: str) -> str:
    """An address as a string of bits, with its family before it."""
    if ":" in address:
        left, _, right = address.partition("::")
        head, tail = ([p for p in part.split(":") if p] for part in (left, right))
        groups = [*head, *["0"] * (8 - len(head) - len(tail)), *tail]
        return "six" + "".join(f"{int(g, 16):016b}" for g in groups)
    return "four" + "".join(f"{int(p):08b}" for p in address.split("."))


def _prefix(cidr: str) -> str:
    address, _, length = cidr.partition("/")
    bits = _bits(address)
    family = len(bits) - (128 if bits.startswith("six") else 32)
    return bits[: family + int(length)]


def _lets(ports: list[Raw], entered: Raw, protocol: str, number: int) -> bool:
    if not ports:
        return True
    for entry in ports:
        if (entry.get("protocol") or "TCP") != protocol:
            continue
        port = entry.get("port")
        if port is None:
            return True
        if isinstance(port, str):
            if (port, protocol, number) in entered.get("ports", []):
                return True
        elif number in range(port, (entry.get("endPort") or port) + 1):
            return True
    return False


def generated(seed: int) -> tuple[World, list[Raw]]:
    """A small world and up to four policies in it."""
    luck = random.Random(seed)
    namespaces = {n: _labels(luck, ("team", "env")) for n in ("a", "b", "c")}
    pods = [
        {
            "name": f"p{i}",
            "namespace": luck.choice(("a", "a", "b", "c")),
            "labels": _labels(luck, ("app", "tier")),
            "ip": luck.choice((f"10.0.{luck.randrange(2)}.{i + 1}", f"fd00::{luck.randrange(2)}:{i + 1:x}")),
            "ports": [
                (n, luck.choice(PROTOCOLS[:2]), luck.choice(PORTS)) for n in ("web", "db") if luck.random() < 0.6
            ],
        }
        for i in range(5)
    ]
    outside = ["10.0.0.200", "10.0.1.200", "192.0.2.7", "fd00::99"]
    return World(namespaces, pods, outside), [_policy(luck, i) for i in range(luck.randrange(5))]


def telling(policies: list[Raw], target: Raw) -> list[int]:
    """Ports at which an answer may turn: those that are named or counted, and their neighbours."""
    found = {n for _, _, n in target["ports"]}
    for policy in policies:
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            for entry in rule.get("ports") or ():
                if isinstance(entry.get("port"), int):
                    last = entry.get("endPort") or entry["port"]
                    found |= {entry["port"] - 1, entry["port"], last, last + 1}
    return sorted(found & set(PORTS)) or list(PORTS)


def _labels(luck: random.Random, keys: tuple[str, ...]) -> dict[str, str]:
    return {k: luck.choice("xyz") for k in keys if luck.random() < 0.8}


def _policy(luck: random.Random, number: int) -> Raw:
    spec: Raw = {"podSelector": _selector(luck, ("app", "tier"))}
    for rules, peers in (("ingress", "from"), ("egress", "to")):
        if luck.random() < 0.6:
            spec[rules] = [_rule(luck, peers) for _ in range(luck.randrange(3))]
    if luck.random() < 0.6:
        spec["policyTypes"] = luck.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
    return {"metadata": {"name": f"n{number}", "namespace": luck.choice(("a", "a", "b", "c"))}, "spec": spec}


def _rule(luck: random.Random, peers: str) -> Raw:
    rule: Raw = {}
    if luck.random() < 0.8:
        rule[peers] = [_peer(luck) for _ in range(luck.randrange(3))]
    if luck.random() < 0.7:
        rule["ports"] = [_port(luck) for _ in range(luck.randrange(3))]
    return rule


def _peer(luck: random.Random) -> Raw:
    kind = luck.randrange(4)
    if kind == 0:
        return {"ipBlock": _block(luck)}
    peer: Raw = {}
    if kind in (1, 3):
        peer["podSelector"] = _selector(luck, ("app", "tier"))
    if kind in (2, 3):
        peer["namespaceSelector"] = _selector(luck, ("team", "env"))
    return peer


def _block(luck: random.Random) -> Raw:
    cidr, inside = luck.choice(
        (
            ("10.0.0.0/16", ["10.0.1.0/24", "10.0.0.1/32", "10.0.0.128/25"]),
            ("10.0.0.0/29", ["10.0.0.4/30"]),
            ("0.0.0.0/0", ["10.0.0.0/8", "192.0.2.0/24"]),
            ("fd00::/112", ["fd00::1/128", "fd00::99/128"]),
            ("::/0", []),
        )
    )
    return {"cidr": cidr, "except": [e for e in inside if luck.random() < 0.5]}


def _selector(luck: random.Random, keys: tuple[str, ...]) -> Raw:
    selector: Raw = {}
    if luck.random() < 0.5:
        selector["matchLabels"] = {luck.choice(keys): luck.choice("xyz")}
    if luck.random() < 0.4:
        operator = luck.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = luck.sample("xyz", luck.choice((1, 2))) if operator in ("In", "NotIn") else []
        selector["matchExpressions"] = [{"key": luck.choice(keys), "operator": operator, "values": values}]
    return selector


def _port(luck: random.Random) -> Raw:
    entry: Raw = {}
    if luck.random() < 0.7:
        entry["protocol"] = luck.choice(PROTOCOLS)
    kind = luck.randrange(4)
    if kind == 0:
        entry["port"] = luck.choice(("web", "db", "none"))
    elif kind == 1:
        entry["port"] = luck.choice(PORTS)
    elif kind == 2:
        entry["port"] = luck.choice(PORTS)
        entry["endPort"] = entry["port"] + luck.randrange(6)
    return entry
