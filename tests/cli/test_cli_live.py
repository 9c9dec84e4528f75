"""The commands that talk to a cluster, against the practice cluster over HTTP: read-only, asked, approved, undone."""

import asyncio
import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_cluster import Cluster, practice

from kubemend.kube.diff import changed
from kubemend.model.ref import Ref
from kubemend.store.ledger import open_ledger

HUNGRY = """
apiVersion: v1
kind: Namespace
metadata: {name: %(ns)s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hungry, namespace: %(ns)s}
spec:
  replicas: 1
  selector: {matchLabels: {app: hungry}}
  template:
    metadata: {labels: {app: hungry}}
    spec:
      containers:
      - name: app
        image: polinux/stress
        resources: {limits: {memory: 100Mi}}
        command: [stress]
        args: ["--vm", "1", "--vm-bytes", "%(bytes)s"]
"""
LIMIT = "/spec/template/spec/containers/0/resources/limits/memory"
MARK = "/metadata/annotations/kubemend.dev~1repair"
names = (f"t{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with practice(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def hungry(cluster: Cluster) -> Ref:
    """A Deployment that was killed for memory, in a namespace of its own; twice the limit is enough for it."""
    ns = next(names)
    cluster.create(HUNGRY % {"ns": ns, "bytes": "120M"})
    return Ref("Deployment", ns, "hungry", "apps")


@pytest.fixture
def k(cli, cluster: Cluster):
    """The command line, on the practice cluster."""

    def call(*arguments: object, **more: object):
        return cli(*arguments, "--kubeconfig", cluster.kubeconfig, **more)

    return call


def seen(k, ref: Ref) -> dict:
    """Scan until the fault on an object is there; it takes a moment to be killed."""
    for _ in range(100):
        scan = k("scan", "-n", ref.namespace, "-o", "json").json
        found = [f for f in scan["findings"] if f["code"] == "KM101" and f["subject"]["name"] == ref.name]
        if found:
            return found[0]
    raise AssertionError(f"no fault on {ref}: {scan}")


def limit(cluster: Cluster, ref: Ref) -> str:
    spec = cluster.get(ref)["spec"]["template"]["spec"]
    return spec["containers"][0]["resources"]["limits"]["memory"]


def test_in_the_default_mode_the_plan_is_shown_and_nothing_is_written(k, cli, cluster, hungry):
    seen(k, hungry)
    before = cluster.get(hungry)
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace)
    assert ran.status == 5
    assert "memory: 300Mi" in ran.out
    assert "kubemend approvals approve" in ran.err
    assert "--allow-changes" in ran.err
    assert changed(before, cluster.get(hungry)) == []
    assert len(cli("approvals", "list", "-o", "json").json) == 1


def test_a_dry_run_checks_everything_and_changes_nothing(k, cluster, hungry):
    seen(k, hungry)
    before = cluster.get(hungry)
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace, "--dry-run", "-o", "json")
    assert (ran.status, ran.json["passed"]) == (0, True)
    assert "✓ server dry run of patch Deployment" in ran.err
    assert changed(before, cluster.get(hungry)) == []


def test_a_plan_can_be_had_as_a_patch_file(k, hungry):
    seen(k, hungry)
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace, "-o", "patch")
    assert ran.status == 0
    patch = yaml.safe_load(ran.out)
    assert (patch["kind"], patch["metadata"]) == ("Deployment", {"name": "hungry", "namespace": hungry.namespace})
    assert patch["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "300Mi"


def test_a_person_says_yes_the_repair_is_proven_and_undone_again(k, cli, cluster, hungry):
    seen(k, hungry)
    before = cluster.get(hungry)
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", stdin="1\n")
    assert (ran.status, limit(cluster, hungry)) == (0, "300Mi"), ran.err
    assert "succeeded" in ran.out
    done = cli("repairs", "-o", "json").json[0]
    assert (done["state"], done["plan"]["strategy"]) == ("succeeded", "raise-memory-limit")
    refused = k("undo", done["id"])
    assert (refused.status, limit(cluster, hungry)) == (5, "300Mi")
    assert f"kubemend undo {done['id']} --allow-changes" in refused.err
    undone = k("undo", done["id"], "--allow-changes")
    assert (undone.status, limit(cluster, hungry)) == (0, "100Mi"), undone.err
    differs = [p for p, _, _ in changed(before, cluster.get(hungry))]
    assert set(differs) <= {"/metadata/annotations/deployment.kubernetes.io~1revision"}
    assert "undone as asked" in cli("repairs", done["id"]).out


def test_a_person_says_no_and_nothing_happens(k, cli, cluster, hungry):
    seen(k, hungry)
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", stdin="2\n")
    assert (ran.status, limit(cluster, hungry)) == (5, "100Mi")
    assert "rejected" in ran.out
    again = k("fix", "deploy/hungry", "-n", hungry.namespace)
    assert "PLAN" in again.out, "a person may have it planned again"


def test_no_answer_leaves_the_plan_waiting_and_it_can_be_approved_later(k, cli, cluster, hungry):
    seen(k, hungry)
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", stdin="")
    assert (ran.status, limit(cluster, hungry)) == (5, "100Mi")
    (waiting,) = cli("approvals", "list", "-o", "json").json
    refused = k("approvals", "approve", waiting["id"])
    assert (refused.status, limit(cluster, hungry)) == (5, "100Mi")
    approved = k("approvals", "approve", waiting["id"], "--allow-changes", "-o", "json")
    assert (approved.status, approved.json["state"]) == (0, "succeeded"), approved.err
    assert limit(cluster, hungry) == "300Mi"
    kinds = [r["kind"] for r in cli("audit", "--repair", waiting["id"], "-o", "json").json]
    assert kinds.index("approval") < kinds.index("intent") < kinds.index("outcome")


def test_an_approval_comes_too_late_when_the_fault_is_gone(k, cli, cluster, hungry):
    seen(k, hungry)
    waiting = k("fix", "deploy/hungry", "-n", hungry.namespace, "-o", "json").json
    body = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "1Gi"}}}]}}}
    }
    cluster.edit(hungry, body)
    cluster.until(hungry, lambda d: d["status"].get("availableReplicas") == 1 and d["status"].get("replicas") == 1)
    ran = k("approvals", "approve", waiting["id"], "--allow-changes")
    assert (ran.status, limit(cluster, hungry)) == (5, "1Gi")
    assert "plan-stale" in ran.out


