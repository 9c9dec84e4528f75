"""Job and CronJob (batch/v1)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from kubemend.model.objects.meta import Condition, LabelSelector, Obj, Part
from kubemend.model.objects.pod import PodTemplate


class JobSpec(Part, frozen=True, gc=False):
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    suspend: bool = False
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()


class JobStatus(Part, frozen=True, gc=False):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()


class Job(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "jobs"
    group: ClassVar[str] = "batch"

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobTemplate(Part, frozen=True, gc=False):
    spec: JobSpec = JobSpec()


class CronJobSpec(Part, frozen=True, gc=False):
    schedule: str = ""
    suspend: bool = False
    concurrency_policy: str = "Allow"
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(Part, frozen=True, gc=False):
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "cronjobs"
    group: ClassVar[str] = "batch"

    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
