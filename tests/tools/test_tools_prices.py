"""What a person pays is what costs are reckoned with; and a price book with a mistake is refused, with its place."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tools_ground import Ground, deployment, ground

from kubemend.app import Rooms
from kubemend.cluster.connection import connect
from kubemend.cluster.kubeconfig import given
from kubemend.cluster.reader import Reader
from kubemend.kube.quantity import parse
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Node
from kubemend.surfaces.cli.options import Access, ToolAccess
from kubemend.tools import sizing
from kubemend.tools.pricebook import USUAL, NodePrices, PriceBook, Prices
from kubemend.tools.pricefile import configured, read

MI = 2**20
EUROS = """
currency: EUR
cpu_core_hour: 0.04
memory_gb_hour: 0.005
gpu_hour: 1
storage_gb_month: 0.1
nodes:
  - labels: {lifecycle: spot, zone: a}
    cpu_core_hour: 0.01
  - labels:
      lifecycle: spot
    cpu_core_hour: 0.02
    memory_gb_hour: 0.003
"""


def book(folder: Path, text: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(text)
    return path


def test_a_book_holds_what_its_file_says_and_opencosts_prices_for_the_rest(tmp_path: Path) -> None:
    assert read(book(tmp_path, "cpu_core_hour: 0.02\n")) == PriceBook(Prices(cpu_core_hour=0.02), given=True)
    assert read(book(tmp_path, EUROS)) == PriceBook(
        Prices(0.04, 0.005, 1.0, 0.1),
        (
            NodePrices({"lifecycle": "spot", "zone": "a"}, cpu_core_hour=0.01),
            NodePrices({"lifecycle": "spot"}, cpu_core_hour=0.02, memory_gb_hour=0.003),
        ),
        "EUR",
        given=True,
    )
    assert configured(None, {"XDG_CONFIG_HOME": str(tmp_path)}) == USUAL == PriceBook()
    assert Prices() == Prices(0.031611, 0.004237, 0.95, 0.04)


def test_the_example_of_the_reference_is_a_good_book(tmp_path: Path) -> None:
    doors = Path(__file__).parents[2] / "docs" / "doors.md"
    shown = next(b for b in doors.read_text().split("```yaml\n")[1:] if b.startswith("currency:"))
    held = read(book(tmp_path, shown.partition("```")[0]))
    assert (held.currency, len(held.nodes), held.nodes[1].gpu_hour) == ("EUR", 2, 0.71)


def test_the_first_rule_that_a_nodes_labels_meet_counts_for_it_with_what_it_says(tmp_path: Path) -> None:
    held = read(book(tmp_path, EUROS))

    def at(labels: dict[str, str]) -> Prices:
        return held.at(held.rule(labels))

    assert at({"lifecycle": "spot", "zone": "a", "more": "x"}) == Prices(0.01, 0.005, 1.0, 0.1)
    assert at({"lifecycle": "spot", "zone": "b"}) == Prices(0.02, 0.003, 1.0, 0.1)
    assert at({"zone": "a"}) == Prices(0.04, 0.005, 1.0, 0.1)
    what_if = held.instead(cpu_core_hour=0.5)
    assert what_if.at(what_if.rule({"lifecycle": "spot"})) == Prices(0.5, 0.003, 1.0, 0.1)


def test_a_file_is_named_by_option_by_environment_or_by_its_usual_place(tmp_path: Path) -> None:
    first, second = book(tmp_path, "gpu_hour: 1"), tmp_path / "second.yaml"
    second.write_text("gpu_hour: 2")
    usual = tmp_path / "kubemend" / "prices.yaml"
    usual.parent.mkdir()
    usual.write_text("gpu_hour: 3")
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    told = (
        configured(first, {**home, "KUBEMEND_PRICES": str(second)}),
        configured(None, {**home, "KUBEMEND_PRICES": str(second)}),
        configured(None, home),
    )
    assert [b.prices.gpu_hour for b in told] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("- 1\n", "line 1: it must be a mapping"),
        ("cpu_core_hour: [\n", "line 2: it is not YAML"),
        ("cpu_core_hour: !!python/object:os.system {}\n", "line 1: it is not YAML"),
        ("currency: USD\ncpu_core_hours: 1\n", "line 2: cpu_core_hours: is no key; did you mean cpu_core_hour?"),
        ("storage_gb_month: '0.1'\n", "line 1: storage_gb_month: '0.1' is no number"),
        ("gpu_hour: 1e-3\n", "gpu_hour: '1e-3' is no number"),  # YAML 1.1 reads it as text
        ("gpu_hour: yes\n", "gpu_hour: True is no number"),
        ("gpu_hour: -1\n", "gpu_hour: -1 is no price"),
        ("gpu_hour: .inf\n", "gpu_hour: inf is no price"),
        ("gpu_hour: .nan\n", "gpu_hour: nan is no price"),
        ("gpu_hour: 1\n\ngpu_hour: 2\n", "line 3: gpu_hour: stands there twice"),
        ("currency: euro\n", "line 1: currency: must be three capitals"),
        ("currency: EUR\ncpu_core_hour: 1\n", "add gpu_hour, memory_gb_hour, storage_gb_month"),
        ("nodes: {a: 1}\n", "line 1: nodes: must be a list"),
        ("nodes:\n  - 5\n", "line 2: nodes[0]: must be a mapping"),
        ("nodes:\n  - labels: {a: b}\n", "line 2: nodes[0]: sets no price"),
        ("nodes:\n  - gpu_hour: 1\n", "line 2: nodes[0].labels: must be a mapping"),
        ("nodes:\n  - {labels: {}, gpu_hour: 1}\n", "nodes[0].labels: must be a mapping of at least one"),
        ("nodes:\n  - gpu_hour: 1\n    labels:\n      spot: true\n", "line 4: nodes[0].labels.spot: True is no text"),
        ("nodes:\n  - labels: {a: b}\n    storage_gb_month: 1\n", "line 3: nodes[0].storage_gb_month: is no key"),
        ("nodes:\n  - labels: {a: b}\n    gpu_hour: x\n    gpu_hour: 1\n", "line 4: nodes[0].gpu_hour: stands there"),
    ],
)
def test_a_mistake_refuses_the_file_and_is_told_with_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = book(tmp_path, text)
    with pytest.raises(InvalidInput) as refused:
        read(path)
    assert said in refused.value.message
    assert (refused.value.code, refused.value.where) == ("prices-file-invalid", str(path))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(book(tmp_path, "cpu: 1\ngpu_hour: -1\nnodes:\n- labels: {a: b}\n"))
    assert [m.split(":")[0] for m in refused.value.message.split("; ")] == [
        "the price book can't be used", "line 2", "line 4"
    ]  # fmt: skip


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "prices.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput) as refused:
        read(path)
    assert refused.value.code == "path-unreadable"


APART = """
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
"""
ASKS = "resources: {requests: {cpu: '1', memory: 1Gi}}"
CLAIM = """
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 10Gi}}}
"""


async def spot(here: Ground, node: str) -> None:
    body = {"metadata": {"labels": {"lifecycle": "spot"}}}
    kind = "application/merge-patch+json"
    await here.gateway._reader._transport.send("PATCH", f"/api/v1/nodes/{node}", body, content_type=kind)


async def test_costs_and_savings_are_those_of_the_book_by_hand_each_pod_at_its_nodes_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "POINTS", 4)  # what is advised is held elsewhere; here it is priced
    held = read(book(tmp_path, EUROS))
    async with ground(tmp_path, nodes=2) as here:
        here.gateway._prices = held
        await spot(here, "lab-1")
        await here.create(deployment("web", container=ASKS, pod=APART.strip()))
        memory = here.gateway._memory
        assert memory is not None
        for half_day in range(4, 0, -1):
            looks = [(0.4, 350.0 * MI, 1.0)] * 2
            await memory.learn({("shop", "Deployment", "web", "web"): looks}, at=time.time() - 43200 * half_day)
        await here.settled()
        assert {p.spec.node_name for p in await here.pods("web")} == {"lab-1", "lab-2"}
        whole = await here.data("calculate_cost_savings")
        shop = await here.data("calculate_cost_savings", namespace="shop")
        what_if = await here.data("calculate_cost_savings", namespace="shop", cpu_core_hour=0)
        nodes = await here.list(Node, None)  # type: ignore[arg-type]
    # A core and a GiB each: on the spot node 0.02 + 0.003, on the other 0.04 + 0.005; 730 hours.
    assert shop["monthly_cost"] == round((0.02 + 0.003 + 0.04 + 0.005) * 730, 2) == 49.64
    # As VPA reckons it (test_tools_sizing.py): from 1 core to 477m and from 1 GiB to 423 Mi.
    saved = (1 - 0.477) * (0.02 + 0.04) + (1 - 423 / 1024) * (0.003 + 0.005)
    assert [s["monthly_saving"] for s in shop["savings"]] == [round(saved * 730, 2)] == [26.33]
    assert what_if["monthly_cost"] == round((0.003 + 0.005) * 730, 2)
    assert what_if["prices_from"] == "the call, and the price book"
    assert what_if["node_prices"] == [{"labels": {"lifecycle": "spot"}, "memory_gb_hour": 0.003}]
    assert (shop["currency"], shop["prices_from"]) == ("EUR", "the price book")
    assert shop["node_prices"] == [{"labels": {"lifecycle": "spot"}, "cpu_core_hour": 0.02, "memory_gb_hour": 0.003}]
    assert (shop["node_cost"], shop["idle_cost"]) == (None, None)
    each = {"lab-1": (0.02, 0.003), "lab-2": (0.04, 0.005)}
    hourly = sum(
        float(parse(n.status.capacity["cpu"])) * each[n.name][0]
        + float(parse(n.status.capacity["memory"])) / 2**30 * each[n.name][1]
        for n in nodes
    )
    assert whole["node_cost"] == pytest.approx(hourly * 730, abs=0.01)


async def test_idle_things_are_priced_by_the_book(tmp_path: Path) -> None:
    async with ground(tmp_path, CLAIM, nodes=2) as here:
        here.gateway._prices = read(book(tmp_path, EUROS))
        await spot(here, "lab-1")

        async def bound() -> bool:
            told = await here.data("identify_idle_resources", namespace="shop")
            return bool(told["unmounted_claims"] and told["unmounted_claims"][0]["monthly_cost"])

        await here.until(bound)
        idle = await here.data("identify_idle_resources")
        usual = here.gateway._prices = USUAL
        before = await here.data("identify_idle_resources")
    (claim,) = idle["unmounted_claims"]
    assert (idle["currency"], claim["monthly_cost"]) == ("EUR", 1.0)  # 10 GiB at 0.1
    assert (before["currency"], before["unmounted_claims"][0]["monthly_cost"]) == (usual.currency, 0.4)
    cheap, dear = (n["monthly_cost"] for n in sorted(idle["empty_nodes"], key=lambda n: n["name"]))
    assert cheap < dear


READER = """
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules:
  - apiGroups: ["", apps, autoscaling, metrics.k8s.io]
    resources: [pods, deployments, statefulsets, daemonsets, replicasets, horizontalpodautoscalers,
      persistentvolumeclaims]
    verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default, namespace: shop}]
