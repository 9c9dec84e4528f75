"""One of several processes that race for the same object: `control_plane_racer.py KUBECONFIG STORE NAMESPACE`.

For each round it reads the title of its plan, says "ready" when it has made it, waits for a line, repairs, and says in
one line of JSON what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from control_plane_cases import CASES, PROOF_S, web
from control_plane_killer import open_bench, repair_it, watch_only

from kubemend.engine.guard.machine import Guard
from kubemend.model.access import Risk
from kubemend.model.errors import KubemendError
from kubemend.model.plan import Patch, Plan, Verify


async def plan_of(guard: Guard, namespace: str, title: str, number: str) -> Plan:
    """A note on the Deployment: equal in all plans of a round, so that who comes too late finds nothing to do."""
    ref = web(namespace)
    live = await guard._hands.live(ref)
    assert live is not None
    body = {"metadata": {"annotations": {"note": number}}}
    return Plan(
        strategy="test", code="KM103", fingerprint="f" * 12, target=ref, reason=f"{title} {number}",
        changes=(Patch(target=ref, uid=live["metadata"]["uid"], body=body),), risk=Risk.LOW, confidence=0.9,
        verify=Verify(healthy=(ref,), within_s=PROOF_S, steady_s=0.3, gone=False),
    )  # fmt: skip


async def heard() -> str:
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


def say(told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def race(kubeconfig: str, store: str, namespace: str) -> None:
    watch_only(CASES["patch"].kinds)
    async with open_bench(namespace, kubeconfig, store) as bench:
        guard = bench.mender.guard
        while line := await heard():
            title, number = line.split()
            plan = await plan_of(guard, namespace, title, number)
            say("ready")
            await heard()
            try:
                repair = await repair_it(guard, plan)
            except KubemendError as error:
                say([error.code, error.message])
            else:
                say([repair.state, repair.why])


if __name__ == "__main__":
    asyncio.run(race(*sys.argv[1:]))
