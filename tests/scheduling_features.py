"""What the generated pods ask of a node: each feature adds one thing to a pod that often decides where it goes."""

from __future__ import annotations

from typing import Any

from scheduling_claims import (
    bound_in_reach,
    bound_in_zone,
    by_hand,
    by_hand_access,
    by_hand_chosen,
    by_hand_mode,
    by_hand_size,
    disks,
    disks_to_read,
    lost,
    promised,
    provisioned,
    rivals,
    sole,
    unbound,
)
from scheduling_corpus import (
    GPU,
    OVERHEAD,
    Asked,
    Feature,
    Luck,
    Raw,
    World,
    container,
    port,
)
from scheduling_wishes import (
    WISHES,
    affinity_policy,
    disliked,
    first_of_its_like,
    match_keys,
    min_domains,
    mismatch_keys,
    named,
    namespace_selector,
    namespaces,
    no_selector,
    node_affinity,
    node_selector,
    pod_affinity,
    pod_anti_affinity,
    spread,
    spread_everything,
    spread_keys,
    spread_soft,
    spread_twice,
    taints_policy,
    wishing,
)


def _requests(asked: Asked) -> Raw:
    found: Raw = asked.spec["containers"][0]["resources"].setdefault("requests", {})
    return found


def cpu(luck: Luck, _: World, asked: Asked) -> None:
    _requests(asked)["cpu"] = luck.choice(("1", "1400m", "1800m", "3500m"))


def memory(luck: Luck, _: World, asked: Asked) -> None:
    _requests(asked)["memory"] = luck.choice(("700Mi", "1Gi", "1800Mi", "3Gi"))


def fractions(luck: Luck, world: World, asked: Asked) -> None:
    """Just what a node has left but for the part of a thousandth that each pod loses by rounding up."""
    node = luck.choice(world.nodes)
    here = [p for p in world.pods if p["spec"]["nodeName"] == node["metadata"]["name"]]
    held = {"0": 0, "100m": 100_000, "100500u": 100_500, "400m": 400_000}
    living = [p for p in here if p["status"]["phase"] == "Running" and "containerStatuses" not in p["status"]]
    taken = sum(held[p["spec"]["containers"][0]["resources"]["requests"]["cpu"]] for p in living)
    total = {"1500m": 1_500_000, "2": 2_000_000, "4": 4_000_000}[node["status"]["allocatable"]["cpu"]]
    _requests(asked)["cpu"] = f"{max(total - taken, 0)}u"


def ephemeral(luck: Luck, _: World, asked: Asked) -> None:
    _requests(asked)["ephemeral-storage"] = luck.choice(("800Mi", "1Gi", "9900Mi"))


