"""Where there can be no real node, it is said why: a person's run skips, CI fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from node_machine import unable
from testbed.node import cgroups, needs
from testbed.node.node import NodeError, RealNode


def test_without_the_programs_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = needs.missing()
    assert said.startswith("not installed: containerd, runc, docker-registry, ip, ")
    assert "apt-get install --no-install-recommends busybox-static conntrack containerd " in said


def test_a_node_is_refused_with_that_reason_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeError, match="not installed: containerd"), RealNode(tmp_path):
        pass


def test_a_user_who_may_not_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert needs.missing() == "a real node needs root"


def test_a_machine_without_a_controller_is_told_so(node_programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "controllers", lambda: frozenset({"cpu", "pids"}))
    assert needs.missing() == "no cgroup controllers memory"


def test_a_person_s_run_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no containerd"):
        unable("no containerd")


def test_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no containerd"):
        unable("no containerd")
