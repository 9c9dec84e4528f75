"""What a container leaves in an `emptyDir` is there for the next one of its pod, and for no other pod."""

from __future__ import annotations

import pytest
from machines import containers, is_ready, pod, running

ONCE = "if [ -f /state/been ]; then sleep 1000; fi; touch /state/been; exit 1"


def visited(name: str, mounted: str) -> dict:
    made = pod(
        name, image="busybox:1.36", command=["sh", "-c", ONCE], spec={"volumes": [{"name": "s", "emptyDir": {}}]}
    )
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "s", "mountPath": mounted}]
    return made


async def test_a_marker_in_scratch_space_outlives_the_container_and_not_the_pod():
    async with running() as lab:
        for name in ("one", "two"):
            await lab.create(visited(name, "/state/"))
            await lab.until(is_ready(name))
            assert containers(lab.store, name)[0]["restartCount"] == 1


async def test_a_marker_elsewhere_is_lost_with_the_container():
    async with running() as lab:
        await lab.create(visited("one", "/other"))
        await lab.until(lambda seen: containers(seen, "one") and containers(seen, "one")[0]["restartCount"] > 1)


@pytest.mark.parametrize("mounted", ["/state", "/data"])
async def test_an_init_container_hands_files_on(mounted: str):
    made = visited("one", mounted)
    made["spec"]["initContainers"] = [
        {
            "name": "first",
            "image": "busybox:1.36",
            "command": ["sh", "-c", "touch /state/been"],
            "volumeMounts": [{"name": "s", "mountPath": "/state"}],
        }
    ]
    made["spec"]["containers"][0]["command"][2] = f"ls {mounted}/been && sleep 1000"
    async with running() as lab:
        await lab.create(made)
        await lab.until(is_ready("one"))
        assert containers(lab.store, "one")[0]["restartCount"] == 0
