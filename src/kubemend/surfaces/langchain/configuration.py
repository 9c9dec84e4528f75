"""What a RunnableConfig may say: which cluster and namespace a call is about, and in whose name.

`configurable` may carry `kubeconfig_path`, `kubeconfig_data`, `context`, `namespace`, `actor`, and
`kubernetes_instances`: several clusters as a list, or as JSON text of one, of `{id, name, kubeconfig_data}` (each may
also have `kubeconfig_path`, `context` and `namespace`), picked by `instance_name` or `instance_id`, else the first.
How far a call may go is never said there: that is for the program that made the tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.cluster import kubeconfig
from kubemend.cluster.errors import ConfigError
from kubemend.kube.names import near
from kubemend.model.errors import InvalidInput

SOURCES = ("kubeconfig_path", "kubeconfig_data", "kubernetes_instances")
"""Keys that name a cluster: one of them replaces whatever named one before."""
PICKS = ("instance_name", "instance_id")


@dataclass(frozen=True)
class Target:
    """One cluster and how far a call may go there. Equal targets share one connection."""

    kubeconfig_path: str | None = None
    kubeconfig_data: str | None = field(default=None, repr=False)
    context: str | None = None
    namespace: str | None = None
    allow_changes: bool = False
    store: str | None = None


class Instance(Struct, frozen=True):
    """One of several clusters. Empty names are made of its number."""

    id: str | int = ""
    name: str = ""
    kubeconfig_data: str | None = None
    kubeconfig_path: str | None = None
    context: str | None = None
    namespace: str | None = None

    def answers_to(self, name: str) -> bool:
        """Whether its kubeconfig has a context or cluster of this name."""
        if self.kubeconfig_data is None:
            return False
        read = kubeconfig.given(self.kubeconfig_data)
        return name in read.contexts or name in read.clusters


@dataclass(frozen=True)
class Given:
    """What is configured for one call. `instances` is None where one cluster is meant."""

    target: Target
    actor: str
    instances: tuple[Instance, ...] | None = None
    pick: str | None = None

    def under(self, configurable: Mapping[str, Any]) -> Given:
        """The same with what a RunnableConfig says. InvalidInput when it says it in a wrong way."""
        said = {k: configurable[k] for k in (*SOURCES, *PICKS, "context", "namespace", "actor") if configurable.get(k)}
        said |= {k: str(said[k]) for k in PICKS if isinstance(said.get(k), int)}
        for key, value in said.items():
            if key != "kubernetes_instances" and not isinstance(value, str):
                raise _wrong(key, "is no text")
        made = self
        if any(key in said for key in SOURCES):
            path, data = said.get("kubeconfig_path"), said.get("kubeconfig_data")
            listed = instances_of(said["kubernetes_instances"]) if "kubernetes_instances" in said else None
            target = replace(self.target, kubeconfig_path=path, kubeconfig_data=data, context=None)
            made = replace(self, target=target, instances=listed, pick=None)
        place = {k: said[k] for k in ("context", "namespace") if k in said}
        pick = next((said[k] for k in PICKS if k in said), made.pick)
        return replace(made, target=replace(made.target, **place), actor=said.get("actor", self.actor), pick=pick)

    def picked(self, arguments: Mapping[str, Any]) -> tuple[Target, dict[str, Any]]:
        """The cluster that is meant, and the arguments that are the tool's own.

        A model may pick among several clusters by `instance_name` or `instance_id`. InvalidInput when it picks none of
        them.
        """
        if self.instances is None:
            return self.target, dict(arguments)
        own = {k: v for k, v in arguments.items() if k not in PICKS}
        asked = next((str(arguments[k]) for k in PICKS if arguments.get(k)), self.pick)
        found = self.instances[0] if asked is None else _named(asked, self.instances)
        target = replace(
            self.target,
            kubeconfig_path=found.kubeconfig_path,
            kubeconfig_data=found.kubeconfig_data,
            context=found.context or self.target.context,
            namespace=found.namespace or self.target.namespace,
        )
        return target, own


def instances_of(given: str | Sequence[Any]) -> tuple[Instance, ...]:
    """Several clusters, each with an id and a name. InvalidInput when they are none."""
    try:
        raw = msgspec.json.decode(given, type=list[Any]) if isinstance(given, str) else given
        read = msgspec.convert(raw, list[Instance])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _wrong("kubernetes_instances", str(error)) from error
    if not read:
        raise _wrong("kubernetes_instances", "is empty")
    return tuple(
        msgspec.structs.replace(one, id=str(one.id) or f"k8s-{number}", name=one.name or f"Kubernetes - {number}")
        for number, one in enumerate(read, start=1)
    )


def _named(asked: str, instances: Sequence[Instance]) -> Instance:
    for one in instances:
        if asked == one.id:
            return one
    for one in instances:
        if asked == one.name or one.answers_to(asked):
            return one
    names = [i.name for i in instances]
    guess = near(asked, names)
    hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(names)}"
    raise InvalidInput(f"there is no cluster {asked!r}", code="instance-unknown", hint=hint)


def _wrong(key: str, why: str) -> ConfigError:
    return ConfigError(why, code="configurable-invalid", where=f"configurable.{key}")
