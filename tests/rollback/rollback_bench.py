"""Worlds in which a strategy is put to work on the practice cluster, and in which its repair can be made to fail.

A world is one file of `worlds/`, named after its strategy (`STRATEGY.yaml` or `STRATEGY.VARIANT.yaml`):

- `code`, `target` ("Kind/name"): the diagnosis that the rules must make by themselves. `about` where two pods show it.
- `healthy`: manifests, created first and waited for. `fault`: steps that break it.
- `stays`: steps taken at the first write of the repair, `after`: those taken after its last one, so that the fault
  stays whatever the repair writes. Left out when the repair is to work.
- `lingers`: true where the old template's pods never get ready, so that a Deployment's own strategy keeps pods of the
  template that was taken back, as many as it would in any rollout. Else not even those may be left.
- `nodes` (2): how many. `later_s`: seconds by which the repairer's clock is ahead, for what must have lasted a while.
  `pace` (0.05): real seconds for each of Kubernetes' own, more where the fault is one of time.

A step is one of `create: MANIFEST`, `merge: MANIFEST` (a JSON merge patch of the object it names), `delete: KIND/NAME`,
`stop: COMPONENT` (a controller of the cluster stands still) or `fail: WHICH` (programs end with 1: `all`, now and at
each later start; `new`, those that start from now on; `one`, those of the first pod by name, then and now). The
namespace is `shop`.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kubemend.cluster.connection import connect
from kubemend.cluster.reader import Reader
from kubemend.cluster.writer import Writer
from kubemend.engine import catalogue
from kubemend.engine.guard.hands import MARK, Hands
from kubemend.engine.guard.machine import Guard
from kubemend.engine.judge import judge
from kubemend.engine.planner import plan
from kubemend.engine.policy import Mode, Policy
from kubemend.engine.sight import LiveSight, open_sight
from kubemend.kube.diff import without_server_fields
from kubemend.kube.rollout import progress
from kubemend.lab.cluster import PracticeCluster
from kubemend.lab.images import Catalogue, Image, config_reader, stress, web, worker
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.node.applets import APPLETS
from kubemend.lab.node.process import Process, Program
from kubemend.lab.store import Store
from kubemend.model.access import Risk
from kubemend.model.objects import DaemonSet, Deployment, Pod, StatefulSet
from kubemend.model.plan import Change, Plan
from kubemend.model.repair import Repair
from kubemend.model.snapshot import Snapshot
from kubemend.store.ledger import Ledger, open_ledger
from kubemend.store.repairs import Limits
from worlds import decode

WORLDS = Path(__file__).parent / "worlds"
NAMESPACE = "shop"
RESULT_S = 40.0
"""Real seconds for anything that is waited for; the machine may be busy."""

Object = dict[str, Any]


@dataclass(frozen=True)
class World:
    """One file."""

    name: str
    text: Object

    @property
    def strategy(self) -> str:
        return self.name.partition(".")[0]

    @property
    def lingers(self) -> bool:
        return bool(self.text.get("lingers"))

    @property
    def works(self) -> World:
        """The same world where nothing keeps the repair from helping."""
        return replace(self, text={**self.text, "stays": [], "after": []})


def all_worlds() -> list[World]:
    return [World(p.stem, yaml.safe_load(p.read_text(encoding="utf-8"))) for p in sorted(WORLDS.glob("*.yaml"))]


# --- programs that can be made to fail


class Programs:
    """The lab's programs, which all end with 1 once they are told to: whatever their pod's spec says."""

    def __init__(self) -> None:
        self._all = self._new = False
        self._pods: set[str] = set()
        self._changed = asyncio.Event()

    def fail(self, which: str, first: str) -> None:
        """All, new ones, or those of the pod `first` (its name stands in $POD)."""
        self._all, self._new = self._all or which == "all", self._new or which == "new"
        if which == "one":
            self._pods.add(first)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def images(self) -> Catalogue:
        own = {"web": web, "api": web, "worker": worker, "config-reader": config_reader, "stress": stress}
        return Catalogue(
            Image(
                name=f"registry.lab/{name}:{tag}",
                entrypoint=(name,),
                programs={**APPLETS, name: self._watched(program)},
                user=1000,
            )
            for name, program in own.items()
            for tag in ("1.0", "1.1")
        )

    def _watched(self, program: Program) -> Program:
        async def run(process: Process, argv: Sequence[str]) -> int:
            if self._new:
                process.write("fatal: it does not work here")
                return 1
            work = asyncio.ensure_future(program(process, argv))
            try:
                while not self._is_told(process):
                    changed = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait({work, changed}, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
                    if work.done():
                        return work.result()
            finally:
                work.cancel()
                await asyncio.wait({work})
            process.served.clear()
            process.write("fatal: it does not work here")
            return 1

        return run

    def _is_told(self, process: Process) -> bool:
        return self._all or process.env.get("POD", "") in self._pods


# --- the cluster


@dataclass
class Stage:
    """A practice cluster with one world on it, and somebody who repairs it."""

    cluster: PracticeCluster
    programs: Programs
    guard: Guard
    ledger: Ledger
    sight: LiveSight
    strategies: tuple[Any, ...]
    touched: set[str] = field(default_factory=set)
    """Objects (`Kind namespace/name`) that steps deleted or made, which no repair is asked to bring back."""

    @property
    def store(self) -> Store:
        return self.cluster.store

    async def take(self, steps: Sequence[Object]) -> None:
        for step in steps:
            ((op, what),) = step.items()
            await getattr(self, f"_{op}")(what)

    async def _create(self, what: Object) -> None:
        self.touched.add(key_of(await self.cluster.api.create(manifest(what))))

    async def _merge(self, what: Object) -> None:
        wanted = manifest(what)
        live = self.store.find(wanted["kind"], wanted["metadata"].get("namespace", ""), wanted["metadata"]["name"])
        assert live is not None, f"{key_of(wanted)} is not there"
        body = {k: v for k, v in wanted.items() if k not in ("apiVersion", "kind")}
        body["metadata"] = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
        await self.cluster.api.patch({**live, "metadata": {**live["metadata"]}}, body)

    async def _delete(self, what: str) -> None:
        kind, name = what.split("/")
        namespace = NAMESPACE if BY_KIND[kind].namespaced else ""
        live = self.store.find(kind, namespace, name)
        assert live is not None, what
        self.touched.add(key_of(live))
        await self.cluster.api.delete(live)
        ref = decode(live).ref
        await self.until(lambda: self.sight.snapshot().find(ref) is None, f"{what} is gone")

    async def _stop(self, what: str) -> None:
        tasks = [t for t in asyncio.all_tasks() if t.get_name() == what]
        assert tasks, f"no component {what}"
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _fail(self, what: str) -> None:
        names = sorted(p["metadata"]["name"] for p in self.store.all("Pod", NAMESPACE))
        self.programs.fail(what, names[0] if names else "")

    async def until(self, met: Callable[[], Any], what: str) -> Any:
        """Wait for a condition on what the repairer sees."""
        try:
            async with asyncio.timeout(RESULT_S):
                while not (found := met()):
                    await self.sight.changed(0.2)
        except TimeoutError:
            raise AssertionError(f"{what}: not within {RESULT_S:g} s\n{self.told()}") from None
        return found

    def told(self) -> str:
        """What the repairer sees now, for a test that fails."""
        report = judge(self.sight.snapshot(), catalogue.rules())
        lines = [
            f"{d.root.code} about {d.root.about}, repair {d.root.target}: {d.root.message}" for d in report.diagnoses
        ]
        return "\n".join(lines) or "no finding"

    def requests(self) -> list[str]:
        """Verb and object of every request for a change that came over HTTP and was no trial."""
        return [
            f"{r.verb} {r.resource}{'/' + r.subresource if r.subresource else ''} {r.namespace}/{r.name}".strip()
            for r in self.cluster.server.audit
            if not r.dry_run
        ]


class WatchedHands(Hands):
    """Hands whose first and last write of a repair are known to the test."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        super().__init__(reader, writer)
        self.first: Callable[[Change], Awaitable[None]] | None = None
        self.last: Callable[[Change], Awaitable[None]] | None = None
        self.writes = 0
        self.count = 0

    async def write(self, change: Change, before: Object | None, *, repair: str, dry_run: bool = False) -> Object:
        if not dry_run and self.first is not None:
            first, self.first = self.first, None
            await first(change)
        made = await super().write(change, before, repair=repair, dry_run=dry_run)
        if not dry_run:
            self.writes += 1
            if self.last is not None and self.writes == self.count:
                await self.last(change)
        return made


