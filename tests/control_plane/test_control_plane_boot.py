"""The test bed itself: a control plane comes up, keeps the promises of its command line, and goes without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from testbed.build import SOURCES
from testbed.plane import ControlPlane, PlaneError


def test_a_new_control_plane_can_create_pods(control_plane: ControlPlane) -> None:
    account = json.loads(control_plane.kubectl("get", "serviceaccount", "default", "--output=json"))
    assert account["metadata"]["name"] == "default"
    assert control_plane.ready_seconds < 60


def test_it_says_the_version_that_its_sources_name(control_plane: ControlPlane) -> None:
    version = json.loads(control_plane.kubectl("version", "--output=json"))
    server, client = (version[side]["gitVersion"] for side in ("serverVersion", "clientVersion"))
    assert f"k8s.io/kubernetes {server}\n" in (SOURCES / "go.mod").read_text()
    assert client == server


def test_the_audit_log_holds_a_write_with_its_body(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "configmap", "audited", "--from-literal=colour=red")
    control_plane.kubectl("patch", "configmap", "audited", "--type=merge", "--patch", '{"data": {"colour": "blue"}}')
    seen = [e for e in control_plane.writes("kubernetes-admin") if e["objectRef"].get("name") == "audited"]
    patched = next(e for e in seen if e["verb"] == "patch")
    assert patched["requestObject"] == {"data": {"colour": "blue"}}
    assert patched["responseStatus"]["code"] == 200


def test_the_audit_log_never_holds_what_a_secret_holds(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "secret", "generic", "hidden", "--from-literal=password=correct-horse")
    event = next(e for e in control_plane.writes() if e["objectRef"].get("name") == "hidden")
    assert "requestObject" not in event


def test_a_person_without_rights_is_refused(control_plane: ControlPlane) -> None:
    with pytest.raises(PlaneError, match='User "mallory" cannot list resource "secrets"'):
        control_plane.kubectl("get", "secrets", "--as=mallory")


def test_keys_are_readable_by_their_owner_only(control_plane: ControlPlane) -> None:
    kept = [control_plane.kubeconfig, *(control_plane.folder / "pki").iterdir()]
    assert {p.stat().st_mode & 0o077 for p in kept} == {0}


def test_two_stand_side_by_side_and_leave_nothing(control_plane: ControlPlane, programs: Path, tmp_path: Path) -> None:
    with ControlPlane(programs, tmp_path / "second", controllers=False) as second:
        assert second.server != control_plane.server
        second.kubectl("create", "namespace", "only-here")
        assert "only-here" not in control_plane.kubectl("get", "namespaces", "--output=name")
        assert _components(second.folder) == ["etcd", "kube-apiserver"]
    assert _components(second.folder) == []
    assert not (second.folder / "etcd").exists()


def test_a_component_that_dies_is_named(programs: Path, tmp_path: Path) -> None:
    def lose_etcd() -> None:
        with ControlPlane(programs, tmp_path / "plane", controllers=False) as plane:
            [etcd] = _pids(plane.folder, "etcd")
            os.kill(etcd, signal.SIGKILL)
            plane.wait()

    with pytest.raises(PlaneError, match=r"etcd ended \(signal: killed\); the end of .*etcd\.log"):
        lose_etcd()
    assert _components(tmp_path / "plane") == []


def test_a_folder_in_use_is_refused(control_plane: ControlPlane, programs: Path) -> None:
    second = ControlPlane(programs, control_plane.folder)
    with pytest.raises(PlaneError, match="holds a cluster already"):
        second.__enter__()


def test_a_wrong_command_line_is_told_from_a_failure(programs: Path) -> None:
    ran = subprocess.run([str(programs / "testbed"), "up"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "one DIR is needed" in ran.stderr


def _pids(folder: Path, component: str) -> list[int]:
    return [pid for pid, name in _children(folder) if name == component]


def _components(folder: Path) -> list[str]:
    return sorted(name for _, name in _children(folder) if name != "testbed")


def _children(folder: Path) -> list[tuple[int, str]]:
    """Process id and name of everything whose command line names a file in the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        if any(f"{folder}/" in a for a in arguments):
            found.append((int(entry.name), Path(arguments[0]).name))
    return found
