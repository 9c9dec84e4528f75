"""Playing the scenarios of `scenarios/`: make healthy, break, let `kubemend watch --auto-fix` mend, judge the end.

`python tests/scenarios.py --seeds 5 --on practice,plane,node --only NAME` plays them and prints the table. The runner
sees a cluster only through stock kubectl, and the program only through its command line; what is judged is in
`scenarios_state`.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import scenarios_noise as noise
import scenarios_state as state
from kubemend.lab.scenarios import Cast, cast, names
from scenarios_ground import FIRST_USE, Ground, account, as_account, cli
from scenarios_outcome import Outcome
from scenarios_state import Key, World
from scenarios_watch import Watcher, wait

LIMITS = ("--max-concurrent", "40", "--max-per-hour", "10000", "--cooldown", "5")
"""Nothing is to wait for a budget here: what is measured is the repair."""
FARING = (*state.WORKLOADS, "Job", "Pod", "Service", "PersistentVolumeClaim")
PEOPLED = (*state.WORKLOADS, "Job", "Pod")
QUIET_S = 12.0
"""Nothing new for so long, once everything has ended, before the end is looked at: longer than the detector sleeps."""
FILL = 0.6
"""How much of the nodes' room for pods healthy workloads may take: a rollout needs more."""
SETTLE_S = 600.0
"""Longer than any healthy state takes to come about, on a busy machine too."""