class LaterSight(LiveSight):
    """A live view of somebody whose clock is ahead."""

    later_s: float = 0.0

    def snapshot(self) -> Snapshot:
        seen = super().snapshot()
        return replace(seen, taken_at=seen.taken_at + timedelta(seconds=self.later_s))


@asynccontextmanager
async def staged(world: World, folder: Path) -> AsyncIterator[Stage]:
    """The world, broken, and somebody who may repair it. Nothing is planned yet."""
    text, programs = world.text, Programs()
    async with PracticeCluster(text.get("nodes", 2), pace=text.get("pace", 0.05), images=programs.images()) as cluster:
        path = folder / "kubeconfig"
        path.write_text(json.dumps(cluster.kubeconfig()))
        connection = connect(kubeconfig=str(path))
        async with connection.open() as transport, open_ledger(folder / "ledger.db") as ledger:
            reader = Reader(transport)
            async with open_sight(reader, catalogue.kinds(), namespace=None) as sight:
                sight.__class__ = LaterSight
                sight.later_s = text.get("later_s", 0.0)  # type: ignore[attr-defined]
                hands = WatchedHands(reader, Writer(transport, reader))
                guard = Guard(
                    cluster="practice", reader=reader, hands=hands, ledger=ledger, sight=sight,
                    policy=Policy(mode=Mode.AUTO_FIX, risk=Risk.HIGH, limits=Limits(cooldown_s=0, attempts=99)),
                    rules=catalogue.rules(), strategies=catalogue.strategies(), patience_s=0.3,
                )  # fmt: skip
                chosen = tuple(s for s in catalogue.strategies() if s.id == world.strategy)
                stage = Stage(cluster, programs, guard, ledger, sight, chosen)
                await cluster.api.create(manifest({"kind": "Namespace", "metadata": {"name": NAMESPACE}}))
                await cluster.until(lambda store: store.find("ServiceAccount", NAMESPACE, "default"))
                await stage.take([{"create": m} for m in text.get("healthy", ())])
                await stage.until(lambda: _well(sight.snapshot(), text.get("healthy", ())), "healthy")
                await stage.take(text["fault"])
                stage.touched.clear()
                hands.first = lambda _change: stage.take(text.get("stays", ()))
                hands.last = lambda _change: stage.take(text.get("after", ()))
                yield stage


