"""What the generated pods ask of a node: each feature adds one thing to a pod, so that it often decides where it goes."""

from __future__ import annotations

from typing import Any

from scheduling_corpus import (
    DISKS,
    GPU,
    HARD,
    HOST,
    OVERHEAD,
    SPACES,
    ZONE,
    ZONES,
    Asked,
    Feature,
    Luck,
    Raw,
    World,
    bound,
    claim,
    claiming,
    container,
    port,
    selector,
    volume,
)

NO_PROVISIONER = "kubernetes.io/no-provisioner"
PROVISIONER = "lab.kubemend.dev/instant"
KEYS = (HOST, ZONE, "rack")


def _requests(asked: Asked) -> Raw:
    found: Raw = asked.spec["containers"][0]["resources"].setdefault("requests", {})
    return found


def _nodes(world: World) -> list[str]:
    return [n["metadata"]["name"] for n in world.nodes]


def cpu(luck: Luck, _: World, asked: Asked) -> None:
    _requests(asked)["cpu"] = luck.choice(("1", "1400m", "1800m", "3500m"))


def memory(luck: Luck, _: World, asked: Asked) -> None:
    _requests(asked)["memory"] = luck.choice(("700Mi", "1Gi", "1800Mi", "3Gi"))


def fractions(luck: Luck, world: World, asked: Asked) -> None:
    """Just what a node has left but for the part of a thousandth that each pod loses by rounding up."""
    node = luck.choice(world.nodes)
    here = [p for p in world.pods if p["spec"]["nodeName"] == node["metadata"]["name"]]
    held = {"0": 0, "100m": 100_000, "100500u": 100_500, "400m": 400_000}
    living = [p for p in here if p["status"]["phase"] == "Running"]
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


def node_selector(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["nodeSelector"] = luck.choice(({"disk": "ssd"}, {ZONE: "a"}, {"disk": "hdd", ZONE: "b"}))


def node_affinity(luck: Luck, world: World, asked: Asked) -> None:
    terms = [_node_term(luck, world) for _ in range(luck.choice((1, 1, 2)))]
    _affinity(asked, "nodeAffinity")[HARD] = {"nodeSelectorTerms": terms}


def _node_term(luck: Luck, world: World) -> Raw:
    if luck.random() < 0.08:
        return {}
    term: Raw = {}
    if luck.random() < 0.85:
        term["matchExpressions"] = [luck.choice(_wishes(luck)) for _ in range(luck.choice((1, 1, 2)))]
    if luck.random() < 0.3:
        names = [luck.choice(_nodes(world))]
        term["matchFields"] = [{"key": "metadata.name", "operator": luck.choice(("In", "NotIn")), "values": names}]
    return term


def _wishes(luck: Luck) -> list[Raw]:
    return [
        {"key": ZONE, "operator": "In", "values": luck.sample(ZONES, 2)},
        {"key": ZONE, "operator": "NotIn", "values": [luck.choice(ZONES)]},
        {"key": "rack", "operator": "Exists"},
        {"key": "rack", "operator": "DoesNotExist"},
        {"key": "cores", "operator": "Gt", "values": [luck.choice(("2", "8"))]},
        {"key": "cores", "operator": "Lt", "values": [luck.choice(("8", "16"))]},
    ]


def _affinity(asked: Asked, word: str) -> Raw:
    found: Raw = asked.spec.setdefault("affinity", {}).setdefault(word, {})
    return found


def _near(luck: Luck, asked: Asked, word: str, **more: Any) -> None:
    made = {"topologyKey": luck.choice((HOST, ZONE, ZONE, "rack")), "labelSelector": selector(luck), **more}
    _affinity(asked, word).setdefault(HARD, []).append(made)


def _word(luck: Luck) -> str:
    return luck.choice(("podAffinity", "podAntiAffinity"))


def pod_affinity(luck: Luck, _: World, asked: Asked) -> None:
    _near(luck, asked, "podAffinity")


def pod_anti_affinity(luck: Luck, _: World, asked: Asked) -> None:
    _near(luck, asked, "podAntiAffinity")


def first_of_its_like(luck: Luck, _: World, asked: Asked) -> None:
    """Nobody is like this pod yet, so it may go where it wants its like to be."""
    asked.pod["metadata"]["labels"]["app"] = luck.choice(("new", "new", "web"))
    _near(luck, asked, "podAffinity", labelSelector={"matchLabels": {"app": "new"}})


def namespaces(luck: Luck, _: World, asked: Asked) -> None:
    _near(luck, asked, _word(luck), namespaces=luck.sample(list(SPACES), luck.choice((1, 2))))


def namespace_selector(luck: Luck, _: World, asked: Asked) -> None:
    choices: tuple[Raw, ...] = (
        {},
        {"matchLabels": {"team": "red"}},
        {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]},
        {"matchLabels": {"kubernetes.io/metadata.name": "sched-b"}},
    )
    _near(luck, asked, _word(luck), namespaceSelector=luck.choice(choices))