"""


async def test_a_book_by_node_says_so_where_nodes_may_not_be_read(tmp_path: Path) -> None:
    async with ground(tmp_path, deployment("web", replicas=1, container=ASKS) + READER) as here:
        await here.settled()
        config = json.loads(here.lab.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": here.lab._cluster.server.token_for("shop", "default")}
        async with connect(kubeconfig=given(json.dumps(config))).open() as transport:
            here.gateway._reader = Reader(transport)
            usual = await here.ask("calculate_cost_savings", namespace="shop")
            here.gateway._prices = read(book(tmp_path, EUROS))
            priced = await here.ask("calculate_cost_savings", namespace="shop")
    assert usual.ok
    assert priced.ok
    assert {"nodes", "prices by node"} <= {g.what for g in priced.incomplete}
    assert not any("node" in g.what for g in usual.incomplete)  # they were not asked for
    assert priced.data["monthly_cost"] == round((0.04 + 0.005) * 730, 2)


async def test_the_command_line_takes_a_price_book_and_refuses_a_wrong_one_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = Rooms()
    good = book(tmp_path, EUROS)
    async with rooms.practice(nodes=1, pace=0.02) as lab:
        place = {"kubeconfig": str(lab.kubeconfig), "store": tmp_path / "ledger.db"}
        async with rooms.gateway(ToolAccess(**place, prices=good)) as gateway:  # type: ignore[arg-type]
            by_option = await gateway.call("calculate_cost_savings", {}, actor="test")
        monkeypatch.setenv("KUBEMEND_PRICES", str(good))
        async with rooms.gateway(Access(**place)) as gateway:  # type: ignore[arg-type]
            by_environment = await gateway.call("calculate_cost_savings", {}, actor="test")
        monkeypatch.setenv("KUBEMEND_PRICES", str(tmp_path / "gone.yaml"))
        with pytest.raises(InvalidInput, match="can't be read"):
            async with rooms.gateway(Access(**place)):  # type: ignore[arg-type]
                pass
    for answer in (by_option, by_environment):
        assert answer.ok
        assert (answer.data["currency"], answer.data["prices"]["cpu_core_hour"]) == ("EUR", 0.04)
