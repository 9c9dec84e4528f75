"""The real node, shared by the session: a test works in a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from node_machine import unable
from testbed.node.needs import missing
from testbed.node.node import RealNode


@pytest.fixture(scope="session")
def node_programs(programs: Path) -> Path:
    """The test bed's programs, on a machine that can run a real node."""
    if reason := missing():
        unable(reason)
    return programs


@pytest.fixture(scope="session")
def real_node(node_programs: Path) -> Iterator[RealNode]:
    """A control plane with a real kubelet, containerd and runc."""
    with RealNode(node_programs) as node:
        yield node