def test_the_kill_switch_stops_an_approved_repair(k, cli, cluster, hungry):
    seen(k, hungry)
    cli("pause", "no deploys today")
    ran = k("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", "--yes")
    assert (ran.status, limit(cluster, hungry)) == (5, "100Mi")
    assert ran.err.splitlines()[-2].startswith("error[paused]: repairs are paused by ")


def test_a_healthy_object_needs_no_repair(k, cluster):
    ns = next(names)
    cluster.create(HUNGRY % {"ns": ns, "bytes": "20M"})
    cluster.until(Ref("Deployment", ns, "hungry", "apps"), lambda d: d["status"].get("availableReplicas") == 1)
    ran = k("fix", "deploy/hungry", "-n", ns)
    assert (ran.status, ran.out) == (0, "")
    assert "no fault found" in ran.err


def test_an_object_that_is_not_there_is_an_error(k, hungry):
    ran = k("fix", "deploy/hungri", "-n", hungry.namespace)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error[object-unknown]")
    assert "did you mean hungry?" in ran.err


def test_a_repair_of_another_cluster_is_not_touched(k, cli, cluster, hungry, tmp_path):
    seen(k, hungry)
    waiting = k("fix", "deploy/hungry", "-n", hungry.namespace, "-o", "json").json
    with practice(tmp_path) as other:
        ran = cli("approvals", "approve", waiting["id"], "--allow-changes", "--kubeconfig", other.kubeconfig)
    assert ran.status == 2
    assert "error[other-cluster]" in ran.err


def test_a_snapshot_of_the_cluster_gives_the_same_findings_as_the_cluster(k, cli, cluster, hungry, tmp_path):
    live = seen(k, hungry)
    path = tmp_path / "kept.tar.gz"
    assert k("snapshot", "save", path).status == 0
    kept = cli("scan", "--snapshot", path, "-n", hungry.namespace, "-o", "json").json["findings"]
    assert [(f["code"], f["fingerprint"]) for f in kept] == [(live["code"], live["fingerprint"])]


def test_a_snapshot_that_can_not_be_written_is_an_error(k, tmp_path):
    (tmp_path / "file").write_text("")
    ran = k("snapshot", "save", tmp_path / "file" / "x.zip")
    assert ran.status == 2
    assert ran.err.startswith("error[path-unwritable]")


def test_a_doctor_finds_everything_in_order(k):
    ran = k("doctor", "-o", "json")
    grades = {c["name"]: c["grade"] for c in ran.json}
    assert grades.pop("clock") in ("ok", "unknown")
    assert set(grades.values()) == {"ok"}, ran.out
    assert ran.status == 0


@pytest.mark.parametrize(
    "command", [("scan",), ("fix", "deploy/web"), ("watch",), ("snapshot", "save", "x.zip")], ids=" ".join
)
def test_who_may_read_nothing_is_told_so_and_not_that_all_is_well(cli, cluster, tmp_path, command):
    nobody = cluster.kubeconfig_as("nobody", tmp_path / "nobody.yaml")
    ran = cli(*command, "--kubeconfig", nobody)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("error[nothing-readable]")
    assert "forbidden" in ran.err
    assert not Path("x.zip").exists()


