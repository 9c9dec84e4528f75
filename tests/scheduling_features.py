"""What the generated pods ask of a node: each feature adds one thing to a pod that often decides where it goes."""

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
ANY_APP = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}


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


def node_selector(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["nodeSelector"] = luck.choice(({"disk": "ssd"}, {ZONE: "a"}, {"disk": "hdd", ZONE: "b"}))


def node_affinity(luck: Luck, world: World, asked: Asked) -> None:
    """Several terms, of which one is enough; an empty one means no node."""
    terms = [_term(luck.choice(list(WISHES)), luck) for _ in range(2)]
    _affinity(asked, "nodeAffinity")[HARD] = {"nodeSelectorTerms": [*terms, *luck.choice(([], [{}]))]}


WISHES: dict[str, tuple[str, tuple[str, ...]]] = {
    "In": (ZONE, ("a", "b")), "NotIn": (ZONE, ("a", "c")), "Exists": ("rack", ()), "DoesNotExist": ("rack", ()),
    "Gt": ("cores", ("2", "8")), "Lt": ("cores", ("8", "16")),
}  # fmt: skip
"""By the operator: the label, and values of which one is picked."""


def _term(operator: str, luck: Luck) -> Raw:
    key, values = WISHES[operator]
    wish: Raw = {"key": key, "operator": operator}
    return {"matchExpressions": [wish | ({"values": [luck.choice(values)]} if values else {})]}


def _wishing(operator: str) -> Feature:
    def wish(luck: Luck, _: World, asked: Asked) -> None:
        _affinity(asked, "nodeAffinity")[HARD] = {"nodeSelectorTerms": [_term(operator, luck)]}

    return wish


def named(luck: Luck, world: World, asked: Asked) -> None:
    """Some nodes by their names, or all but some."""
    fields = {"key": "metadata.name", "operator": luck.choice(("In", "NotIn")), "values": [luck.choice(_nodes(world))]}
    also = _term("DoesNotExist", luck) if luck.random() < 0.3 else {}
    _affinity(asked, "nodeAffinity")[HARD] = {"nodeSelectorTerms": [{"matchFields": [fields], **also}]}


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
    _near(luck, asked, _word(luck), matchLabelKeys=["version"], namespaceSelector={}, labelSelector=dict(ANY_APP))


def mismatch_keys(luck: Luck, _: World, asked: Asked) -> None:
    _near(luck, asked, _word(luck), mismatchLabelKeys=["version"], namespaceSelector={}, labelSelector=dict(ANY_APP))


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
    if not asked.storage:
        asked.pod["metadata"]["namespace"] = "sched-a"  # where most pods are
    constraint = {
        "topologyKey": luck.choice((ZONE, ZONE, HOST)),
        "maxSkew": luck.choice((1, 1, 2)),
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": luck.choice((selector(luck), dict(ANY_APP))),
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
    _spread(luck, asked, minDomains=luck.choice((3, 4, 5)), topologyKey=ZONE, labelSelector=dict(ANY_APP))


def affinity_policy(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["nodeSelector"] = {"disk": luck.choice(("ssd", "hdd"))}
    _spread(
        luck,
        asked,
        nodeAffinityPolicy=luck.choice(("Ignore", "Ignore", "Honor")),
        labelSelector=dict(ANY_APP),
        maxSkew=1,
    )


def taints_policy(luck: Luck, _: World, asked: Asked) -> None:
    asked.spec["tolerations"] = []
    _spread(
        luck, asked, nodeTaintsPolicy=luck.choice(("Ignore", "Honor", "Honor")), labelSelector=dict(ANY_APP), maxSkew=1
    )


def spread_keys(luck: Luck, _: World, asked: Asked) -> None:
    chosen = luck.choice((dict(ANY_APP), dict(ANY_APP), {}, None))
    _spread(luck, asked, matchLabelKeys=["version"], labelSelector=chosen)


def spread_everything(luck: Luck, _: World, asked: Asked) -> None:
    """An empty selector counts no pod that is there, and the pod itself."""
    _spread(luck, asked, labelSelector={}, minDomains=luck.choice((None, 4)))


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


def _by_hand(luck: Luck, asked: Asked, count: int = 2, claims: int = 1, **fields: tuple[Any, ...]) -> list[Raw]:
    """Claims that wait for their pod, and volumes that people made, of some zones. Returns the claims.

    fields: of a volume's spec, with values of which each volume has one.
    """
    name = f"{asked.name}-hand-{luck.randrange(10**4)}"
    volumes = [
        volume(
            f"{name}-{i}",
            name,
            labels={"speed": ("fast", "slow")[i % 2]},
            nodeAffinity=_within(*luck.sample(ZONES, 2)),
            **{k: luck.choice(v) for k, v in fields.items()},
        )
        for i in range(count)
    ]
    made = [claim(f"{name}-{i}", asked.space, name, size=luck.choice(("1Gi", "2Gi"))) for i in range(claims)]
    _claims(asked, _waiting(name, NO_PROVISIONER), *volumes, *made)
    return made


def by_hand(luck: Luck, _: World, asked: Asked) -> None:
    _by_hand(luck, asked, count=1)


def by_hand_size(luck: Luck, _: World, asked: Asked) -> None:
    _by_hand(luck, asked, capacity=({"storage": "1Gi"}, {"storage": "2Gi"}, {"storage": "500Mi"}))


def by_hand_mode(luck: Luck, _: World, asked: Asked) -> None:
    _by_hand(luck, asked, volumeMode=("Filesystem", "Block", "Block"))


def by_hand_access(luck: Luck, _: World, asked: Asked) -> None:
    modes = (["ReadWriteOnce"], ["ReadWriteOnce", "ReadOnlyMany"])
    for one in _by_hand(luck, asked, accessModes=modes):
        one["spec"]["accessModes"] = ["ReadOnlyMany"]


def by_hand_chosen(luck: Luck, _: World, asked: Asked) -> None:
    for one in _by_hand(luck, asked):
        one["spec"]["selector"] = {"matchLabels": {"speed": luck.choice(("fast", "slow"))}}


def rivals(luck: Luck, _: World, asked: Asked) -> None:
    """Two claims, which can't have the same volume; the smaller has the first pick."""
    _by_hand(luck, asked, count=luck.choice((2, 3)), claims=2, capacity=({"storage": "1Gi"}, {"storage": "2Gi"}))


def provisioned(luck: Luck, _: World, asked: Asked) -> None:
    name = f"{asked.name}-made"
    term = {"matchLabelExpressions": [{"key": ZONE, "values": luck.sample(ZONES, 2)}]}
    more: Raw = {"allowedTopologies": [term]} if luck.random() < 0.7 else {}
    _claims(asked, _waiting(name, PROVISIONER, **more), claim(name, asked.space, name))


def unbound(luck: Luck, _: World, asked: Asked) -> None:
    """Claims that keep a pod off every node."""
    name = f"{asked.name}-none"
    match luck.randrange(3):
        case 0:
            asked.spec.setdefault("volumes", []).append(claiming(name))  # it isn't there
        case 1:
            _claims(asked, claim(name, asked.space, "no-such-class"))
        case 2:
            made: Raw = {"kind": "StorageClass", "metadata": {"name": name}, "provisioner": NO_PROVISIONER}
            _claims(asked, {**made, "volumeBindingMode": "Immediate"}, claim(name, asked.space, name))


def lost(_: Luck, __: World, asked: Asked) -> None:
    """A claim whose volume is no more."""
    held = claim(f"{asked.name}-lost", asked.space, "", volumeName="no-such-volume")
    held["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    held["status"]["phase"] = "Lost"
    _claims(asked, held)


def promised(_: Luck, __: World, asked: Asked) -> None:
    """A claim that names a volume, which is another's."""
    name = f"{asked.name}-others"
    asked.storage += bound(name, asked.space)
    _claims(asked, claim(f"{asked.name}-promised", asked.space, "", volumeName=name))


def sole(luck: Luck, world: World, asked: Asked) -> None:
    if not asked.storage:
        asked.pod["metadata"]["namespace"] = "sched-a"
    if asked.space == "sched-a":
        asked.spec.setdefault("volumes", []).append(claiming(f"{world.name}-sole"))


def disks(luck: Luck, world: World, asked: Asked) -> None:
    """A disk that a pod has already, to write or to read."""
    held = [v for p in world.pods if p["spec"]["nodeName"] for v in p["spec"].get("volumes", ()) if v["name"] == "disk"]
    asked.spec.setdefault("volumes", []).append(luck.choice(held or [{"name": "disk", **luck.choice(DISKS)}]))


def disks_to_read(luck: Luck, _: World, asked: Asked) -> None:
    read = [d for d in DISKS for disk in d.values() if "readOnly" in disk]
    asked.spec.setdefault("volumes", []).append({"name": "read", **luck.choice(read)})


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
} | {f"nodes {operator}": _wishing(operator) for operator in WISHES}  # fmt: skip
SELDOM = (
    "min_domains", "affinity_policy", "taints_policy", "spread_keys", "spread_twice", "mismatch_keys",
    "first_of_its_like", "port_address", "tolerated_effect", "disks_to_read", "named", "namespaces", "host_network",
    "affinity_policy", "by_hand_chosen", "sidecar_ports", "overhead", "extended", "hugepages",
)  # fmt: skip
"""What seldom decides, so that it is tried oftener."""
LEADS = (*FEATURES, *SELDOM, *SELDOM)
"""What pods are about, in turn."""
