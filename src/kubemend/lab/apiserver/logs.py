"""The subresource `pods/log`, over the lines that the nodes leave in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver.cells import at, moment
from kubemend.lab.apiserver.exchange import Answer, Request
from kubemend.lab.apiserver.routes import flag
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request
from kubemend.lab.store import Store

_WAITING = {
    "ImagePullBackOff": "trying and failing to pull image",
    "ErrImagePull": "image can't be pulled",
    "InvalidImageName": "InvalidImageName",
}


def answer(store: Store, pod: Object, request: Request) -> Answer:
    """The log of one container. Raises `ApiError` (400, 422). `follow` gives what there is and ends."""
    meta, query = pod["metadata"], request.query
    container = _container(pod, query.get("container", ""))
    previous = flag(query, "previous")
    _check(request)
    lines = store.logs.get((meta["namespace"], meta["name"], container, previous))
    if lines is None:
        if not pod["spec"].get("nodeName"):
            return Answer("", code=204, content_type="text/plain")
        _explain(pod, container, previous=previous)
    text = "".join(f"{line}\n" for line in _told(lines or (), store.clock(), request))
    if limit := request.number("limitBytes"):
        text = text.encode()[:limit].decode(errors="ignore")
    return Answer(text, content_type="text/plain")


def _container(pod: Object, asked: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    main: list[Object] = spec.get("containers") or []
    known = [c["name"] for c in (*(spec.get("initContainers") or ()), *main)]
    if not asked and len(main) == 1:
        return str(main[0]["name"])
    if not asked:
        told = " ".join(known)
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{told}]")
    if asked not in known:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def _check(request: Request) -> None:
    least = {"tailLines": 0, "sinceSeconds": 1, "limitBytes": 1}
    for field, low in least.items():
        if field in request.query and (given := request.number(field)) < low:
            detail = "must be greater than or equal to 0" if low == 0 else "must be greater than 0"
            cause = Cause.invalid(field, given, detail)
            name = request.route.name
            details: dict[str, Any] = {"name": name, "kind": "PodLogOptions", "causes": [cause.wire()]}
            raise ApiError("Invalid", f'PodLogOptions "{name}" is invalid: {cause}', details=details)


def _explain(pod: Object, container: str, *, previous: bool) -> None:
    """Why there is no log, in the kubelet's words; a container that has written nothing has an empty one."""
    name = pod["metadata"]["name"]
    if previous:
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    status = pod["status"]
    every = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    found = next((s for s in every if s["name"] == container), None)
    reason = at(found, "state", "waiting", "reason", default="ContainerCreating" if found is None else "")
    if reason and reason != "CrashLoopBackOff":
        why = _WAITING.get(reason, reason)
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def _told(lines: Sequence[str], now: datetime, request: Request) -> Sequence[str]:
    since = moment(request.query.get("sinceTime"))
    if seconds := request.number("sinceSeconds"):
        since = now - timedelta(seconds=seconds)
    if since is not None:
        lines = [line for line in lines if (when := moment(line.partition(" ")[0])) and when >= since]
    if "tailLines" in request.query:
        lines = lines[-tail:] if (tail := request.number("tailLines")) else []
    if flag(request.query, "timestamps"):
        return lines
    return [line.partition(" ")[2] for line in lines]