@dataclass
class Play:
    """One batch of scenarios on one cluster, side by side, from healthy to judged."""

    ground: Ground
    casts: Sequence[Cast]
    folder: Path
    seed: int = 0
    nodes: World = field(default_factory=dict)
    """The nodes as they were found: a healthy state may already change one."""
    healthy: World = field(default_factory=dict)
    broken: World = field(default_factory=dict)
    end: World = field(default_factory=dict)
    broken_at: dict[str, float] = field(default_factory=dict)

    def run(self, kubeconfig: Path) -> tuple[list[Outcome], list[str]]:
        """Outcomes, and what went wrong outside of all scenarios. kubeconfig: whose rights kubemend has."""
        self._mark("begins")
        self.nodes = {k: o for k, o in state.world(self.ground.kubectl).items() if k.kind == "Node"}
        self.prepare()
        self._mark("healthy")
        earlier = len(self.ground.writes(account("fixer")))
        watcher = Watcher.start(kubeconfig, self.folder, *LIMITS)
        try:
            self.break_all()
            self._mark("broken")
            self.await_ends(watcher)
            self._mark("ended")
        finally:
            watcher.stop()
        return self.judged(watcher, earlier)

    def _mark(self, what: str) -> None:
        """Write down how long it took to get here."""
        with (self.folder / "stages.log").open("a") as log:
            log.write(f"{time.time():.1f} {what}\n")

    @property
    def namespaces(self) -> list[str]:
        return [c.namespace for c in self.casts]

    @property
    def quiet(self) -> dict[str, list[Any]]:
        return noise.neighbours(self.seed)

    def prepare(self) -> None:
        """Bring every scenario to its healthy state, each in a namespace of its own, with its noise and its past."""
        spaces = [*self.namespaces, *self.quiet]
        self._apply(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n, "labels": {"played": "true"}}}
                for n in spaces
            ]
        )
        self.ground.kubectl("apply", "-f", "-", manifest=FIRST_USE)
        # A bare pod is refused before its namespace has a default account; controllers would try again.
        assert wait(lambda: set(spaces) <= self._accounts(), SETTLE_S), "namespaces without a ServiceAccount"
        still = [o for objects in self.quiet.values() for o in objects]
        self._apply([*still, *(o for c in self.casts for o in (*c.manifests("healthy"), *noise.beside(c)))])
        self._settle(SETTLE_S)
        if past := [o for c in self.casts for o in c.manifests("past")]:
            self._apply(past)
            assert wait(lambda: self._rolling(past), SETTLE_S, every_s=0.5), "the past did not come about"
            self._apply([o for c in self.casts if c.has("past") for o in c.manifests("healthy")])
            self._settle(SETTLE_S)
        self.healthy = state.world(self.ground.kubectl)

    def _accounts(self) -> set[str]:
        found = self.ground.kubectl("get", "serviceaccounts", "-A", "-o", "jsonpath={.items[*].metadata.namespace}")
        return set(found.split())

    def _apply(self, objects: Sequence[Any]) -> list[Any]:
        """What kubectl answers when it applies these."""
        if not objects:
            return []
        text = "\n---\n".join(map(json.dumps, objects))
        answer = json.loads(self.ground.kubectl("apply", "-f", "-", "-o", "json", manifest=text))
        return list(answer["items"]) if answer["kind"] == "List" else [answer]

    def _settle(self, within_s: float) -> None:
        """Wait until everything applied is well. What can't be said to be well or not needn't be."""
        world: World = {}
        wanted = [state.key_of(o) for c in self.casts for o in (*c.manifests("healthy"), *noise.beside(c))]
        wanted += [state.key_of(o) for objects in self.quiet.values() for o in objects]

        def unsettled() -> list[Key]:
            nonlocal world
            world = state.world(self.ground.kubectl, state.FARING)
            return [k for k in wanted if k.kind in FARING and not settled(world, k)]

        if not wait(lambda: not unsettled(), within_s, every_s=1):
            found = [f"{k}: {world.get(k, {}).get('status')}" for k in unsettled()]
            raise AssertionError("\n".join(["not healthy to begin with", *found]))

    def _rolling(self, past: Sequence[Any]) -> bool:
        world = state.world(self.ground.kubectl, "deployments,statefulsets,daemonsets")
        workloads = [world[k] for o in past if (k := state.key_of(o)).kind in state.WORKLOADS]
        return all(
            w["status"].get("observedGeneration") == w["metadata"]["generation"] and _renewed(w) for w in workloads
        )

    def break_all(self) -> None:
        """Every fault, in an order of the seed's own."""
        order = list(self.casts)
        if self.seed:
            random.Random(f"order/{self.seed}").shuffle(order)
        self.broken = dict(self.healthy)
        for c in order:
            self.broken_at[c.name] = time.time()
            gone = [state.named(c, d) for d in c.scenario.deletes]
            for key in gone:
                space = ("-n", key.namespace) if key.namespace else ()
                self.ground.kubectl("delete", key.kind, key.name, *space)
            try:
                applied = self._apply(c.manifests("fault"))
            except Exception as error:
                error.add_note(f"while breaking {c.name} with seed {c.seed}")
                raise
            self.broken = state.laid_over(self.broken, applied, gone)

    def await_ends(self, watcher: Watcher) -> None:
        """Until every fault has come to an end and nothing has happened for a while, or the time is over."""
        began = time.monotonic()

        def ended() -> bool:
            spent = time.monotonic() - began
            open_ones = [c for c in self.casts if not c.scenario.control and spent < c.scenario.within_s]
            return watcher.process.poll() is not None or all(self._ended(watcher, c) for c in open_ones)

        assert wait(ended, 3600)
        seen, since = -1, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            if len(watcher.events) != seen:
                seen, since = len(watcher.events), time.monotonic()
            return time.monotonic() - since >= QUIET_S or watcher.process.poll() is not None

        wait(quiet, 60)

    def _ended(self, watcher: Watcher, c: Cast) -> bool:
        events = self._events(watcher, c)
        found = {e["incident"]["code"] for e in events if e["what"] == "opened"}
        if not {cause.code for cause in c.scenario.causes} <= found:
            return False
        last = {e["incident"]["id"]: ending(e) for e in events}
        # Where it can be mended, an escalation is no end: what keeps a strategy from a plan may go.
        ends = {"resolved"} if c.scenario.mends else {"resolved", "escalated", "rolled_back"}
        return all(e in ends for e in last.values())

    def _events(self, watcher: Watcher, c: Cast) -> list[dict[str, Any]]:
        """What was told of it. One that changes nodes is played alone, so that all about nodes is its own."""
        spaces = {c.namespace, ""} if c.scenario.scope == "cluster" else {c.namespace}
        return [e for e in list(watcher.events) if e.get("incident") and e["incident"]["namespace"] in spaces]

    def judged(self, watcher: Watcher, earlier: int) -> tuple[list[Outcome], list[str]]:
        """Hold the end against the beginning."""
        mended = [c for c in self.casts if c.scenario.mends or c.scenario.control]

        def ill() -> list[str]:
            self.end = state.world(self.ground.kubectl)
            return [a for c in mended for a in state.ailing(c, self.healthy, self.broken, self.end)]

        wait(lambda: not ill(), 20, every_s=1)
        written = self.ground.writes(account("fixer"))[earlier:]
        sent = Counter((w.namespace, w.name) for w in written)
        outcomes = [self._outcome(watcher, c, sent) for c in self.casts]
        clusterwide = [state.named(c, t.target) for c in self.casts for t in c.scenario.causes]
        clusterwide += [state.key_of(o) for c in self.casts for o in c.manifests("fault")]
        outside = state.elsewhere(set(self.namespaces), self.broken, self.end, spared=clusterwide)
        known = {*self.namespaces, *("" for c in self.casts if c.scenario.scope == "cluster")}
        strays = [e for e in watcher.events if e["what"] == "opened" and e["incident"]["namespace"] not in known]
        outside += [f"false alarm: {e['text']}" for e in strays]
        records = json.loads(cli("audit", "--store", str(watcher.store), "-o", "json", "--limit", "100000"))
        intents = Counter(_target(r["detail"]["change"]) for r in records if r["kind"] == "intent")
        outside += [f"written without an intent: {w}" for w in sent - intents]
        outside += [f"an intent never sent: {w}" for w in intents - sent]
        return outcomes, outside

    def _outcome(self, watcher: Watcher, c: Cast, sent: Counter[tuple[str, str]]) -> Outcome:
        events = self._events(watcher, c)
        opened = [e for e in events if e["what"] == "opened"]
        repaired = [e for e in events if e["what"] == "repair"]
        plans = [e["repair"]["plan"] for e in events if e["what"] == "planned"]
        verified = [e for e in repaired if e["repair"]["state"] == "succeeded"]

        def after(found: list[Any], which: int) -> float | None:
            return max(0.0, _moment(found[which]["at"]) - self.broken_at[c.name]) if found else None

        return Outcome(
            cast=c,
            opened=[e["incident"]["code"] for e in opened],
            targets=["/".join((p["target"]["kind"], p["target"]["name"])) for p in plans],
            strategies=[p["strategy"] for p in plans],
            states=[e["repair"]["state"] for e in repaired],
            escalated=[e["text"] for e in events if e["what"] == "escalated"],
            seconds_to_incident=after(opened, 0),
            seconds_to_verified=after(verified, -1),
            ailing=state.ailing(c, self.healthy, self.broken, self.end),
            harm=state.harm(c, self.healthy, self.broken, self.end),
            writes=sum(n for (namespace, _), n in sent.items() if namespace == c.namespace),
            told=[f"    {e['what']}: {e['text']}" for e in events],
        )

    def clean(self) -> None:
        """Take everything away that this batch brought, and give nodes back what they were."""
        now = state.world(self.ground.kubectl)
        for key, was in self.nodes.items():
            if not state.same(was, now[key]) or _marks(was) != _marks(now[key]):
                self._restore(was, now[key])
        for c in self.casts:
            applied = [state.key_of(o) for part in ("healthy", "past", "fault") for o in c.manifests(part)]
            for key in {k for k in applied if not k.namespace and k.kind != "Node"}:
                self.ground.kubectl("delete", key.kind, key.name, "--ignore-not-found")
        self.ground.kubectl("delete", "namespace", "-l", "played=true", "--timeout=180s")

    def _restore(self, was: Any, now: Any) -> None:
        marks = dict.fromkeys(_marks(now) - _marks(was))
        had, has = (o["metadata"].get("labels") or {} for o in (was, now))
        labels = {**dict.fromkeys(has), **had}
        spec = {"unschedulable": was["spec"].get("unschedulable"), "taints": was["spec"].get("taints")}
        body = {"metadata": {"labels": labels, "annotations": marks}, "spec": spec}
        self.ground.kubectl("patch", "node", was["metadata"]["name"], "--type=merge", "-p", json.dumps(body))


