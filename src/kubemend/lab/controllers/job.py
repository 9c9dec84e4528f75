"""Job: pods run until enough of them have succeeded, or too many have failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller, World
from kubemend.lab.controllers.template import pod_from
from kubemend.lab.fields import (
    Key,
    active,
    condition,
    deleting,
    finished,
    holds,
    key,
    name,
    now,
    ready,
    spec,
    status,
    uid,
    with_condition,
)
from kubemend.model.errors import KubemendError

BACKOFF_S, BACKOFF_LIMIT_S = 10.0, 360.0
"""Seconds before a failed pod is replaced, doubling with each failure up to six minutes (Kubernetes docs, Job)."""

_SUCCESS = ("CompletionsReached", "Reached expected number of succeeded pods")
_TOO_MANY = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
_TOO_LONG = ("DeadlineExceeded", "Job was active longer than specified deadline")


@dataclass(frozen=True)
class _Count:
    """How a Job stands. failed and succeeded never fall, even when finished pods are deleted."""

    active: list[Object]
    succeeded: int
    failed: int


@dataclass
class _Memory:
    """On the clock of `World.time`: since when the Job is active, and when its pods were last seen to fail."""

    started: float
    failures: int = 0
    failed_at: float = 0.0


class JobController(Controller):
    """Keeps `parallelism` pods going until `completions` succeeded. Completion mode Indexed isn't followed."""

    kind = "Job"
    sees = ("Pod",)
    component = "job-controller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._memory: dict[Key, _Memory] = {}

    async def gone(self, key: Key) -> float | None:
        """Drop what was remembered of it."""
        self._memory.pop(key, None)
        return None

    async def reconcile(self, obj: Object) -> float | None:
        """Finish it, suspend it, or give it the pods it lacks; then the status."""
        if holds(obj, "Complete") or holds(obj, "Failed"):
            return await self._expire(obj)
        memory = self._memory.setdefault(key(obj), _Memory(self.world.time()))
        count = self._count(obj)
        if count.failed > memory.failures:
            memory.failures, memory.failed_at = count.failed, self.world.time()
        if deleting(obj):
            return None
        if (end := _target(obj) or self._end(obj, count, memory)) is not None:
            await self._finish(obj, count, *end)
            return None
        if spec(obj).get("suspend"):
            memory.started = self.world.time()
            await self._stop(count)
            await self._report(obj, self._count(obj), _suspended(obj, True))
            return None
        failure = await self._fill(obj, count, memory)
        await self._report(obj, self._count(obj), _suspended(obj, False))
        if failure is not None:
            raise failure
        return self._wait(obj, self._count(obj), memory)

    def _count(self, obj: Object) -> _Count:
        pods = self.seen.owned(obj, "Pod")
        phases = [status(p).get("phase") for p in pods]
        return _Count(
            [p for p in pods if active(p)],
            max(status(obj).get("succeeded", 0), phases.count("Succeeded")),
            max(status(obj).get("failed", 0), phases.count("Failed")),
        )

    def _end(self, obj: Object, count: _Count, memory: _Memory) -> tuple[str, str, str] | None:
        """(condition type, reason, message) when it has come to its end."""
        limit, deadline = spec(obj).get("backoffLimit", 6), spec(obj).get("activeDeadlineSeconds")
        if count.failed > limit or _restarted_too_often(obj, count.active, limit):
            return ("Failed", *_TOO_MANY)
        if deadline is not None and self.world.time() - memory.started >= deadline and not spec(obj).get("suspend"):
            return ("Failed", *_TOO_LONG)
        if count.succeeded >= _completions(obj) and not (count.active and _completions(obj)):
            return ("Complete", *_SUCCESS)
        return None

    async def _finish(self, obj: Object, count: _Count, type_: str, reason: str, message: str) -> None:
        """Stop what still runs; a Job has failed only once that is gone."""
        await self._stop(count)
        if type_ == "Failed":
            count = replace(count, failed=count.failed + len(count.active))  # who is stopped has failed, too
        first = "SuccessCriteriaMet" if type_ == "Complete" else "FailureTarget"
        conditions = list(status(obj).get("conditions") or [])
        stopping = type_ == "Failed" and self._stopping(obj)
        for each in (first,) if stopping else (first, type_):
            new = {"type": each, "status": "True", "reason": reason, "message": message, "lastProbeTime": now()}
            conditions = with_condition(conditions, new)
        ended = {"completionTime": now()} if type_ == "Complete" else {}
        await self._report(obj, replace(count, active=[]), conditions, ended)
        if stopping:
            return
        if type_ == "Complete":
            await self.recorder.normal(obj, "Completed", "Job completed")
        else:
            await self.recorder.warning(obj, reason, message)

    def _stopping(self, obj: Object) -> int:
        """How many of its pods are on their way out."""
        return sum(deleting(p) and not finished(p) for p in self.seen.owned(obj, "Pod"))

    async def _stop(self, count: _Count) -> None:
        for pod in count.active:
            await self.seen.delete(pod)

    async def _fill(self, obj: Object, count: _Count, memory: _Memory) -> KubemendError | None:
        """Create or delete pods as parallelism and remaining completions want. Returns a refusal, if any."""
        wanted = _wanted(obj, count)
        for pod in count.active[wanted:]:
            await self.seen.delete(pod)
            await self.recorder.normal(obj, "SuccessfulDelete", f"Deleted pod: {name(pod)}")
        if self._holdoff(memory) > 0:
            return None
        for _ in range(wanted - len(count.active)):
            try:
                made = await self.seen.create(pod_from(spec(obj)["template"], obj, extra=_labels(obj)))
            except KubemendError as refused:
                await self.recorder.warning(obj, "FailedCreate", f"Error creating: {refused.message}")
                return refused
            await self.recorder.normal(obj, "SuccessfulCreate", f"Created pod: {name(made)}")
        return None

    def _holdoff(self, memory: _Memory) -> float:
        """Kubernetes seconds until a failed pod may be replaced."""
        if not memory.failures:
            return 0.0
        delay = float(min(BACKOFF_S * 2 ** (memory.failures - 1), BACKOFF_LIMIT_S))
        return memory.failed_at + delay - self.world.time()

    def _wait(self, obj: Object, count: _Count, memory: _Memory) -> float | None:
        """Real seconds until the back-off or the deadline ends, whichever is first."""
        waits = [] if count.active else [self._holdoff(memory)]
        if (deadline := spec(obj).get("activeDeadlineSeconds")) is not None:
            waits.append(memory.started + deadline - self.world.time())
        return min((max(0.0, w) * self.world.pace for w in waits if w > 0), default=None)

    async def _expire(self, obj: Object) -> float | None:
        """Delete a finished Job `ttlSecondsAfterFinished` after its end."""
        ttl = spec(obj).get("ttlSecondsAfterFinished")
        if ttl is None or deleting(obj):
            return None
        memory = self._memory.setdefault(key(obj), _Memory(self.world.time()))
        memory.failed_at = memory.failed_at or self.world.time()
        left = float((memory.failed_at + ttl - self.world.time()) * self.world.pace)
        if left > 0:
            return left
        await self.seen.delete(obj)
        return None

    async def _report(
        self, obj: Object, count: _Count, conditions: list[dict[str, Any]], ended: dict[str, Any] | None = None
    ) -> None:
        numbers = {
            "active": len(count.active),
            "ready": sum(map(ready, count.active)),
            "succeeded": count.succeeded,
            "failed": count.failed,
        }
        started = {} if spec(obj).get("suspend") else {"startTime": status(obj).get("startTime") or now()}
        new: dict[str, Any] = {
            **started,
            **{k: v for k, v in numbers.items() if v},
            "ready": numbers["ready"],
            "terminating": self._stopping(obj),
            "uncountedTerminatedPods": {},
            **({"conditions": conditions} if conditions else {}),
            **(ended or {}),
        }
        await self.tell(obj, new)


