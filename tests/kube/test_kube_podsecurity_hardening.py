"""Hardening patches: for pods with every kind of fault they cure what fields can, break nothing, and need no second."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubemend.kube.patch import strategic
from kubemend.kube.podsecurity import Level, Mode, Subject, hardened, judge
from kubemend.model.objects import wide
from podsecurity_corpus import corpus

BEYOND_FIELDS = {
    "appArmorProfile", "hostPathVolumes", "restrictedVolumes", "hostProbesAndHostLifecycle", "seLinuxOptions",
    "sysctls", "windowsHostProcess",
}  # fmt: skip
"""Checks that no patch of ours cures: without what they forbid the pod would be another one."""
BY_NOTE = {"seccompProfile_baseline"}
"""Checks that an old annotation may fail, which stands outside of the pod spec."""


def _subject(pod: dict[str, Any]) -> Subject:
    spec = {k: v for k, v in pod["spec"].items() if k != "ephemeralContainers"}
    return Subject(msgspec.convert(spec, wide.PodSpec), pod["metadata"].get("annotations") or {})


@pytest.mark.parametrize("level", [Level.BASELINE, Level.RESTRICTED])
def test_what_fields_can_cure_is_cured_and_no_other_check_begins_to_fail(level: Level) -> None:
    mode, cured = Mode(level), 0
    for pod in corpus(600, seed=7):
        subject = _subject(pod)
        before = {v.check for v in judge(subject, mode)}
        patch, left = hardened(subject, mode)
        still = {v.check for v in left}
        assert still <= before & (BEYOND_FIELDS | BY_NOTE), (pod, patch)
        assert (patch is None) == (still == before)
        cured += len(before) - len(still)
    assert cured > 150


def test_a_patched_pod_needs_no_other_patch() -> None:
    mode = Mode(Level.RESTRICTED)
    for pod in corpus(200, seed=8):
        patch, left = hardened(_subject(pod), mode)
        if patch is not None:
            again = _subject(strategic({"apiVersion": "v1", **pod}, {"spec": patch}, kind="Pod"))
            assert judge(again, mode) == left
            assert hardened(again, mode) == (None, left)


def test_a_pod_that_holds_the_standard_is_left_alone() -> None:
    spec = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost", "localhostProfile": "p"}},
        "containers": [
            {
                "name": "a",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                },
            }
        ],
    }
    assert hardened(_subject({"metadata": {}, "spec": spec}), Mode(Level.RESTRICTED)) == (None, ())