def settled(world: World, key: Key) -> bool:
    """Whether a healthy object has come about. A claim may wait for its consumer; a Job may go on, or be suspended."""
    obj = world.get(key)
    if obj is None:
        return False
    if obj.get("spec", {}).get("paused"):
        return True
    if key.kind == "Job":
        started = obj["spec"].get("suspend") or obj.get("status", {}).get("ready", 0) > 0
        return bool(started) or state.has(obj, "Complete") or state.has(obj, "Failed")
    if key.kind == "Service":
        return state.served(world, key) or not _has_ready_pods(world, key)
    if key.kind == "PersistentVolumeClaim":
        return True
    return state.fares(world, key) is not False


def _has_ready_pods(world: World, service: Key) -> bool:
    selector = (world[service]["spec"].get("selector") or {}).items()
    pods = (o for k, o in world.items() if k.kind == "Pod" and k.namespace == service.namespace)
    return bool(selector) and any(
        selector <= (p["metadata"].get("labels") or {}).items() and state.has(p, "Ready") for p in pods
    )


def _renewed(workload: Any) -> bool:
    status = workload["status"]
    return bool(status.get("updatedReplicas") or status.get("updatedNumberScheduled")) or not workload["spec"].get(
        "replicas", 1
    )


def _marks(node: Any) -> set[str]:
    # With what kubectl applied last still on it, the next apply would take away all labels of a real node.
    ours = ("lab.kubemend.dev/", "kubectl.kubernetes.io/last-applied-configuration")
    return {k for k in node["metadata"].get("annotations") or {} if k.startswith(ours)}


