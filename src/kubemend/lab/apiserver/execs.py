"""The subresource `pods/exec`: into a container that runs on one of the nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubemend.lab.api import Object, Run
from kubemend.lab.apiserver.exchange import Request, Session
from kubemend.lab.apiserver.status import ApiError, bad_request
from kubemend.lab.node.process import NotFound
from kubemend.lab.store import Store


def answer(store: Store, pod: Object, request: Request) -> Session:
    """A session in one container. Raises `ApiError` (400, 500)."""
    meta, asked = pod["metadata"], request.query.get("container", "")
    names = [c["name"] for c in pod["spec"]["containers"]]
    container = asked or (names[0] if len(names) == 1 else "")
    if container not in names:
        raise bad_request(f"container {asked} is not valid for pod {meta['name']}")
    if not request.command:
        raise bad_request("you must specify at least one command for the container")
    door = store.doors.get((meta["namespace"], meta["name"], container))
    if door is None:
        told = f'unable to upgrade connection: container not found ("{container}")'
        raise ApiError("InternalError", told)
    return Session(lambda write: _ran(door, request, write))


async def _ran(door: Run, request: Request, write: Callable[[str], None]) -> dict[str, Any]:
    """Run the command; its end as the kubelet tells it (`remotecommand`, `StatusReasonNonZeroExitCode`)."""
    head: dict[str, Any] = {"metadata": {}}
    try:
        code = await door(request.command, write)
    except NotFound:
        named = request.command[0]
        told = f'failed to exec in container: exec: "{named}": executable file not found in $PATH: unknown'
        return {**head, "status": "Failure", "reason": "InternalError", "message": told, "code": 500}
    if code == 0:
        return {**head, "status": "Success"}
    return {
        **head,
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
