"""Commands in containers that really run: the whole way of exec, from a person's yes to the program's own words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.node.node import RealNode

from kubemend.app import Rooms
from kubemend.engine.gateway import Gateway
from kubemend.model.answer import Answer
from kubemend.model.repair import Repair
from kubemend.surfaces.cli.options import Access

SPACE = "spoken-to"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "box"},
    "spec": {"containers": [{"name": "box", "image": "busybox:1.36", "command": ["sleep", "3600"]}]},
}


@pytest.fixture(scope="module")
def box(real_node: RealNode) -> Iterator[RealNode]:
    plane = real_node.plane
    plane.kubectl("create", "namespace", SPACE)
    plane.kubectl("apply", "-n", SPACE, "-f", "-", manifest=json.dumps(POD))
    plane.kubectl("wait", "-n", SPACE, "pod/box", "--for=condition=Ready", "--timeout=60s")
    yield real_node
    plane.kubectl("delete", "namespace", SPACE)


@pytest.fixture
async def gateway(box: RealNode, tmp_path: Path) -> AsyncIterator[Gateway]:
    access = Access(kubeconfig=str(box.plane.kubeconfig), store=tmp_path / "ledger.db", allow_changes=True)
    async with Rooms().gateway(access) as opened:
        yield opened


async def run(gateway: Gateway, *command: str, **more: Any) -> Answer:
    given = {"pod_name": "box", "namespace": SPACE, "command": list(command), **more}
    return await gateway.call("exec_in_pod", given, actor="test", ask=_yes)


async def _yes(_repair: Repair, _card: dict[str, Any]) -> bool:
    return True


async def test_a_command_runs_after_a_yes_and_its_output_and_status_are_told(gateway: Gateway) -> None:
    told = await run(gateway, "sh", "-c", "cat /etc/hostname; echo there >&2; exit 3")
    assert (told.data["exit_code"], told.data["stdout"], told.data["stderr"]) == (3, "box\n", "there\n")


async def test_without_a_yes_nothing_runs(gateway: Gateway, box: RealNode) -> None:
    given = {"pod_name": "box", "namespace": SPACE, "command": ["touch", "/tmp/written"]}
    told = await gateway.call("exec_in_pod", given, actor="test")
    assert told.error is not None
    assert told.error.code == "approval-required"
    there = box.plane.kubectl("exec", "-n", SPACE, "box", "--", "ls", "/tmp")
    assert "written" not in there
    assert (await run(gateway, "touch", "/tmp/written")).ok
    assert "written" in box.plane.kubectl("exec", "-n", SPACE, "box", "--", "ls", "/tmp")


async def test_a_program_that_is_not_there_is_told_as_the_runtime_tells_it(gateway: Gateway) -> None:
    told = await run(gateway, "no-such-program")
    assert not told.ok
    assert "no-such-program" in str(told.error) + str(told.data)


async def test_what_takes_too_long_is_said_to_be_unknown_and_never_begun_again(gateway: Gateway, box: RealNode) -> None:
    told = await run(gateway, "sh", "-c", "echo once >> /tmp/begun; sleep 60", timeout=2)
    assert not told.ok, told.data
    assert box.plane.kubectl("exec", "-n", SPACE, "box", "--", "cat", "/tmp/begun") == "once\n"


async def test_a_secret_in_the_output_is_hidden(gateway: Gateway) -> None:
    told = await run(gateway, "echo", "password=hunter2-canary")
    assert told.ok
    assert "canary" not in str(told.data)
