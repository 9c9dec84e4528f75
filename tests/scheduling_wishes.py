"""What the generated pods wish of a node and of the pods that are there: affinity, anti-affinity and spread."""

from __future__ import annotations

from typing import Any

from scheduling_corpus import HARD, HOST, SPACES, ZONE, Asked, Feature, Luck, Raw, World, selector

ANY_APP = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}


def _nodes(world: World) -> list[str]:
    return [n["metadata"]["name"] for n in world.nodes]


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


def wishing(operator: str) -> Feature:
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
