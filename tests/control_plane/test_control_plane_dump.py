"""A scan of what stock `kubectl cluster-info dump` wrote finds what the live scan finds, as far as the dump goes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from testbed.plane import ControlPlane

from kubemend.lab.scenarios import cast

DEPLOYMENTS = {
    "image-tag-typo": "deployment/web",
    "command-not-found": "deployment/worker",
    "service-selector-misspelt": "deployment/web",
}
BROKEN = tuple(DEPLOYMENTS)


def scan(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "kubemend", "scan", "-A", "-o", "json", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def seen(report: dict[str, Any], codes_left_out: set[str], namespaces: set[str]) -> set[tuple[str, str, str]]:
    """(code, subject, message) of every finding of these namespaces, causes and symptoms alike."""
    every = [f for cause in report["findings"] for f in (cause, *cause["symptoms"])]
    return {
        (f["code"], f"{f['subject']['kind']}/{f['subject']['name']}", f["subject"]["namespace"])
        for f in every
        if f["code"] not in codes_left_out and f["subject"]["namespace"] in namespaces
    }


@pytest.mark.timeout(180)
def test_a_dump_made_by_kubectl_gives_the_findings_of_the_live_scan(real_cluster: ControlPlane, tmp_path: Path) -> None:
    plane = real_cluster
    broken = [cast(name, namespace=f"dump-{name}") for name in BROKEN]
    for s in broken:
        plane.kubectl("create", "namespace", s.namespace)
        for part in ("healthy", "fault"):
            plane.kubectl("apply", "-f", "-", manifest="\n---\n".join(map(json.dumps, s.manifests(part))))
            if part == "healthy":
                plane.kubectl("rollout", "status", "-n", s.namespace, DEPLOYMENTS[s.name], "--timeout=60s")
    namespaces = {s.namespace for s in broken}
    for s in broken[:2]:
        jsonpath = "--for=jsonpath={.status.unavailableReplicas}=1"
        plane.kubectl("wait", "-n", s.namespace, DEPLOYMENTS[s.name], jsonpath, "--timeout=60s")
    expected = {cause.code for s in broken for cause in s.scenario.causes}
    live: dict[str, Any] = {}
    while not expected <= {f["code"] for f in live.get("findings", [])}:
        live = scan("--kubeconfig", str(plane.kubeconfig))

    # Not all namespaces: it asks for the log of every pod, and other tests have left hundreds here.
    where = f"--namespaces={','.join(sorted(namespaces))}"
    plane.kubectl("cluster-info", "dump", where, f"--output-directory={tmp_path / 'dump'}")
    live = scan("--kubeconfig", str(plane.kubeconfig))
    dumped = scan("--snapshot", str(tmp_path / "dump"))

    left_out = {n["code"] for n in dumped["not_judged"]}
    assert seen(dumped, set(), namespaces) == seen(live, left_out, namespaces)
    assert {"KM103", "KM109"} <= {code for code, _, _ in seen(dumped, set(), namespaces)}
    assert left_out, "the dump holds no StorageClasses, say: rules on them must be listed as not judged"
