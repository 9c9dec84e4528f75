"""A practice cluster without HTTP for tests of its components, and short ways to say what stands in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kubemend.lab.apiserver.deletion import Deletion, delete
from kubemend.lab.fields import condition, deleting, labels, name, ready, spec, status
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.local import LocalApi
from kubemend.lab.machinery import Machinery, until
from kubemend.lab.store import Store

Object = dict[str, Any]

SPACE = "shop"
PACE = 0.02


@dataclass
class Lab:
    """The store, the API over it, and what runs on that."""

    store: Store
    api: LocalApi
    machinery: Machinery

    async def create(self, *objects: Object) -> list[Object]:
        return [await self.api.create(o) for o in objects]

    def find(self, kind: str, named: str, space: str = SPACE) -> Object | None:
        return self.store.find(kind, space, named)

    def get(self, kind: str, named: str, space: str = SPACE) -> Object:
        found = self.store.find(kind, space, named)
        assert found is not None, f"no {kind} {space}/{named}"
        return found

    async def patch(self, kind: str, named: str, body: Object, *, space: str = SPACE, part: str = "") -> Object:
        return await self.api.patch(self.get(kind, named, space), body, subresource=part)

    async def delete(
        self, kind: str, named: str, *, space: str = SPACE, grace: int | None = None, propagation: str = "Background"
    ) -> None:
        delete(self.store, BY_KIND[kind], self.get(kind, named, space), Deletion(grace=grace, propagation=propagation))

    async def until(self, predicate: Callable[[Store], Any], seconds: float = 8.0) -> Any:
        return await until(self.store, predicate, seconds)

    def pods(self, **wanted: str) -> list[Object]:
        return [p for p in self.store.all("Pod", SPACE) if wanted.items() <= labels(p).items()]

    def events(self, about: str, reason: str = "") -> list[str]:
        """Messages of the events on an object, oldest first; on pods of a workload too ("web" finds "web-…")."""
        found = [e for e in self.store.all("Event") if e["involvedObject"]["name"].startswith(about)]
        return [e["message"] for e in found if reason in ("", e["reason"])]

    async def event(self, about: str, reason: str, seconds: float = 8.0) -> str:
        """The message of the first event of this reason, as soon as there is one."""
        return (await self.until(lambda _seen: self.events(about, reason), seconds))[0]

    def logs(self, pod: str, container: str = "main", *, previous: bool = False) -> list[str]:
        lines = self.store.logs.get((SPACE, pod, container, previous), [])
        return [line.partition(" ")[2] for line in lines]


@asynccontextmanager
async def running(*, nodes: Iterable[str] = ("lab-1",), pace: float = PACE) -> AsyncIterator[Lab]:
    store = Store()
    api = LocalApi(store)
    for space in ("default", "kube-system", "kube-node-lease", SPACE):
        await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": SPACE}}
    await api.create(account)
    machinery = Machinery(api, BY_KIND, pace=pace, logs=store.logs, usage=store.usage)
    await machinery.start(nodes)
    lab = Lab(store, api, machinery)
    try:
        await lab.until(lambda _seen: not any(spec(n).get("taints") for n in store.all("Node")))
        yield lab
    finally:
        await machinery.stop()


def container(image: str = "registry.lab/web:1.0", **more: Any) -> Object:
    return {"name": "main", "image": image, **more}


def pod(
    named: str = "one", *, notes: dict[str, str] | None = None, init: list[Object] | None = None, **main: Any
) -> Object:
    """A pod with one container; fields of the pod's spec are given as `spec={…}`."""
    more = main.pop("spec", {})
    meta = {"name": named, "namespace": SPACE, "labels": {"app": named}, "annotations": notes or {}}
    inits = {"initContainers": init} if init else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [container(**main)], **inits, **more},
    }


def template(
    app: str = "web", *, notes: dict[str, str] | None = None, spec: Object | None = None, **main: Any
) -> Object:
    meta = {"labels": {"app": app}, **({"annotations": notes} if notes else {})}
    return {"metadata": meta, "spec": {"containers": [container(**main)], **(spec or {})}}


def workload(kind: str, named: str = "web", *, pods: Object | None = None, **spec: Any) -> Object:
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet."""
    own = {"serviceName": named} if kind == "StatefulSet" else {}
    selector = {"matchLabels": {"app": named}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": named, "namespace": SPACE},
        "spec": {"selector": selector, "template": pods or template(named), **own, **spec},
    }


def plain(kind: str, named: str, *, version: str = "v1", space: str | None = SPACE, **rest: Any) -> Object:
    """Any other object."""
    meta = {"name": named, **({"namespace": space} if space else {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


def counted(kind: str, named: str, **numbers: int) -> Callable[[Store], Any]:
    """The object once its status has these numbers and its newest generation was seen."""

    def reached(seen: Store) -> Any:
        obj = seen.find(kind, SPACE, named)
        if obj is None or status(obj).get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
            return None
        return obj if all(status(obj).get(field, 0) == n for field, n in numbers.items()) else None

    return reached


def waiting(pod_name: str, reason: str) -> Callable[[Store], Any]:
    """The container status of a pod's first container once it waits for this reason."""

    def reached(seen: Store) -> Any:
        return next(
            (s for s in containers(seen, pod_name) if s["state"].get("waiting", {}).get("reason") == reason), None
        )

    return reached


def ended(pod_name: str, reason: str) -> Callable[[Store], Any]:
    """Of a pod's first container that has ended, or ended last, for this reason: its `terminated`."""

    def reached(seen: Store) -> Any:
        for told in containers(seen, pod_name):
            for state in (told["state"], told["lastState"]):
                if state.get("terminated", {}).get("reason") == reason:
                    return state["terminated"]
        return None

    return reached


def containers(seen: Store, pod_name: str) -> list[Object]:
    found = seen.find("Pod", SPACE, pod_name)
    told = status(found) if found else {}
    return [*(told.get("containerStatuses") or ()), *(told.get("initContainerStatuses") or ())]


def is_ready(pod_name: str) -> Callable[[Store], Any]:
    return lambda seen: (p := seen.find("Pod", SPACE, pod_name)) and ready(p) and p


def in_phase(pod_name: str, wanted: str) -> Callable[[Store], Any]:
    return lambda seen: (p := seen.find("Pod", SPACE, pod_name)) and status(p).get("phase") == wanted and p


def gone(kind: str, named: str, space: str = SPACE) -> Callable[[Store], bool]:
    return lambda seen: seen.find(kind, space, named) is None


def told(kind: str, named: str, type_: str, reason: str, space: str = SPACE) -> Callable[[Store], Any]:
    """The condition of an object once it has this reason."""

    def reached(seen: Store) -> Any:
        obj = seen.find(kind, space, named)
        found = condition(obj, type_) if obj else None
        return found if found and found.get("reason") == reason else None

    return reached


def names(objects: Iterable[Object]) -> list[str]:
    return sorted(name(o) for o in objects if not deleting(o))