def _well(snapshot: Snapshot, manifests: Sequence[Object]) -> bool:
    """Everything that was made is seen, and does its work."""
    for made in manifests:
        ref = decode(manifest(made)).ref if made["kind"] in _TYPED else None
        if ref is None:
            continue
        seen = snapshot.find(ref)
        if seen is None:
            return False
        if isinstance(seen, Deployment | StatefulSet | DaemonSet | Pod) and not progress(seen).complete:
            return False
    return True


async def planned(stage: Stage, world: World, *, within_s: float = 3.0) -> Plan:
    """What the strategy plans for the diagnosis that the rules make, with little time to prove itself.

    The cluster has come to rest in its fault by then.
    """
    kind, name = world.text["target"].split("/")

    def found() -> Plan | None:
        snapshot = stage.sight.snapshot()
        if not at_rest(stage.store):
            return None
        for diagnosis in judge(snapshot, catalogue.rules()).diagnoses:
            if (diagnosis.root.code, diagnosis.target.kind, diagnosis.target.name) != (world.text["code"], kind, name):
                continue
            made = plan(diagnosis, snapshot, stage.strategies)
            stage.declined = made.why_not  # type: ignore[attr-defined]
            return made.plan
        return None

    try:
        made: Plan = await stage.until(found, f"{world.strategy} plans for {world.text['code']}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{getattr(stage, 'declined', '')}") from None
    quick = msgspec.structs.replace(made.verify, within_s=within_s, steady_s=0.3)
    return msgspec.structs.replace(made, verify=quick)