def extended(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["containers"][0]["resources"].setdefault("limits", {})[GPU] = luck.choice(("1", "2"))


def hugepages(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["containers"][0]["resources"].setdefault("limits", {})["hugepages-2Mi"] = luck.choice(("4Mi", "32Mi"))


def nothing(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["containers"][0]["resources"] = luck.choice(({}, {"requests": {"cpu": "0"}}))


def limits(luck: Luck, _: World, asked: Asked) -> None:
    """A limit without a request is a request."""
    asked.spec["containers"][0]["resources"] = {"limits": {"cpu": luck.choice(("1", "2500m")), "memory": "200Mi"}}


def overhead(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec.update({"runtimeClassName": "heavy", "overhead": OVERHEAD})
    _requests(asked).update({"cpu": luck.choice(("900m", "1300m")), "memory": luck.choice(("500Mi", "900Mi"))})


def init(luck: Luck, _: World, asked: Asked) -> None:
    peak = {"cpu": luck.choice(("1200m", "2")), "memory": luck.choice(("64Mi", "900Mi"))}
    asked.spec.setdefault("initContainers", []).append(container(peak, f"init-{luck.randrange(10**6)}"))


def sidecar(luck: Luck, _: World, asked: Asked) -> None:
    held = {"cpu": luck.choice(("500m", "1")), "memory": "128Mi"}
    first = luck.randrange(10**6)
    made = container(held, f"side-{first}", restartPolicy="Always")
    asked.spec.setdefault("initContainers", []).append(made)
    if luck.random() < 0.6:
        peak = container({"cpu": luck.choice(("800m", "1200m"))}, f"after-{first}")
        asked.spec["initContainers"].insert(luck.randrange(len(asked.spec["initContainers"]) + 1), peak)


def whole(luck: Luck, _: World, asked: Asked) -> None:
    """Pod-level resources (KEP-2837)."""
    asked.spec["resources"] = {"requests": {"cpu": luck.choice(("3", "4")), "memory": luck.choice(("1Gi", "3Gi"))}}
    if luck.random() < 0.5:
        asked.spec["resources"]["limits"] = {"memory": "8Gi", "cpu": "8"}


def _tolerating(luck: Luck, world: World, asked: Asked, **wrong: Any) -> None:
    """A toleration of a taint that is there, but for what may be wrong with it; half of them are right."""
    lone = [n["spec"]["taints"][0] for n in world.nodes if len(n["spec"]["taints"]) == 1]
    taints = [t for t in lone if t["key"] in ("dedicated", "spot")]
    found = luck.choice(taints or [{"key": "spot", "effect": "NoSchedule"}])
    right = {"key": found["key"], "value": found.get("value", ""), "effect": found["effect"], "operator": "Equal"}
    made = right | (wrong if luck.random() < 0.5 else {})
    asked.spec["tolerations"] = [{k: v for k, v in made.items() if v}]


def tolerated(luck: Luck, world: World, asked: Asked) -> None:
    """Without an effect, or a key, or an operator, it means more, or the default."""
    wide = luck.choice(({"effect": ""}, {"operator": "Exists", "value": ""}, {"operator": ""}))
    anything = {"key": "", "value": "", "operator": "Exists"}
    _tolerating(luck, world, asked, **luck.choice((wide, anything)))


def tolerated_key(luck: Luck, world: World, asked: Asked) -> None:
    _tolerating(luck, world, asked, key="other", operator=luck.choice(("Exists", "Equal")))
    if asked.spec["tolerations"][0]["operator"] == "Exists":
        asked.spec["tolerations"][0].pop("value", None)


def tolerated_value(luck: Luck, world: World, asked: Asked) -> None:
    _tolerating(luck, world, asked, value="other")


def tolerated_effect(luck: Luck, world: World, asked: Asked) -> None:
    _tolerating(luck, world, asked, effect="PreferNoSchedule")


def tolerated_conditions(luck: Luck, _: World, asked: Asked) -> None:
    names = ("unschedulable", "memory-pressure", "not-ready")
    chosen = luck.sample(names, 2)
    asked.spec["tolerations"] = [{"key": f"node.kubernetes.io/{n}", "operator": "Exists"} for n in chosen]


def _taken(world: World) -> list[Raw]:
    """The host ports that pods have."""
    living = [p for p in world.pods if p["spec"]["nodeName"] and p["status"]["phase"] == "Running"]
    return [port for p in living for port in p["spec"]["containers"][0].get("ports", ())]


def ports(luck: Luck, world: World, asked: Asked) -> None:
    asked.spec["containers"][0]["ports"] = [luck.choice(_taken(world) or [port(luck)])]


def port_protocol(luck: Luck, world: World, asked: Asked) -> None:
    other = {"protocol": luck.choice(("TCP", "UDP", "SCTP"))}
    asked.spec["containers"][0]["ports"] = [luck.choice(_taken(world) or [port(luck)]) | other]


def port_address(luck: Luck, world: World, asked: Asked) -> None:
    taken = [p for p in _taken(world) if p.get("hostIP", "0.0.0.0") != "0.0.0.0"]
    other = {"hostIP": luck.choice(("0.0.0.0", "10.0.0.1", "10.0.0.3", "10.0.0.3"))}
    asked.spec["containers"][0]["ports"] = [luck.choice(taken or [port(luck)]) | other]


def sidecar_ports(luck: Luck, _: World, asked: Asked) -> None:
    """A sidecar's host port is taken for good; that of a container that only starts the pod isn't counted."""
    always = {"restartPolicy": "Always"} if luck.random() < 0.7 else {}
    made = container({"cpu": "50m"}, f"ported-{luck.randrange(10**6)}", ports=[port(luck)], **always)
    asked.spec.setdefault("initContainers", []).append(made)


def host_network(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["hostNetwork"] = True
    asked.spec["containers"][0]["ports"] = [{"containerPort": luck.choice((8080, 9090)), "protocol": "TCP"}]
    for one in asked.spec.get("initContainers", ()):
        one.pop("ports", None)


def gates(_: Luck, __: World, asked: Asked) -> None:
    asked.spec["schedulingGates"] = [{"name": "kubemend.dev/not-yet"}]


FEATURES: dict[str, Feature] = {
    f.__name__: f
    for f in (
        cpu, memory, fractions, ephemeral, extended, hugepages, nothing, limits, overhead, init, sidecar, whole,
        node_selector, node_affinity, named, pod_affinity, pod_anti_affinity, first_of_its_like, namespaces,
        namespace_selector, match_keys, mismatch_keys, no_selector, disliked, spread, spread_twice, spread_soft,
        min_domains, affinity_policy, taints_policy, spread_keys, spread_everything, tolerated, tolerated_key,
        tolerated_value, tolerated_effect, tolerated_conditions, ports, port_protocol, port_address, sidecar_ports,
        host_network, bound_in_reach, bound_in_zone, by_hand, by_hand_size, by_hand_mode, by_hand_access,
        by_hand_chosen, rivals, provisioned, unbound, lost, promised, sole, disks, disks_to_read, gates,
    )
} | {f"nodes {operator}": wishing(operator) for operator in WISHES}  # fmt: skip
SELDOM = (
    "min_domains", "affinity_policy", "taints_policy", "spread_keys", "spread_twice", "mismatch_keys",
    "first_of_its_like", "port_address", "tolerated_effect", "disks_to_read", "named", "namespaces", "host_network",
    "affinity_policy", "by_hand_chosen", "sidecar_ports", "overhead", "extended", "hugepages",
)  # fmt: skip
"""What seldom decides, so that it is tried oftener."""
LEADS = (*FEATURES, *SELDOM, *SELDOM)
"""What pods are about, in turn."""