def _target(obj: Object) -> tuple[str, str, str] | None:
    """The end that it is coming to: its pods are being stopped."""
    found = condition(obj, "FailureTarget")
    return None if found is None else ("Failed", found["reason"], found["message"])


def _completions(obj: Object) -> int:
    found = spec(obj).get("completions")
    return 1 if found is None else int(found)


def _wanted(obj: Object, count: _Count) -> int:
    """How many pods should be going. Without `completions`, none is started any more once one has succeeded."""
    parallel, completions = int(spec(obj).get("parallelism", 1)), spec(obj).get("completions")
    if completions is None:
        return len(count.active) if count.succeeded else parallel
    return max(0, min(parallel, int(completions) - count.succeeded))


def _restarted_too_often(obj: Object, pods: list[Object], limit: int) -> bool:
    """With restartPolicy OnFailure the containers' restarts count against the limit (`pastBackoffLimitOnFailure`)."""
    if spec(obj)["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    fields = ("initContainerStatuses", "containerStatuses")
    restarts = sum(c.get("restartCount", 0) for p in pods for f in fields for c in status(p).get(f) or ())
    return bool(restarts and restarts >= limit)


def _suspended(obj: Object, suspended: bool) -> list[dict[str, Any]]:
    conditions = list(status(obj).get("conditions") or [])
    if suspended:
        new = {"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended"}
        if (had := next((c for c in conditions if c["type"] == "Suspended"), None)) is not None:
            new["lastProbeTime"] = had.get("lastProbeTime")
        new.setdefault("lastProbeTime", now())
    elif any(c["type"] == "Suspended" for c in conditions):
        new = {"type": "Suspended", "status": "False", "reason": "JobResumed", "message": "Job resumed"}
    else:
        return conditions
    return with_condition(conditions, new)


def _labels(obj: Object) -> dict[str, str]:
    return {
        "batch.kubernetes.io/controller-uid": uid(obj),
        "batch.kubernetes.io/job-name": name(obj),
        "controller-uid": uid(obj),
        "job-name": name(obj),
    }