async def carried_out(stage: Stage, made: Plan) -> Repair:
    """The repair in its last state, approved by a person where it has to be."""
    guard = stage.guard
    hands: Any = guard._hands
    hands.count, hands.writes = len(made.changes), 0
    repair = await guard.propose(made, incident="i1", actor="ann")
    if repair.state.value == "awaiting_approval":
        await guard.approve(repair, plan_hash=made.hash, actor="ann")
    return await guard.carry_out(repair, actor="ann")


# --- what the cluster holds

SKIPPED = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice", "ControllerRevision"})
"""Told, breathed or derived by the cluster itself from what is compared: nobody's to put back. Old revisions are kept
as history by their controllers, on purpose."""
COUNTED = ("deployment.kubernetes.io/", "deprecated.daemonset.template.generation")
"""Annotations in which controllers count rollouts."""
_TYPED = frozenset(
    {"Pod", "Deployment", "StatefulSet", "DaemonSet", "Service", "Ingress", "ConfigMap", "PersistentVolumeClaim",
     "ResourceQuota", "LimitRange", "ServiceAccount", "HorizontalPodAutoscaler", "StorageClass"}
)  # fmt: skip


Picture = Counter[tuple[str, str]]
"""(which object, what it is) with how many there are of each."""


def picture(store: Store, *, remade: Collection[str] = ()) -> Picture:
    """Every object of the cluster, without server-set fields and status.

    A pod is its spec, labels and owner, for its name and node are made up anew with each. remade: objects that were
    deleted and made anew, so that their uid is another.
    """
    lines: Picture = Counter()
    for kind in sorted({k.storage for k in BY_KIND.values()} - SKIPPED):
        for obj in store.all(kind):
            named = key_of(obj)
            if kind == "ReplicaSet" and not obj["spec"].get("replicas"):
                continue
            own = _pod(obj) if kind == "Pod" else _plain(obj)
            if kind == "ReplicaSet":
                # The Deployment controller copies its Deployment's annotations to the revision in force, and leaves
                # them there when another is (`deploymentutil.SetNewReplicaSetAnnotations`): our mark among them.
                own["metadata"]["annotations"].pop(MARK, None)
            if kind != "Pod":
                own["who"] = "anew" if named in remade else obj["metadata"]["uid"]
            lines[kind if kind == "Pod" else named, json.dumps(own, sort_keys=True)] += 1
    return lines


def _plain(obj: Object) -> Object:
    own = copy.deepcopy(without_server_fields(obj))
    notes = own["metadata"].get("annotations") or {}
    own["metadata"]["annotations"] = {k: v for k, v in notes.items() if not k.startswith(COUNTED)}
    if obj["kind"] == "Node":
        # A node's condition, and whether it is cordoned, told by its controller a second time.
        taints = own["spec"].pop("taints", [])
        own["spec"]["taints"] = [t for t in taints if not t["key"].startswith("node.kubernetes.io/")]
    return own


def _pod(obj: Object) -> Object:
    spec = {k: v for k, v in obj["spec"].items() if k != "nodeName"}
    names = {v["name"]: f"volume {i}" for i, v in enumerate(spec.get("volumes", ()))}
    text = json.dumps(spec)
    for name, plain in names.items():
        if name.startswith("kube-api-access-"):
            text = text.replace(name, plain)
    owners = [o["uid"] for o in obj["metadata"].get("ownerReferences", ())]
    return {"spec": json.loads(text), "labels": obj["metadata"].get("labels"), "owners": owners}