def ending(event: dict[str, Any]) -> str:
    """What an event says of where its incident has got to."""
    if event["what"] == "repair":
        return str(event["repair"]["state"])
    return str(event["what"])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _target(change: dict[str, Any]) -> tuple[str, str]:
    return change["target"]["namespace"], change["target"]["name"]


def casts_for(ground: str, seed: int, nodes: Sequence[str], only: Iterable[str] = ()) -> list[Cast]:
    """The scenarios that are meant for a kind of cluster, as one seed has them."""
    wanted = set(only)
    unknown = wanted - set(names())
    assert not unknown, f"there is no scenario {', '.join(sorted(unknown))}"
    found = [cast(n, seed, nodes=nodes) for n in names() if not wanted or n in wanted]
    return [c for c in found if ground in c.scenario.clusters]


def play_seed(
    ground: Ground,
    seed: int,
    folder: Path,
    *,
    only: Iterable[str] = (),
    at_once: int = 0,
    tell: Callable[[str], object] = str,
) -> tuple[list[Outcome], list[str]]:
    """All scenarios with one seed: those that change nodes one after another, then all others side by side.

    at_once: no more than so many side by side, for a machine that is busy with other things; 0 for all there is room
    for.
    tell: called with what came of each, as soon as that is known.
    """
    nodes = ground.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    casts = casts_for(ground.name, seed, nodes, only)
    kubeconfig = as_account(ground, "fixer", folder)
    batches = [[c] for c in casts if c.scenario.scope == "cluster"]
    together = [c for c in casts if c.scenario.scope != "cluster"]
    batches += _batches(together, at_once or len(together), _room(ground) * FILL)
    outcomes: list[Outcome] = []
    outside: list[str] = []
    for number, batch in enumerate(batches):
        place = folder / f"{ground.name}-{seed}-{number}"
        place.mkdir()
        play = Play(ground, batch, place, seed)
        ended, wrong = play.run(kubeconfig)
        outcomes += ended
        outside += wrong
        for line in (*(o.line() for o in ended), *(w for o in ended for w in o.wrong()), *wrong):
            tell(f"{line}\n")
        play.clean()
    return outcomes, outside


def _batches(casts: Sequence[Cast], most: int, room: float) -> Iterator[list[Cast]]:
    """So many that a batch has no more than `most`, and its pods no more than `room`."""
    batch: list[Cast] = []
    left = room
    for one in casts:
        pods = _pods(one)
        if batch and (len(batch) == most or pods > left):
            yield batch
            batch, left = [], room
        batch.append(one)
        left -= pods
    if batch:
        yield batch


def _pods(cast: Cast) -> int:
    """How many pods it and its noise have while all is well."""
    objects = [*cast.manifests("healthy"), *noise.beside(cast)]
    return sum(o.get("spec", {}).get("replicas", 1) for o in objects if o["kind"] in PEOPLED)


def _room(ground: Ground) -> int:
    """How many pods the nodes take."""
    told = ground.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.allocatable.pods}")
    return sum(map(int, told.split()))


if __name__ == "__main__":
    from scenarios_score import main

    with suppress(KeyboardInterrupt):
        raise SystemExit(main(sys.argv[1:]))
