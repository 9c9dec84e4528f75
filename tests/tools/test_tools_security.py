"""The security tools on practice clusters with something unsafe in them."""

from __future__ import annotations

import json
import stat
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from tools_shop import data, shop

from kubemend.tools.security import scan_image_vulnerabilities as scanning
from kubemend.tools.security.audit import Audit, Finding
from kubemend.tools.security.rendering import html, markdown, sarif
from kubemend.tools.security.scanners import ScanFailed, image_of, of_report, scan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNSAFE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: agent}
spec:
  replicas: 2
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers:
        - name: agent
          image: busybox
          securityContext: {privileged: true}
          env: [{name: DB_PASSWORD, value: canary-in-clear}, {name: TOKEN_FILE, value: /run/token}]
          command: [sleep, "1000"]
---
apiVersion: v1
kind: Pod
metadata: {name: good}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  automountServiceAccountToken: false
  containers:
    - name: good
      image: redis@sha256:1111111111111111111111111111111111111111111111111111111111111111
      resources: {limits: {memory: 64Mi}}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: deployer}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: deployer-owns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: deployer, namespace: shop}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: jobs}
rules: [{verbs: [create], apiGroups: [batch], resources: [jobs]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ann-makes-jobs}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: jobs}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: ann}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: lost}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: gone}
subjects: [{kind: ServiceAccount, name: builder, namespace: shop}]
"""


async def test_templates_and_pods_are_judged_in_the_servers_words(practice, tmp_path):
    async with shop(practice, tmp_path, UNSAFE) as gateway:
        await practice.until(lambda s: len(s.all("Pod", "shop")) == 3)
        found = await data(gateway, "check_pod_security_standards", namespace="shop", level="baseline")
    assert found["checked"] == {"templates": 1, "pods": 3}
    template, pods = found["violations"]
    assert (template["kind"], template["pods"], pods["kind"], pods["pods"]) == ("Deployment", 0, "Pod", 2)
    assert template["says"] == (
        "host namespaces (hostNetwork=true), "
        'privileged (container "agent" must not set securityContext.privileged=true)'
    )
    assert found["passed"] == 1
    (space,) = found["namespaces"]
    assert (space["enforce"], space["refused"]) == ("privileged:latest", 0)


async def test_a_path_to_the_cluster_is_told_step_by_step(practice, tmp_path):
    async with shop(practice, tmp_path, RIGHTS) as gateway:
        found = await data(gateway, "analyze_rbac_permissions")
        ann = await data(gateway, "analyze_rbac_permissions", subject="user:ann")
    rows = {r["subject"]: r for r in found["subjects"]}
    assert rows["User ann"]["path_to_owner"][0].startswith("User ann runs a pod as ServiceAccount shop/deployer")
    assert rows["User ann"]["path_to_owner"][-1].startswith("ServiceAccount shop/deployer owns the cluster")
    assert [d["power"] for d in rows["User ann"]["dangers"]] == ["create-pods"]
    assert rows["ServiceAccount shop/deployer"]["wildcards"]
    assert {(u["object"], u["why"]) for u in found["unused"]} == {
        ("RoleBinding shop/lost", "Role shop/gone doesn't exist")
    }
    (row,) = ann["subjects"]
    assert row["permissions"] == [
        {"namespace": "shop", "rule": "create jobs of batch", "by": "RoleBinding shop/ann-makes-jobs of Role jobs"}
    ]


async def test_nobody_by_that_form_is_refused_with_the_forms_there_are(practice, tmp_path):
    async with shop(practice, tmp_path, RIGHTS) as gateway:
        answer = await gateway.call("analyze_rbac_permissions", {"subject": "ann"}, actor="test")
    assert answer.error.code == "invalid-arguments"
    assert "user:NAME" in answer.error.hint


async def test_the_audit_finds_what_is_unsafe_and_leaves_out_what_is_safe(practice, tmp_path):
    async with shop(practice, tmp_path, UNSAFE + "---" + RIGHTS) as gateway:
        await practice.until(lambda s: len(s.all("Pod", "shop")) == 3)
        found = await data(gateway, "audit_security_policies", namespace="shop")
    findings = {f["code"]: f for f in found["findings"]}
    assert findings["pod-out-of-its-box"]["count"] == 2
    assert {o.partition("-")[0] for o in findings["pod-out-of-its-box"]["objects"]} == {
        "Deployment shop/agent", "Pod shop/agent",
    }  # fmt: skip
    assert findings["secret-in-clear"]["count"] == 2
    assert findings["subject-could-own-cluster"]["objects"] == ["User ann"]
    assert findings["subject-owns-cluster"]["objects"] == ["ServiceAccount shop/deployer"]
    assert findings["image-tag-moves"]["severity"] == "medium"
    assert not any("good" in o for code in ("image-not-pinned", "memory-unlimited") for o in findings[code]["objects"])
    assert 0 < found["score"] < 100
    assert found["not_judged"] == []
    severities = [f["severity"] for f in found["findings"]]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low"].index)


async def test_an_empty_cluster_has_the_full_score_of_what_can_be_judged(practice, tmp_path):
    async with shop(practice, tmp_path, RIGHTS.partition("---")[0]) as gateway:
        found = await data(gateway, "audit_security_policies", namespace="shop")
    assert {f["code"] for f in found["findings"]} <= {"namespace-enforces-nothing"}


@pytest.mark.parametrize("format_", ["markdown", "html", "json", "sarif"])
async def test_a_report_has_score_and_fixes_in_every_format_and_no_value_of_a_secret(practice, tmp_path, format_):
    async with shop(practice, tmp_path, UNSAFE) as gateway:
        await practice.until(lambda s: len(s.all("Pod", "shop")) == 3)
        found = await data(gateway, "generate_security_report", namespace="shop", format=format_)
    assert found["top_fixes"][0].startswith("Pods with the node's rights")
    assert "canary-in-clear" not in json.dumps(found)
    assert isinstance(found["content"], str) == (format_ in ("markdown", "html"))


def report(*names: str) -> Audit:
    found = Finding("c", "pods", "high", "Bad <things>", tuple(names), len(names), 9, "fix | it")
    return Audit("shop", NOW, 50.0, {"high": 1}, (found,), ("p",), ("n",))


def test_names_from_the_cluster_stay_text_in_a_page():
    page = html(report("Pod shop/<script>alert(1)</script>"))
    assert "<script>" not in page
    ET.fromstring(page[page.index("<h1>") : page.index("</h1>") + 5])
    lines = markdown(report("Pod shop/x\n# Title [l](http://e)", *map(str, range(9))))
    assert "\n# Title" not in lines
    assert "and 5 more" in lines
    assert "Not judged, since it could not be read: n" in lines


def test_sarif_has_a_rule_for_every_result_and_says_what_was_not_judged():
    (run,) = sarif(report("Pod shop/a", "Pod shop/b"))["runs"]
    assert {r["ruleId"] for r in run["results"]} <= {r["id"] for r in run["tool"]["driver"]["rules"]}
    assert [r["level"] for r in run["results"]] == ["error", "error"]
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1


TRIVY = {
    "Results": [
        {
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-1", "Severity": "LOW", "PkgName": "a", "InstalledVersion": "1"},
                {"VulnerabilityID": "CVE-2", "Severity": "CRITICAL", "PkgName": "b", "InstalledVersion": "1",
                 "FixedVersion": "2", "Title": "bad", "PrimaryURL": "https://x"},
            ]
        },
        {"Target": "nothing here"},
    ]
}  # fmt: skip
GRYPE = {
    "matches": [
        {
            "vulnerability": {"id": "CVE-3", "severity": "Negligible", "fix": {"versions": ["3"]}},
            "artifact": {"name": "c", "version": "1"},
        }
    ]
}


def program(folder, monkeypatch, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


async def test_trivys_answer_is_read_the_worst_first(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "trivy", f"cat <<'E'\n{json.dumps(TRIVY)}\nE")
    first, second = await scan("trivy", "redis:7")
    assert (first.id, first.severity, first.fixed_version) == ("CVE-2", "critical", "2")
    assert second.severity == "low"


async def test_grypes_words_for_severity_become_ours(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "grype", f"cat <<'E'\n{json.dumps(GRYPE)}\nE")
    (found,) = await scan("grype", "redis:7")
    assert (found.severity, found.fixed_version) == ("low", "3")


async def test_a_scanner_that_fails_is_told_with_its_last_words(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "trivy", "echo cannot reach the registry >&2; exit 1")
    with pytest.raises(ScanFailed, match="cannot reach the registry"):
        await scan("trivy", "redis:7")


async def test_a_scanner_gets_no_credentials_of_ours_and_no_option_by_way_of_an_image(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/secret")
    monkeypatch.setenv("SOME_TOKEN", "canary")
    program(tmp_path, monkeypatch, "trivy", f'env > {tmp_path}/env; echo "$@" > {tmp_path}/words; echo "{{}}"')
    assert await scan("trivy", "redis:7") == ()
    assert not {"KUBECONFIG", "SOME_TOKEN"} & {e.partition("=")[0] for e in (tmp_path / "env").read_text().split("\n")}
    assert (tmp_path / "words").read_text().split()[-2:] == ["--", "redis:7"]


async def test_without_a_scanner_nothing_is_known_and_the_answer_says_what_to_install(practice, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    async with shop(practice, tmp_path, UNSAFE) as gateway:
        await practice.until(lambda s: len(s.all("Pod", "shop")) == 3)
        found = await data(gateway, "scan_image_vulnerabilities", namespace="shop")
    assert found["scanner"] is None
    assert found["images_scanned"] == 0
    assert {i["scanned"] for i in found["images"]} == {False}
    assert "install Trivy Operator" in found["recommendations"][0]


async def test_every_image_that_runs_is_scanned_once_and_counted_with_its_pods(practice, tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "trivy", f"cat <<'E'\n{json.dumps(TRIVY)}\nE")
    async with shop(practice, tmp_path, UNSAFE) as gateway:
        await practice.until(lambda s: len(s.all("Pod", "shop")) == 3)
        found = await data(gateway, "scan_image_vulnerabilities", namespace="shop")
    assert found["scanner"] == "trivy"
    assert found["by_severity"]["critical"] == 2
    assert {i["image"].partition("@")[0]: i["pods"] for i in found["images"]} == {"busybox": 2, "redis": 1}


async def test_an_image_that_is_none_never_reaches_a_command_line(practice, tmp_path):
    async with shop(practice, tmp_path, RIGHTS.partition("---")[0]) as gateway:
        answer = await gateway.call("scan_image_vulnerabilities", {"image": "--config=/etc/x"}, actor="test")
    assert answer.error.code == "invalid-arguments"


def test_an_operators_report_is_found_by_the_image_however_it_is_spelt():
    raw = {
        "report": {
            "registry": {"server": "index.docker.io"},
            "artifact": {"repository": "library/redis", "tag": "7"},
            "vulnerabilities": [
                {
                    "vulnerabilityID": "CVE-4",
                    "severity": "HIGH",
                    "resource": "d",
                    "installedVersion": "1",
                    "fixedVersion": "",
                }
            ],
        }
    }
    assert scanning._spelt(image_of(raw)) == scanning._spelt("redis:7") == "docker.io/library/redis:7"
    assert scanning._spelt("registry.example/a/b:1") == "registry.example/a/b:1"
    assert [w.id for w in of_report(raw)] == ["CVE-4"]