def changes(before: Picture, after: Picture, *, without: Collection[str] = ()) -> list[str]:
    """What is not as before, one line each; empty when all is."""
    gone, new = before - after, after - before
    return [f"{sign} {k}: {line}" for sign, held in (("-", gone), ("+", new)) for k, line in held if k not in without]


def at_rest(store: Store) -> bool:
    """No controller has anything left to make or delete, and nothing is on its way out.

    What a quota refuses stays lacking for ever, so a ReplicaSet that says so is at rest too.
    """
    for kind in ("Pod", "PersistentVolumeClaim"):
        if any(o["metadata"].get("deletionTimestamp") for o in store.all(kind)):
            return False
    for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        for obj in store.all(kind):
            status = obj.get("status") or {}
            if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
                return False
            refused = any(c["type"] == "ReplicaFailure" for c in status.get("conditions") or ())
            if kind == "ReplicaSet" and not refused and status.get("replicas", 0) != obj["spec"].get("replicas"):
                return False
    return True


async def as_before(
    stage: Stage, before: Picture, *, remade: Collection[str] = (), without: Collection[str] = (), lingers: bool = False
) -> None:
    """Wait until everything is as it was; says what is not."""

    def now() -> list[str]:
        seen = picture(stage.store, remade=remade)
        if lingers:
            return changes(_settled(before), _settled(seen), without=without) + _lingering(stage.store, before)
        return changes(before, seen, without=without) or ([] if at_rest(stage.store) else ["not at rest"])

    try:
        async with asyncio.timeout(RESULT_S):
            while now():
                await stage.sight.changed(0.2)
    except TimeoutError:
        raise AssertionError("not as before:\n" + "\n".join(now())) from None


def _settled(seen: Picture) -> Picture:
    """Without what a Deployment's controller makes of it."""
    return Counter({k: n for k, n in seen.items() if not k[0].startswith(("Pod", "ReplicaSet"))})


def _lingering(store: Store, before: Picture) -> list[str]:
    """What the controllers of Deployments may not have left: no pod of the template that is in force again, more pods
    than the strategy lets a rollout have, or a ReplicaSet made anew for a template that had one."""
    wrong, known = [], {json.loads(line)["who"] for (key, line) in before if key.startswith("ReplicaSet")}
    for deployment in store.all("Deployment"):
        sets = [
            r
            for r in store.all("ReplicaSet")
            if r["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"]
        ]
        force = next((r for r in sets if _unhashed(r) == deployment["spec"]["template"]), None)
        replicas = deployment["spec"]["replicas"]
        if force is None or force["metadata"]["uid"] not in known or not force["spec"]["replicas"]:
            wrong.append(f"{key_of(deployment)}: the old ReplicaSet is not in force")
        if sum(r["spec"]["replicas"] for r in sets) > replicas + max(1, -(-replicas // 4)):
            wrong.append(f"{key_of(deployment)}: more pods than a rollout has")
    return wrong


def _unhashed(replica_set: Object) -> Object:
    template = copy.deepcopy(replica_set["spec"]["template"])
    del template["metadata"]["labels"]["pod-template-hash"]
    return template


def manifest(what: Object) -> Object:
    """The manifest with its apiVersion and namespace filled in."""
    kind = BY_KIND[what["kind"]]
    metadata = dict(what["metadata"])
    if kind.namespaced:
        metadata.setdefault("namespace", NAMESPACE)
    return {"apiVersion": kind.api_version, **copy.deepcopy(what), "metadata": metadata}


def key_of(obj: Object) -> str:
    namespace = obj["metadata"].get("namespace", "")
    return (
        f"{obj['kind']} {namespace}/{obj['metadata']['name']}"
        if namespace
        else f"{obj['kind']} {obj['metadata']['name']}"
    )