def match_keys(luck: Luck, _: World, asked: Asked) -> None:
    _near(luck, asked, _word(luck), matchLabelKeys=["version"], namespaceSelector={})


def mismatch_keys(luck: Luck, _: World, asked: Asked) -> None:
    _near(luck, asked, _word(luck), mismatchLabelKeys=["version"], namespaceSelector={})


def no_selector(luck: Luck, _: World, asked: Asked) -> None:
    """Without a selector a term means no pod; with an empty one all pods of its namespaces."""
    _near(luck, asked, _word(luck), **luck.choice(({"labelSelector": None}, {"labelSelector": {}})))


def disliked(luck: Luck, world: World, asked: Asked) -> None:
    """Such a pod as those there keep away from."""
    terms = [(p, t) for p in world.pods for t in p["spec"].get("affinity", {}).get("podAntiAffinity", {}).get(HARD, ())]
    if not terms or asked.storage:
        return
    pod, term = luck.choice(terms)
    asked.pod["metadata"]["namespace"] = pod["metadata"]["namespace"]
    asked.pod["metadata"]["labels"].update(term["labelSelector"].get("matchLabels", {}))


def _spread(luck: Luck, asked: Asked, **more: Any) -> None:
    constraint = {
        "topologyKey": luck.choice((ZONE, ZONE, HOST)),
        "maxSkew": luck.choice((1, 1, 2)),
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": selector(luck),
        **more,
    }
    held = asked.spec.setdefault("topologySpreadConstraints", [])
    if (constraint["topologyKey"], "DoNotSchedule") not in [(c["topologyKey"], c["whenUnsatisfiable"]) for c in held]:
        held.append(constraint)


def spread(luck: Luck, _: World, asked: Asked) -> None:
    _spread(luck, asked)


def spread_twice(luck: Luck, _: World, asked: Asked) -> None:
    _spread(luck, asked, topologyKey=ZONE)
    _spread(luck, asked, topologyKey=luck.choice((HOST, "rack")), maxSkew=luck.choice((1, 3)))


def spread_soft(luck: Luck, _: World, asked: Asked) -> None:
    _spread(luck, asked, whenUnsatisfiable="ScheduleAnyway", topologyKey="rack")


def min_domains(luck: Luck, _: World, asked: Asked) -> None:
    _spread(luck, asked, minDomains=luck.choice((3, 4, 5)), topologyKey=ZONE)


