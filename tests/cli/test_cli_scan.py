"""`scan` of a snapshot: the same rules, the same output, without a cluster."""

import json
from pathlib import Path

import pytest
import yaml

OOM = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, namespace: %(namespace)s, uid: "%(name)s-%(namespace)s"}
spec:
  nodeName: n1
  containers: [{name: app, image: "registry.lab/web:1.0", resources: {limits: {memory: 100Mi}}}]
status:
  phase: Running
  containerStatuses:
  - name: app
    restartCount: 3
    ready: false
    image: registry.lab/web:1.0
    state: {waiting: {reason: CrashLoopBackOff, message: back-off}}
    lastState: {terminated: {reason: OOMKilled, exitCode: 137, finishedAt: "2026-01-01T11:59:00Z"}}
"""


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A directory of manifests with one killed pod in each of two namespaces."""
    folder = tmp_path / "dump"
    folder.mkdir()
    for namespace in ("shop", "blog"):
        (folder / f"{namespace}.yaml").write_text(OOM % {"name": "web", "namespace": namespace})
    return folder


def codes(found):
    return sorted((f["code"], f["subject"]["namespace"]) for f in found["findings"])


def test_findings_and_what_could_not_be_judged_are_both_told(cli, snapshot):
    ran = cli("scan", "--snapshot", snapshot, "-o", "json")
    assert ran.status == 0
    assert codes(ran.json) == [("KM101", "blog"), ("KM101", "shop")]
    assert ran.json["source"] == str(snapshot)
    assert ran.json["not_judged"]
    assert ran.err == ""


def test_the_table_says_the_same(cli, snapshot):
    ran = cli("scan", "--snapshot", snapshot)
    assert "KM101  Pod shop/web" in ran.out
    assert "NOT JUDGED" in ran.out
    assert "2 error" in ran.out.splitlines()[-1]


def test_a_namespace_can_be_chosen_or_left_out(cli, snapshot):
    only = cli("scan", "--snapshot", snapshot, "-n", "shop", "-o", "json").json
    rest = cli("scan", "--snapshot", snapshot, "--exclude-namespace", "shop", "-o", "json").json
    both = cli("scan", "--snapshot", snapshot, "-n", "shop", "-A", "-o", "json").json
    assert codes(only) == [("KM101", "shop")]
    assert codes(rest) == [("KM101", "blog")]
    assert len(codes(both)) == 2


@pytest.mark.parametrize(("severity", "status"), [("info", 1), ("warning", 1), ("error", 1), ("critical", 0)])
def test_the_exit_status_tells_whether_something_is_bad_enough(cli, snapshot, severity, status):
    assert cli("scan", "--snapshot", snapshot, "--fail-on", severity).status == status


def test_what_a_baseline_knows_is_no_news(cli, snapshot, tmp_path):
    before = tmp_path / "before.json"
    before.write_text(cli("scan", "--snapshot", snapshot, "-n", "shop", "-o", "json").out)
    ran = cli("scan", "--snapshot", snapshot, "--baseline", before, "-o", "json")
    assert codes(ran.json) == [("KM101", "blog")]
    assert ran.json["summary"]["known"] == 1


@pytest.mark.parametrize("text", ["not json", "[]", '{"findings": 1}', '{"findings": [{}]}'])
def test_a_file_that_is_no_baseline_is_refused(cli, snapshot, tmp_path, text):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    ran = cli("scan", "--snapshot", snapshot, "--baseline", path)
    assert (ran.status, ran.out) == (2, "")
    assert "error[not-a-baseline]" in ran.err


def test_yaml_and_json_say_the_same(cli, snapshot):
    assert (
        yaml.safe_load(cli("scan", "--snapshot", snapshot, "-o", "yaml").out)["findings"]
        == json.loads(cli("scan", "--snapshot", snapshot, "-o", "json").out)["findings"]
    )


@pytest.mark.parametrize(
    ("shape", "start"),
    [("junit", "<?xml"), ("sarif", "{"), ("html", "<!doctype html>"), ("prometheus", "# HELP kubemend_finding")],
)
def test_every_file_format_comes_out_on_stdout(cli, snapshot, shape, start):
    ran = cli("scan", "--snapshot", snapshot, "-o", shape)
    assert ran.status == 0
    assert ran.out.startswith(start)
    assert "KM101" in ran.out


def test_a_snapshot_shows_what_it_holds(cli, snapshot):
    ran = cli("snapshot", "show", snapshot, "-o", "json")
    assert ran.json["objects"]["Pod"] == 2
    assert "2  Pod" in cli("snapshot", "show", snapshot).out
