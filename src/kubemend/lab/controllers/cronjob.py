"""CronJob: a Job at each time its schedule names. Schedules follow the wall clock whatever the pace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.controllers.schedule import Schedule, ScheduleError, parse
from kubemend.lab.fields import (
    annotated,
    deleting,
    holds,
    labels,
    name,
    namespace,
    now,
    owner_reference,
    spec,
    status,
    uid,
)
from kubemend.model.errors import KubemendError


class CronJobController(Controller):
    """Starts Jobs on time, and keeps the last few that ended."""

    kind = "CronJob"
    sees = ("Job",)
    component = "cronjob-controller"

    async def reconcile(self, obj: Object) -> float | None:
        """Start what is due, tidy up, tell the status. Returns seconds until the next time."""
        jobs = self.seen.owned(obj, "Job")
        await self._tidy(obj, jobs)
        new = self._status(obj, jobs)
        wait: float | None = None
        if not deleting(obj) and not spec(obj).get("suspend") and (schedule := await self._schedule(obj)) is not None:
            wait, started = await self._start(obj, schedule, jobs)
            new |= started
        await self.tell(obj, new)
        return wait

    async def _schedule(self, obj: Object) -> Schedule | None:
        try:
            return parse(spec(obj)["schedule"])
        except ScheduleError as error:
            said = f'unparseable schedule: "{spec(obj)["schedule"]}" : {error}'
            await self.recorder.warning(obj, "UnparseableSchedule", said)
            return None

    async def _start(self, obj: Object, schedule: Schedule, jobs: list[Object]) -> tuple[float | None, dict[str, Any]]:
        """Start the Job of the last time that passed, if one did. Returns seconds until the next, and its status."""
        zone = await self._zone(obj)
        if zone is None:
            return None, {}
        this = datetime.now(zone)
        since = status(obj).get("lastScheduleTime") or obj["metadata"]["creationTimestamp"]
        due, following = None, schedule.after(datetime.fromisoformat(since).astimezone(zone))
        while following is not None and following <= this:
            due, following = following, schedule.after(following)
        wait = None if following is None else (following - this).total_seconds()
        if due is None or not await self._allowed(obj, jobs):
            return wait, {}
        await self._run(obj, due)
        return wait, {"lastScheduleTime": due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def _zone(self, obj: Object) -> ZoneInfo | None:
        wanted = spec(obj).get("timeZone") or "UTC"
        try:
            return ZoneInfo(wanted)
        except (ZoneInfoNotFoundError, ValueError) as error:
            await self.recorder.warning(obj, "UnknownTimeZone", f'invalid timeZone: "{wanted}": {error}')
            return None

    async def _allowed(self, obj: Object, jobs: list[Object]) -> bool:
        running = [j for j in jobs if not _ended(j)]
        policy = spec(obj).get("concurrencyPolicy", "Allow")
        if running and policy == "Forbid":
            said = "Not starting job because prior execution is running and concurrency policy is Forbid"
            await self.recorder.normal(obj, "JobAlreadyActive", said)
            return False
        for job in running if policy == "Replace" else ():
            await self.seen.delete(job)
        return True

    async def _run(self, obj: Object, due: datetime) -> None:
        try:
            made = await self.seen.create(_job(obj, due))
        except KubemendError as refused:
            await self.recorder.warning(obj, "FailedCreate", f"Error creating job: {refused.message}")
            raise
        await self.recorder.normal(obj, "SuccessfulCreate", f"Created job {name(made)}")

    async def _tidy(self, obj: Object, jobs: list[Object]) -> None:
        for condition, field, default in (
            ("Complete", "successfulJobsHistoryLimit", 3),
            ("Failed", "failedJobsHistoryLimit", 1),
        ):
            ended = sorted((j for j in jobs if holds(j, condition) and not deleting(j)), key=name)
            for job in ended[: max(0, len(ended) - spec(obj).get(field, default))]:
                await self.seen.delete(job)
                await self.recorder.normal(obj, "SuccessfulDelete", f"Deleted job {name(job)}")

    def _status(self, obj: Object, jobs: list[Object]) -> dict[str, Any]:
        running = sorted((j for j in jobs if not _ended(j)), key=name)
        active = [_reference(j) for j in running]
        times = [t for j in jobs if holds(j, "Complete") and (t := status(j).get("completionTime"))]
        kept = {k: v for k in ("lastScheduleTime", "lastSuccessfulTime") if (v := status(obj).get(k))}
        last = {"lastSuccessfulTime": max(times)} if times else {}
        return {**kept, **last, **({"active": active} if active else {})}


def _ended(job: Object) -> bool:
    return holds(job, "Complete") or holds(job, "Failed")


def _reference(job: Object) -> dict[str, str]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name(job),
        "namespace": namespace(job),
        "uid": uid(job),
    }


def _job(obj: Object, due: datetime) -> dict[str, Any]:
    template = spec(obj)["jobTemplate"]
    stamp = {"batch.kubernetes.io/cronjob-scheduled-timestamp": now()}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            # Minutes since the epoch, as the real controller names them: one Job per scheduled time at most.
            "name": f"{name(obj)}-{int(due.timestamp()) // 60}",
            "namespace": namespace(obj),
            "labels": labels(template),
            "annotations": {**annotated(template), **stamp},
            "ownerReferences": [owner_reference(obj)],
        },
        "spec": template["spec"],
    }
