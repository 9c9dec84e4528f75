"""The subresource `pods/log`, over the lines that the nodes leave in the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver.cells import at, moment
from kubemend.lab.apiserver.exchange import Answer, Request, Stream
from kubemend.lab.apiserver.routes import flag
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request
from kubemend.lab.store import LogKey, Store

_WAITING = {
    "ImagePullBackOff": "trying and failing to pull image",
    "ErrImagePull": "image can't be pulled",
    "InvalidImageName": "InvalidImageName",
}


def answer(store: Store, pod: Object, request: Request) -> Answer | Stream:
    """The log of one container, with `follow` until that container ends. Raises `ApiError` (400, 422)."""
    meta, query = pod["metadata"], request.query
    container = _container(pod, query.get("container", ""))
    previous = flag(query, "previous")
    _check(request)
    key = (meta["namespace"], meta["name"], container, previous)
    lines = store.logs.get(key)
    if lines is None:
        if not pod["spec"].get("nodeName"):
            return Answer("", code=204, content_type="")
        _explain(pod, container, previous=previous)
    text = _joined(_told(lines or (), store.clock(), request))
    limit = request.number("limitBytes")
    if flag(query, "follow") and lines is not None and not limit:
        return Stream(_follow(store, key, text, timed=flag(query, "timestamps")), content_type="text/plain")
    if limit:
        text = text.encode()[:limit].decode(errors="ignore")
    return Answer(text, content_type="text/plain")


async def _follow(store: Store, key: LogKey, text: str, *, timed: bool) -> AsyncIterator[bytes]:
    """What there is, then each line as it is written, to the end of this life of the container."""
    lines = store.logs[key]
    last = lines[-1] if lines else None
    yield text.encode()
    while True:
        version, count = store.version, store.logs.count
        fresh = _after(lines, last)
        if fresh:
            last = fresh[-1]
            yield _joined(fresh if timed else map(_bare, fresh)).encode()
        elif store.logs.get(key) is not lines or not _runs(store, key):
            return
        else:
            await store.stirred(version, count)


def _after(lines: Sequence[str], last: str | None) -> list[str]:
    """The lines after one of them; all of them when it has been dropped meanwhile."""
    found = next((i for i in range(len(lines) - 1, -1, -1) if lines[i] is last), -1)
    return list(lines[found + 1 :])


def _runs(store: Store, key: LogKey) -> bool:
    """Whether the container of a log may still write to it."""
    namespace, name, container, previous = key
    pod = store.find("Pod", namespace, name)
    if pod is None or previous:
        return False
    found = next((s for s in _statuses(pod) if s["name"] == container), None)
    return at(found, "state", "running", default=None) is not None


def _statuses(pod: Object) -> Iterator[Object]:
    status = pod["status"]
    yield from (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _bare(line: str) -> str:
    """A line without its time."""
    return line.partition(" ")[2]


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
    if {"sinceSeconds", "sinceTime"} <= request.query.keys():
        both = Cause.forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified")
        raise _invalid(request.route.name, both)
    least = {"tailLines": 0, "sinceSeconds": 1, "limitBytes": 1}
    for field, low in least.items():
        if field in request.query and (given := request.number(field)) < low:
            detail = "must be greater than or equal to 0" if low == 0 else "must be greater than 0"
            raise _invalid(request.route.name, Cause.invalid(field, given, detail))


def _invalid(name: str, cause: Cause) -> ApiError:
    details: dict[str, Any] = {"name": name, "kind": "PodLogOptions", "causes": [cause.wire()]}
    return ApiError("Invalid", f'PodLogOptions "{name}" is invalid: {cause}', details=details)


def _explain(pod: Object, container: str, *, previous: bool) -> None:
    """Why there is no log, in the kubelet's words; a container that has written nothing has an empty one."""
    name = pod["metadata"]["name"]
    if previous:
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    found = next((s for s in _statuses(pod) if s["name"] == container), None)
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
    return list(map(_bare, lines))
