"""Playing one scenario for a person: the healthy state, its past, then the fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from kubemend.kube.rollout import progress
from kubemend.lab.api import Object
from kubemend.lab.fields import name, namespace, spec, status
from kubemend.lab.hand import Hand
from kubemend.lab.scenarios import Cast
from kubemend.model.errors import KubemendError
from kubemend.model.objects import DaemonSet, Deployment, Pod, StatefulSet

LOOK_S: Final = 0.5
WITHIN_S: Final = 180.0
"""Longer than a healthy state takes to come about where images must be pulled first."""
_KINDS: Final = {"Deployment": Deployment, "StatefulSet": StatefulSet, "DaemonSet": DaemonSet, "Pod": Pod}

Tell = Callable[[str], None]


class NeverHealthy(KubemendError):
    """The healthy state of a scenario did not come about."""

    code = "scenario-not-healthy"


async def stage(hand: Hand, cast: Cast, tell: Tell) -> None:
    """Bring a scenario's namespace to its healthy state, and break it. What is broken there already is made healthy.

    tell: called with one line at each step. Raises `NeverHealthy`, and what the cluster raises.
    """
    await _open(hand, cast)
    tell("making it healthy")
    await _apply(hand, cast.manifests("healthy"))
    await _until_all(hand, cast.manifests("healthy"), _well)
    if cast.has("past"):
        tell("giving it a past")
        await _apply(hand, cast.manifests("past"))
        await _until_all(hand, cast.manifests("past"), _begun)
        await _apply(hand, cast.manifests("healthy"))
        await _until_all(hand, cast.manifests("healthy"), _well)
    tell("changing what a control may change" if cast.scenario.control else "breaking it")
    for text in cast.scenario.deletes:
        kind, _, named = text.partition("/")
        await hand.delete(kind, cast.namespace, named)
    await _apply(hand, cast.manifests("fault"))


async def _open(hand: Hand, cast: Cast) -> None:
    """The namespace, with the ServiceAccount that bare pods are refused without."""
    labels = {"kubemend.dev/scenario": cast.name}
    await hand.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cast.namespace, "labels": labels}})
    await _until(hand, "ServiceAccount", cast.namespace, "default", lambda _: "")


async def _apply(hand: Hand, objects: Iterable[Object]) -> None:
    for obj in objects:
        await hand.apply(obj)


async def _until_all(hand: Hand, objects: Iterable[Object], there: Callable[[Object], str]) -> None:
    for obj in objects:
        if obj["kind"] in _KINDS:
            await _until(hand, obj["kind"], namespace(obj), name(obj), there)


async def _until(hand: Hand, kind: str, namespace: str, name: str, there: Callable[[Object], str]) -> None:
    """Wait for one object. there: why it is not where it should be, empty when it is."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = await hand.get(kind, namespace, name)
        why = "it is not there" if found is None else there(found)
        if not why:
            return
        if time.monotonic() > deadline:
            raise NeverHealthy(f"not healthy within {WITHIN_S:.0f} s: {why}", where=f"{kind} {namespace}/{name}")
        await asyncio.sleep(LOOK_S)


def _well(obj: Object) -> str:
    if spec(obj).get("paused") or status(obj).get("phase") == "Succeeded":
        return ""
    so_far = progress(msgspec.convert(obj, type=_KINDS[obj["kind"]], strict=False))
    return "" if so_far.complete else so_far.why


def _begun(obj: Object) -> str:
    told = status(obj)
    if obj["kind"] != "Pod" and told.get("observedGeneration") != obj["metadata"]["generation"]:
        return "its controller has not seen it yet"
    renewed = told.get("updatedReplicas") or told.get("updatedNumberScheduled") or obj["kind"] == "Pod"
    return "" if renewed or not spec(obj).get("replicas", 1) else "its revision is not being rolled out yet"
