"""`kubemend lab break`: scenarios for a person, on clusters that are there for it and on no other."""

from __future__ import annotations

import pytest
from cli_cluster import Cluster, practice

from kubemend.lab.hand import MARK
from kubemend.lab.scenarios import names
from kubemend.model.ref import Ref

SYSTEM = Ref("Namespace", "", "kube-system")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with practice(tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_without_a_name_it_lists_every_scenario_and_asks_no_cluster(cli):
    ran = cli("lab", "break", "-o", "json")
    assert ran.status == 0
    assert [s["name"] for s in ran.json] == names()


def test_a_name_that_is_none_is_refused(cli):
    ran = cli("lab", "break", "no-such-thing", "-o", "json")
    assert ran.status == 2
    assert "scenario-unknown" in ran.err


def test_it_makes_a_fault_that_a_scan_then_finds(cli, cluster: Cluster):
    ran = cli("lab", "break", "service-selector-misspelt", "--kubeconfig", cluster.kubeconfig, "-o", "json")
    assert ran.status == 0, ran.err
    found = cli("scan", "-n", ran.json["namespace"], "--kubeconfig", cluster.kubeconfig, "-o", "json").json["findings"]
    assert [f["code"] for f in found] == ["KM501"]


def test_a_past_is_over_when_it_is_done(cli, cluster: Cluster):
    at = ("--kubeconfig", cluster.kubeconfig)
    ran = cli("lab", "break", "control-recovered-rollout", "--seed", 2, "-n", "mine", *at)
    assert ran.status == 0, ran.err
    assert cli("scan", "-n", "mine", *at, "-o", "json").json["findings"] == []


def test_a_cluster_that_is_not_marked_is_left_alone(cli, cluster: Cluster):
    cluster.edit(SYSTEM, {"metadata": {"labels": {MARK: None}}})
    at = ("--kubeconfig", cluster.kubeconfig, "-n", "unmarked")
    refused = cli("lab", "break", "service-selector-misspelt", *at, "-o", "json")
    assert refused.status == 5
    assert "cluster-not-for-practice" in refused.err
    assert cluster.gone(Ref("Namespace", "", "unmarked"))
    forced = cli("lab", "break", "service-selector-misspelt", *at, "--yes-break-this-cluster")
    cluster.edit(SYSTEM, {"metadata": {"labels": {MARK: "true"}}})
    assert forced.status == 0, forced.err
    assert not cluster.gone(Ref("Namespace", "", "unmarked"))
