"""Pod Security: what each version changes, what no API server of today shows yet, and the labels of namespaces.

The words are held against the real API server in tests/control_plane/test_control_plane_podsecurity.py.
"""

from __future__ import annotations

import copy

import msgspec
import pytest
import yaml

from kubemend.kube.podsecurity import Level, Mode, Subject, judge, parse_version, policy_of, told
from kubemend.kube.podsecurity.subject import literal
from kubemend.model.objects import wide
from podsecurity_corpus import HARDENED, corpus

ROOT = "{runAsUser: 0, runAsNonRoot: false, procMount: Unmasked}"


def subject(more: str = "{}", *, hardened: bool = True, context: str = "{}", relaxed: bool = False) -> Subject:
    security = (copy.deepcopy(HARDENED) if hardened else {}) | yaml.safe_load(context)
    spec = {"containers": [{"name": "a", "securityContext": security}], **yaml.safe_load(more)}
    return Subject(msgspec.convert(spec, wide.PodSpec), relaxed=relaxed)


def ids(pod: Subject, level: str, version: int | None = None, server: int = 37) -> list[str]:
    return [v.check for v in judge(pod, Mode(Level(level), version), server=server)]


def test_a_hardened_pod_passes_every_level_at_every_version():
    assert {told(judge(subject(), Mode(level, v))) for level in Level for v in (*range(40), None)} == {""}


def test_a_plain_pod_passes_baseline_and_says_what_restricted_wants():
    plain = subject(hardened=False)
    assert ids(plain, "baseline") == []
    assert told(judge(plain, Mode(Level.RESTRICTED))) == (
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to '
        '"RuntimeDefault" or "Localhost")'
    )


def test_nothing_is_forbidden_to_the_privileged():
    assert ids(subject("{hostNetwork: true, hostPID: true}", hardened=False), "privileged") == []


@pytest.mark.parametrize(
    ("more", "context", "level", "check", "first"),
    [
        ("{}", "{allowPrivilegeEscalation: null}", "restricted", "allowPrivilegeEscalation", 8),
        ("{}", "{capabilities: null}", "restricted", "capabilities_restricted", 22),
        ("{securityContext: {runAsUser: 0}}", "{}", "restricted", "runAsUser", 23),
        ("{}", "{seccompProfile: null}", "restricted", "seccompProfile_restricted", 19),
        ("{}", "{seccompProfile: {type: Unconfined}}", "baseline", "seccompProfile_baseline", 19),
        ("{}", "{}", "baseline", "hostProbesAndHostLifecycle", 34),
    ],
)
def test_a_check_holds_from_its_version_on_and_not_before(more, context, level, check, first):
    if check.startswith("hostProbes"):
        more = "{containers: [{name: a, livenessProbe: {tcpSocket: {host: x, port: 1}}}]}"
    pod = subject(more, context=context)
    assert check not in ids(pod, level, first - 1)
    assert check in ids(pod, level, first)
    assert check in ids(pod, level, None)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("net.ipv4.ip_local_reserved_ports", 27),
        ("net.ipv4.tcp_fin_timeout", 29),
        ("net.ipv4.tcp_rmem", 32),
        ("net.ipv4.tcp_notsent_lowat", 37),
    ],
)
def test_a_sysctl_is_safe_from_the_version_on_that_took_it_in(name, first):
    pod = subject(f"{{securityContext: {{sysctls: [{{name: {name}, value: '1'}}]}}}}")
    assert ids(pod, "baseline", first - 1) == ["sysctls"]
    assert ids(pod, "baseline", first) == []


def test_the_engines_selinux_type_is_allowed_from_1_31_on():
    pod = subject(context="{seLinuxOptions: {type: container_engine_t}}")
    assert ids(pod, "baseline", 30) == ["seLinuxOptions"]
    assert ids(pod, "baseline", 31) == []


def test_latest_and_versions_to_come_mean_the_servers_own():
    pod = subject("{securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: '1'}]}}")
    assert ids(pod, "baseline", None, server=31) == ["sysctls"]
    assert ids(pod, "baseline", 99, server=31) == ["sysctls"]
    assert ids(pod, "baseline", 99, server=32) == []


def test_windows_pods_need_not_say_what_has_no_meaning_for_them_from_1_25_on():
    pod = subject("{os: {name: windows}, securityContext: {runAsNonRoot: true}}", hardened=False)
    assert ids(pod, "restricted", 24) == [
        "allowPrivilegeEscalation", "capabilities_restricted", "seccompProfile_restricted",
    ]  # fmt: skip
    assert ids(pod, "restricted", 25) == []


