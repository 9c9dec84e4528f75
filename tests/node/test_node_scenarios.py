"""Scenarios on a real kubelet, containerd and registry, side by side: the same folders as on every other cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from testbed.node.node import RealNode

import scenarios
from scenarios_ground import Plane

# What only a real node can show to be so: the kernel, the runtime, the registry and the kubelet say these in own words.
PLAYED = (
    "oom-from-the-start",
    "program-ends-by-itself",
    "command-not-found",
    "image-repository-misspelt-from-the-start",
    "image-tag-typo",
    "image-needs-a-login",
    "liveness-path-wrong",
    "readiness-port-wrong",
    "config-map-misspelt",
    "config-key-misspelt",
    "config-volume-misspelt",
    "init-container-fails",
    "rollout-hangs-in-init",
    "job-failed",
    "quota-exceeded-by-revision",
    "control-job-completed",
    "control-native-sidecar",
)


@pytest.mark.timeout(1200)
def test_scenarios_end_on_a_real_node_as_everywhere(
    real_node: RealNode, tmp_path: Path, say: Callable[[str], None]
) -> None:
    outcomes, outside = scenarios.play_seed(Plane(real_node.plane, name="node"), 0, tmp_path, only=PLAYED)
    say("\n".join(o.line() for o in outcomes))
    assert [o.cast.name for o in outcomes] == sorted(PLAYED)
    wrong = [w for o in outcomes for w in o.wrong()] + outside
    assert not wrong, "\n".join(wrong)