VIEWER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: viewer-ann}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kubemend-viewer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
"""


def test_with_the_viewers_role_faults_are_found_and_every_write_is_refused(cli, cluster, hungry, tmp_path, k):
    seen(k, hungry)
    cluster.create(cli("rbac", "viewer").out + "---" + VIEWER)
    ann = cluster.kubeconfig_as("ann", tmp_path / "ann.yaml")
    scan = cli("scan", "-n", hungry.namespace, "-o", "json", "--kubeconfig", ann).json
    assert [f["code"] for f in scan["findings"]] == ["KM101"]
    assert scan["not_judged"] == []
    ran = cli("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", "--yes", "--kubeconfig", ann)
    assert (ran.status, limit(cluster, hungry)) == (5, "100Mi")
    assert "refused  permission patch deployments" in ran.out
    assert "kubemend rbac fixer" in ran.out
    grades = {c["name"]: c["grade"] for c in cli("doctor", "-o", "json", "--kubeconfig", ann).json}
    assert (grades["as viewer"], grades["as fixer"]) == ("ok", "note")


def test_who_may_see_one_namespace_can_have_a_fault_in_it_repaired(cli, cluster, hungry, tmp_path, k):
    seen(k, hungry)
    account = f"system:serviceaccount:{hungry.namespace}:kubemend-fixer"
    cluster.create(cli("rbac", "fixer", "-n", hungry.namespace).out)
    fixer = cluster.kubeconfig_as(account, tmp_path / "fixer.yaml")
    ran = cli("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", "--yes", "--kubeconfig", fixer)
    assert (ran.status, limit(cluster, hungry)) == (0, "300Mi"), ran.err


def start(cluster: Cluster, store: Path, *arguments: str) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "kubemend",
        *arguments,
        "--kubeconfig",
        str(cluster.kubeconfig),
        "--store",
        str(store),
    ]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def read_until(process: subprocess.Popen, word: str) -> None:
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"never said {word!r}")


def last_state(store: Path) -> str:
    async def look() -> str:
        async with open_ledger(store) as ledger:
            return str((await ledger.repairs.list())[0].state)

    return asyncio.run(look())


def watched(cluster: Cluster, store: Path, ref: Ref, last: str, *arguments: str) -> list[str]:
    """What `watch` prints up to a line with the last word; then it is asked to end, and must do so in peace."""
    lines = []
    with start(cluster, store, "watch", "-n", ref.namespace, *arguments) as process:
        for line in process.stdout:
            lines.append(line)
            if last in line:
                break
        process.terminate()
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 0
    return lines


def test_watch_repairs_by_itself_and_tells_in_json_lines(k, cluster, hungry, tmp_path):
    seen(k, hungry)
    lines = watched(cluster, tmp_path / "own.db", hungry, '"succeeded"', "--auto-fix", "-o", "json")
    events = [json.loads(line) for line in lines]
    assert [e["what"] for e in events] == ["opened", "planned", "repair"]
    assert {e["incident"]["namespace"] for e in events} == {hungry.namespace}
    assert events[2]["repair"]["plan"]["target"]["name"] == "hungry"
    assert limit(cluster, hungry) == "300Mi"


def test_watch_in_the_default_mode_only_tells(k, cluster, hungry, tmp_path):
    seen(k, hungry)
    *_, last = watched(cluster, tmp_path / "own.db", hungry, "escalated")
    assert "read-only mode: nothing is written; kubemend approvals approve" in last
    assert limit(cluster, hungry) == "100Mi"


def test_watch_ends_when_its_time_is_over(k, hungry):
    assert k("watch", "-n", hungry.namespace, "--analyze-only", "--for", "0.1").status == 0


def test_ctrl_c_at_the_question_leaves_the_plan_waiting(k, cluster, hungry, tmp_path):
    seen(k, hungry)
    store = tmp_path / "own.db"
    process = start(cluster, store, "fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes")
    read_until(process, "1 yes   2 no")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "error[interrupted]" in err
    assert "kubemend approvals approve" in err
    assert "Traceback" not in err
    assert (last_state(store), limit(cluster, hungry)) == ("awaiting_approval", "100Mi")


def test_ctrl_c_while_verifying_lets_the_repair_come_to_its_end(k, cluster, hungry, tmp_path):
    seen(k, hungry)
    store = tmp_path / "own.db"
    process = start(cluster, store, "fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", "--yes")
    read_until(process, "verifying for up to")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Ctrl-C again to leave at once" in err
    assert (last_state(store), limit(cluster, hungry)) == ("succeeded", "300Mi")


def test_a_second_ctrl_c_leaves_at_once_and_the_next_start_finishes(k, cluster, hungry, tmp_path):
    seen(k, hungry)
    store = tmp_path / "own.db"
    process = start(cluster, store, "fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", "--yes")
    read_until(process, "verifying for up to")
    process.send_signal(signal.SIGINT)
    read_until(process, "Ctrl-C again to leave at once")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert last_state(store) == "verifying"
    k("fix", "deploy/hungry", "-n", hungry.namespace, "--allow-changes", "--store", store)
    assert (last_state(store), limit(cluster, hungry)) == ("succeeded", "300Mi")


def test_a_reader_that_goes_away_is_no_crash():
    command = [sys.executable, "-m", "kubemend", "rbac", "fixer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_namespace_that_is_not_there_is_not_called_healthy(k):
    ran = k("scan", "-n", "nowhere")
    assert (ran.status, ran.out) == (2, "")
    assert "error[namespace-unknown]: there is no namespace 'nowhere'" in ran.err