def affinity_policy(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["nodeSelector"] = {"disk": luck.choice(("ssd", "hdd"))}
    _spread(luck, asked, nodeAffinityPolicy=luck.choice(("Ignore", "Honor")))


def taints_policy(luck: Luck, _: World, asked: Asked) -> None:
    _spread(luck, asked, nodeTaintsPolicy=luck.choice(("Ignore", "Honor", "Honor")))


def spread_keys(luck: Luck, _: World, asked: Asked) -> None:
    chosen = luck.choice((selector(luck), {}, None))
    _spread(luck, asked, matchLabelKeys=["version"], **({"labelSelector": chosen} if chosen is not None else {}))


def spread_everything(luck: Luck, _: World, asked: Asked) -> None:
    """An empty selector counts no pod that is there, and the pod itself."""
    _spread(luck, asked, labelSelector={}, minDomains=luck.choice((None, 4)))


def tolerations(luck: Luck, _: World, asked: Asked) -> None:
    choices: tuple[Raw, ...] = (
        {"key": "dedicated", "operator": "Equal", "value": "db"},
        {"key": "dedicated", "value": "web", "effect": "NoExecute"},
        {"key": "dedicated", "operator": "Exists"},
        {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
        {"key": "spot"},
        {"operator": "Exists", "effect": "NoExecute"},
        {"operator": "Exists"},
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"},
        {"key": "spot", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 3600},
    )
    asked.spec["tolerations"] = luck.sample(choices, luck.choice((1, 2, 3)))


def ports(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["containers"][0]["ports"] = [port(luck)]


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


def _within(*zones: str) -> Raw:
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": list(zones)}]}
    return {"required": {"nodeSelectorTerms": [term]}}


def _claims(asked: Asked, *objects: Raw) -> None:
    asked.storage += objects
    names = [o["metadata"]["name"] for o in objects if o["kind"] == "PersistentVolumeClaim"]
    asked.spec.setdefault("volumes", []).extend(claiming(n) for n in names)


def bound_in_reach(luck: Luck, _: World, asked: Asked) -> None:
    _claims(asked, *bound(f"{asked.name}-bound", asked.space, nodeAffinity=_within(*luck.sample(ZONES, 2))))


def bound_in_zone(luck: Luck, _: World, asked: Asked) -> None:
    """A volume that tells its zones by a label."""
    labels = luck.choice(({ZONE: "a"}, {ZONE: "b__c"}, {"failure-domain.beta.kubernetes.io/zone": "b"}))
    _claims(asked, *bound(f"{asked.name}-zoned", asked.space, labels=labels))


def _waiting(name: str, provisioner: str, **more: Any) -> Raw:
    mode = {"provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"}
    return {"kind": "StorageClass", "metadata": {"name": name}, **mode, **more}


def by_hand(luck: Luck, _: World, asked: Asked) -> None:
    """Claims that wait for their pod, and volumes that people made: of some zone, size, mode, and never enough."""
    name = f"{asked.name}-hand"
    volumes = [
        volume(
            f"{name}-{i}",
            name,
            nodeAffinity=_within(*luck.sample(ZONES, luck.choice((1, 2)))),
            capacity={"storage": luck.choice(("1Gi", "2Gi", "2Gi", "500Mi"))},
            volumeMode=luck.choice(("Filesystem",) * 4 + ("Block",)),
            modes=luck.choice((["ReadWriteOnce"], ["ReadWriteOnce", "ReadOnlyMany"])),
            labels={"speed": luck.choice(("fast", "slow"))},
        )
        for i in range(luck.choice((2, 3)))
    ]
    claims = [
        claim(f"{name}-{i}", asked.space, name, size=luck.choice(("1Gi", "600Mi", "2Gi")))
        for i in range(luck.choice((1, 2, 2)))
    ]
    for one in claims:
        if luck.random() < 0.25:
            one["spec"]["selector"] = {"matchLabels": {"speed": "fast"}}
        if luck.random() < 0.2:
            one["spec"]["accessModes"] = ["ReadOnlyMany"]
    _claims(asked, _waiting(name, NO_PROVISIONER), *volumes, *claims)


def provisioned(luck: Luck, _: World, asked: Asked) -> None:
    name = f"{asked.name}-made"
    term = {"matchLabelExpressions": [{"key": ZONE, "values": luck.sample(ZONES, 2)}]}
    more: Raw = {"allowedTopologies": [term]} if luck.random() < 0.7 else {}
    _claims(asked, _waiting(name, PROVISIONER, **more), claim(name, asked.space, name))


def unbound(luck: Luck, _: World, asked: Asked) -> None:
    """Claims that keep a pod off every node."""
    name = f"{asked.name}-none"
    match luck.randrange(5):
        case 0:
            asked.spec.setdefault("volumes", []).append(claiming(name))  # it isn't there
        case 1:
            _claims(asked, claim(name, asked.space, "no-such-class"))
        case 2:
            made: Raw = {"kind": "StorageClass", "metadata": {"name": name}, "provisioner": NO_PROVISIONER}
            _claims(asked, {**made, "volumeBindingMode": "Immediate"}, claim(name, asked.space, name))
        case 3:
            lost = claim(name, asked.space, "", volumeName="no-such-volume")
            lost["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
            lost["status"]["phase"] = "Lost"
            _claims(asked, lost)
        case 4:
            other = bound(f"{name}-other", asked.space)
            asked.storage += other
            _claims(asked, claim(name, asked.space, "", volumeName=f"{name}-other"))


def sole(luck: Luck, world: World, asked: Asked) -> None:
    if not asked.storage:
        asked.pod["metadata"]["namespace"] = "sched-a"
    if asked.space == "sched-a":
        asked.spec.setdefault("volumes", []).append(claiming(f"{world.name}-sole"))


def disks(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec.setdefault("volumes", []).append({"name": "disk", **luck.choice(DISKS)})


def gates(_: Luck, __: World, asked: Asked) -> None:
    asked.spec["schedulingGates"] = [{"name": "kubemend.dev/not-yet"}]


FEATURES: dict[str, Feature] = {
    f.__name__: f
    for f in (
        cpu, memory, fractions, ephemeral, extended, hugepages, nothing, limits, overhead, init, sidecar, whole,
        node_selector, node_affinity, pod_affinity, pod_anti_affinity, first_of_its_like, namespaces,
        namespace_selector, match_keys, mismatch_keys, no_selector, disliked, spread, spread_twice, spread_soft,
        min_domains, affinity_policy, taints_policy, spread_keys, spread_everything, tolerations, ports, sidecar_ports,
        host_network, bound_in_reach, bound_in_zone, by_hand, provisioned, unbound, sole, disks, gates,
    )
}  # fmt: skip
