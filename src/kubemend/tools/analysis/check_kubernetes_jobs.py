"""Tool: Jobs and CronJobs."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import CronJob, Job
from kubemend.model.objects.meta import condition
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH
from kubemend.tools.words import Scope

_WORST = {"failed": 0, "suspended": 2, "complete": 3}
"""Order in which states are shown; what runs comes second."""


class JobRow(Struct, frozen=True):
    """One Job. state: "running", "complete", "failed" or "suspended". why: the controller's reason for a failure."""

    name: str
    namespace: str
    state: str
    why: str
    cronjob: str
    completions: int | None
    parallelism: int
    succeeded: int
    failed: int
    active: int
    start_time: datetime | None
    completion_time: datetime | None
    took_s: float | None


class CronJobRow(Struct, frozen=True):
    """One CronJob. active_jobs: how many of its Jobs run now."""

    name: str
    namespace: str
    schedule: str
    suspend: bool
    concurrency_policy: str
    active_jobs: int
    last_schedule_time: datetime | None
    last_successful_time: datetime | None


class JobsReport(Struct, frozen=True):
    """Failed Jobs first, then running ones, then the newest. cronjobs: None when they could not be read."""

    total_jobs: int
    failed_jobs: int
    jobs: tuple[JobRow, ...]
    total_cronjobs: int | None
    cronjobs: tuple[CronJobRow, ...] | None
    cronjobs_note: str


@tool(
    risk=Risk.READ,
    needs={Access("list", "jobs", "batch"), Access("list", "cronjobs", "batch")},
    examples=({"namespace": "shop"},),
)
async def check_kubernetes_jobs(cluster: Look, *, namespace: Scope = None) -> JobsReport:
    """Show Jobs with their state and why they failed, and CronJobs with their schedule and last runs."""
    jobs = sorted(map(_job, await cluster.list(Job, namespace)), key=_rank)
    crons = await cluster.beside(CronJob, namespace)
    active = [j.cronjob for j in jobs if j.state == "running" and j.cronjob]
    rows = None if crons is None else tuple(_cron(c, active.count(f"{c.namespace}/{c.name}")) for c in crons)
    suspended = sum(c.suspend for c in rows or ())
    return JobsReport(
        total_jobs=len(jobs),
        failed_jobs=sum(j.state == "failed" for j in jobs),
        jobs=tuple(jobs),
        total_cronjobs=None if rows is None else len(rows),
        cronjobs=rows,
        cronjobs_note=f"{suspended} suspended: they make no Jobs" if suspended else "",
    )


def _rank(row: JobRow) -> tuple[int, float, str, str]:
    return _WORST.get(row.state, 1), -(row.start_time or EPOCH).timestamp(), row.namespace, row.name


def _job(job: Job) -> JobRow:
    status, owner = job.status, job.metadata.controller
    state, why = _state(job)
    begun, ended = status.start_time, status.completion_time
    return JobRow(
        name=job.name,
        namespace=job.namespace,
        state=state,
        why=why,
        cronjob=f"{job.namespace}/{owner.name}" if owner is not None and owner.kind == "CronJob" else "",
        completions=job.spec.completions,
        parallelism=job.spec.parallelism,
        succeeded=status.succeeded,
        failed=status.failed,
        active=status.active,
        start_time=begun,
        completion_time=ended,
        took_s=None if begun is None or ended is None else (ended - begun).total_seconds(),
    )


def _state(job: Job) -> tuple[str, str]:
    for type_, state in (("Failed", "failed"), ("Complete", "complete")):
        found = condition(job.status.conditions, type_)
        if found is not None and found.status == "True":
            return state, f"{found.reason}: {found.message}".strip(": ") if state == "failed" else ""
    return ("suspended" if job.spec.suspend else "running"), ""


def _cron(cron: CronJob, active: int) -> CronJobRow:
    spec, status = cron.spec, cron.status
    return CronJobRow(
        name=cron.name,
        namespace=cron.namespace,
        schedule=spec.schedule,
        suspend=spec.suspend,
        concurrency_policy=spec.concurrency_policy,
        active_jobs=active,
        last_schedule_time=status.last_schedule_time,
        last_successful_time=status.last_successful_time,
    )
