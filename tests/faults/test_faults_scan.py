"""`scan` and the opening of `watch`, with every fault at every step: nothing unread is called healthy."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faults_kinds as faults
import pytest
from faults_matrix import FAULTS, LASTING
from faults_proxy import REVIEW, Match, Proxy
from faults_worlds import web

from kubemend.app import Rooms
from kubemend.cluster import reader
from kubemend.engine import catalogue
from kubemend.engine.detector import Detector, Happened
from kubemend.model.errors import KubemendError
from kubemend.model.objects import Ingress, Pod, Service
from kubemend.store.ledger import open_ledger
from kubemend.surfaces.cli import wiring
from kubemend.surfaces.cli.exits import Exit, status_of
from kubemend.surfaces.cli.options import Access, Place
from kubemend.surfaces.cli.scan import scan
from share import share

if TYPE_CHECKING:
    from kubemend.lab.cluster import PracticeCluster

Object = dict[str, Any]
STEPS = {
    "the namespace": Match("GET", r"/namespaces/shop$"),
    "a list": Match("GET", r"/pods$", watch=False),
    "its next page": Match("GET", r"/pods$", watch=False, query="continue"),
    "every list": Match("GET", r"/[a-z]+$", watch=False, query="limit"),
}
KINDS = {"a list": {"Pod"}, "its next page": {"Pod"}, "every list": {k.__name__ for k in catalogue.kinds()}}


@pytest.fixture
async def shop(practice: PracticeCluster) -> None:
    """Four Deployments, one of them broken, and an Ingress that leads nowhere."""
    objects = web("shop", "registry.lab/web:1.0-typo")
    for name in ("a", "b", "c"):
        good = web("shop", "registry.lab/web:1.0")[1]
        labels = {"app": name}
        good["metadata"]["name"] = name
        good["spec"] |= {"selector": {"matchLabels": labels}}
        good["spec"]["template"]["metadata"] = {"labels": labels}
        objects.append(good)
    backend = {"service": {"name": "none", "port": {"number": 80}}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nine"}, "spec": {"ports": [{"port": 80}]}}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "way"}}
    for extra in (service, ingress | {"spec": {"defaultBackend": backend}}):
        extra["metadata"]["namespace"] = "shop"  # type: ignore[index]
        objects.append(extra)
    for obj in objects:
        await practice.api.create(obj)
    await practice.until(lambda store: sum(map(_settled, store.all("Pod"))) == 4, 60)


def _settled(pod: Object) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return any(s.get("ready") or "BackOff" in s.get("state", {}).get("waiting", {}).get("reason", "") for s in statuses)


class Told:
    """One run of `scan -o json`: its exit status, and what it said."""

    def __init__(self, status: int, out: str, error: str) -> None:
        self.status, self.error, self.said = status, error, json.loads(out) if out else None

    @property
    def found(self) -> set[tuple[str, str]]:
        return {(f["code"], f["subject"]["name"]) for f in self.said["findings"]} if self.said else set()

    @property
    def unread(self) -> set[str]:
        return {u["kind"] for u in self.said["unread"]} if self.said else set()

    @property
    def not_judged(self) -> set[str]:
        return {n["code"] for n in self.said["not_judged"]} if self.said else set()

    def __str__(self) -> str:
        end = f"error {self.error}" if self.error else f"unread {len(self.unread)}" if self.unread else "all"
        return f"{end} ({self.status})"


async def scanned(proxy: Proxy, folder: Path, capsys: pytest.CaptureFixture[str], **more: Any) -> Told:
    """The command itself, in this loop."""
    wiring.wire(Rooms())
    place = Place(kubeconfig=str(proxy.kubeconfig(folder / "proxy.kubeconfig")), namespace="shop")
    capsys.readouterr()
    try:
        async with asyncio.timeout(60):
            status = await scan(output="json", place=place, **more)
    except KubemendError as error:
        return Told(status_of(error), "", error.code)
    return Told(status, capsys.readouterr().out, "")


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("shop")
async def test_a_scan_says_what_it_could_not_read_whatever_the_fault(
    proxy: Proxy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    monkeypatch.setattr(reader, "PAGE", 2)
    whole = await scanned(proxy, tmp_path, capsys)
    assert whole.found >= {("KM103", "web"), ("KM504", "way")}
    assert (whole.status, whole.unread, whole.not_judged) == (0, set(), set())
    ends: dict[str, list[str]] = defaultdict(list)
    wrong = []
    for step, name, times in share(cases(STEPS)):
        rule = proxy.on(STEPS[step], FAULTS[name], times=times)
        told = await scanned(proxy, tmp_path, capsys)
        proxy.forget([rule])
        ends[name].append(f"{step}: {told}")
        if not rule.struck or not honest(told, whole, KINDS.get(step, set())):
            wrong.append(f"{name}{'' if times else ' for ever'} at {step}: {told}, {told.found}")
    assert not wrong, "\n" + "\n".join(wrong)
    say("\n".join(["scan", *(f"{name:<13}{'; '.join(told)}" for name, told in ends.items())]))


def cases(steps: Iterable[str]) -> list[tuple[str, str, int | None]]:
    """Each step with each fault, once, and for ever where that is another thing."""
    return [(s, n, t) for s in steps for n in FAULTS for t in (1, None) if t or n in LASTING]


def honest(told: Told, whole: Told, struck: set[str]) -> bool:
    """All that there is was found; or it says what it could not read, and judges nothing by it; or it is an error."""
    if told.error:
        return told.status == Exit.CLUSTER
    if not told.unread:
        return told.found == whole.found and not told.not_judged
    blind = {r.code for r in catalogue.rules() if told.unread & {k.__name__ for k in r.reads}}
    kept = {f for f in whole.found if f[0] not in blind}
    return told.unread <= struck and told.not_judged >= blind and kept <= told.found <= whole.found


@pytest.mark.usefixtures("shop")
async def test_a_gate_does_not_open_on_what_could_not_be_read(
    proxy: Proxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await scanned(proxy, tmp_path, capsys, fail_on="critical")).status == Exit.OK
    proxy.on(STEPS["a list"], faults.says(403), times=None)
    assert (await scanned(proxy, tmp_path, capsys, fail_on="critical")).status == Exit.CLUSTER
    assert (await scanned(proxy, tmp_path, capsys, fail_on="error")).status == Exit.FOUND, "what was found comes first"
    assert (await scanned(proxy, tmp_path, capsys)).status == Exit.OK, "who sets no gate is only told"


OPENING = {
    "the cluster's name": Match("GET", r"/namespaces/kube-system$"),
    "the access review": Match("POST", REVIEW),
    "a first list": Match("GET", r"/ingresses$", watch=False),
    "a first watch": Match("GET", r"/ingresses$", watch=True),
    "every first list": Match("GET", r"/[a-z]+$", watch=False, query="limit"),
    "every first watch": Match("GET", r"/[a-z]+$", watch=True),
}


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("shop")
async def test_watch_opens_or_says_why_not_and_never_takes_unread_for_well(
    proxy: Proxy, tmp_path: Path, say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment, and for ever: then it must tell that the rule is not judged, or that it can't begin."""
    monkeypatch.setattr(catalogue, "kinds", lambda: (Ingress, Service, Pod))
    async with open_ledger(tmp_path / "new.db"):
        pass
    ends: dict[str, list[str]] = defaultdict(list)
    wrong, slots = [], asyncio.Semaphore(8)

    async def one(step: str, name: str, times: int | None) -> None:
        title = f"{name}{'' if times else ' for ever'} at {step}"
        async with slots, Proxy.to(proxy.connection) as own:
            rule = own.on(OPENING[step], FAULTS[name], times=times)
            said = await watched(own, tmp_path, title)
            ends[name].append(f"{step}{'' if times else ' for ever'}: {said}")
            if not rule.struck or said not in ("found", "not judged", "error 3"):
                wrong.append(f"{title}: {said}")
            if times and step.startswith("a first") and said != "found":
                wrong.append(f"{title}, once: {said}")

    await asyncio.gather(*(one(*case) for case in share(cases(OPENING))))
    assert not wrong, "\n" + "\n".join(wrong)
    say("\n".join(["the opening of watch", *(f"{name:<13}{'; '.join(told)}" for name, told in ends.items())]))


async def watched(proxy: Proxy, folder: Path, title: str) -> str:
    """What `watch` says of the Ingress first: found, not judged, or an error with its exit status."""
    store = folder / f"{title}.db"
    store.write_bytes((folder / "new.db").read_bytes())
    access = Access(kubeconfig=str(proxy.kubeconfig(folder / f"{title}.kubeconfig")), store=store)
    said: list[str] = []
    stop = asyncio.Event()

    def tell(event: Happened) -> None:
        # What a moment's fault leaves unread is told first, and then found.
        if "KM504" in event.text:
            said.append("not judged" if event.what == "unread" else "found")
        if "found" in said:
            stop.set()

    async def watch() -> None:
        async with Rooms().bench(access, scope=None, tell=lambda _repair, _text: None) as bench:
            await Detector(bench.mender, tell=tell, repair=False).run(stop)

    running = asyncio.create_task(watch())
    await asyncio.wait({running}, timeout=15)
    stop.set()
    try:
        await running
    except KubemendError as error:
        return f"error {status_of(error)}"
    return said[-1] if said else "nothing"