def test_users_of_its_own_let_a_pod_be_root_from_1_35_on():
    pod = subject("{hostUsers: false}", context=ROOT)
    assert ids(pod, "restricted", 34) == ["procMount", "runAsNonRoot", "runAsUser"]
    assert ids(pod, "restricted", 35) == ["procMount_restricted"]
    assert ids(pod, "baseline", 34) == ["procMount"]
    assert ids(pod, "baseline", 35) == []


def test_the_feature_gate_of_older_servers_relaxes_every_version():
    pod = subject("{hostUsers: false}", context=ROOT, relaxed=True)
    assert ids(pod, "restricted", 23, server=34) == []
    assert ids(subject(context="{runAsUser: 0}", relaxed=True), "restricted", 23, server=34) == ["runAsUser"]


def test_ephemeral_and_init_containers_are_judged_in_the_servers_order():
    more = "{initContainers: [{name: i}], containers: [{name: c}], ephemeralContainers: [{name: e}]}"
    (found,) = [v for v in judge(subject(more), Mode(Level.RESTRICTED)) if v.check == "runAsNonRoot"]
    assert found.detail.startswith('pod or containers "i", "c", "e" must')


def test_a_volume_without_a_source_is_an_empty_directory_and_an_unknown_source_is_not_plain():
    assert ids(subject("{volumes: [{name: v}]}"), "restricted") == []
    (found,) = judge(subject("{volumes: [{name: v, fromTheFuture: {}}]}"), Mode(Level.RESTRICTED))
    assert found.detail == 'volume "v" uses restricted volume type "unknown"'


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", '"plain"'), ('a"b\\', r'"a\"b\\"'), ("\n\t\x01", r'"\n\t\x01"'), ("ä\u200b", '"ä\\u200b"')],
)
def test_annotations_are_shown_as_literals_of_the_servers_language(text, shown):
    assert literal(text) == shown


@pytest.mark.parametrize("pod", corpus(300, seed=4), ids=lambda p: p["metadata"]["name"])
def test_what_restricted_allows_baseline_allows_too(pod):
    seen = Subject(msgspec.convert(pod["spec"], wide.PodSpec), pod["metadata"].get("annotations") or {})
    for version in (19, 25, 34, None):
        if not judge(seen, Mode(Level.RESTRICTED, version)):
            assert not judge(seen, Mode(Level.BASELINE, version))


def label(**given: str) -> dict[str, str]:
    return {f"pod-security.kubernetes.io/{k.replace('_', '-')}": v for k, v in given.items()}


@pytest.mark.parametrize(
    ("labels", "enforce", "audit", "warn", "errors"),
    [
        ({}, "privileged:latest", "privileged:latest", "privileged:latest", 0),
        (label(enforce="baseline"), "baseline:latest", "privileged:latest", "baseline:latest", 0),
        (
            label(enforce="baseline", enforce_version="v1.24"),
            "baseline:v1.24",
            "privileged:latest",
            "baseline:v1.24",
            0,
        ),
        (
            label(enforce="baseline", enforce_version="v1.24", warn_version="v1.3"),
            "baseline:v1.24",
            "privileged:latest",
            "baseline:v1.3",
            0,
        ),
        (label(enforce="baseline", warn="privileged"), "baseline:latest", "privileged:latest", "privileged:latest", 0),
        (label(enforce="strict"), "restricted:latest", "privileged:latest", "privileged:latest", 1),
        (label(audit="strict", warn="x"), "privileged:latest", "privileged:latest", "privileged:latest", 2),
        (
            label(enforce="baseline", enforce_version="1.24"),
            "baseline:latest",
            "privileged:latest",
            "baseline:latest",
            1,
        ),
    ],
)
def test_a_namespaces_labels_fail_closed_for_enforce_and_open_for_the_rest(labels, enforce, audit, warn, errors):
    policy = policy_of(labels)
    assert (str(policy.enforce), str(policy.audit), str(policy.warn)) == (enforce, audit, warn)
    assert len(policy.errors) == errors


@pytest.mark.parametrize("text", ["1.24", "v1", "v1.", "v1.024", "v2.1", "Latest", ""])
def test_a_version_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="must be"):
        parse_version(text)
