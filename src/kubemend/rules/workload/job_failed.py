"""KM405: a job that has given up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import CronJob, Job
from kubemend.model.objects.meta import Condition, condition
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot

_SAYS = {
    "BackoffLimitExceeded": "its pods failed more often than its back-off limit allows",
    "DeadlineExceeded": "it ran longer than its deadline allows",
    "PodFailurePolicy": "a pod failed in a way that its failure policy doesn't forgive",
    "FailedIndexes": "some of its indexes failed for good",
    "MaxFailedIndexesExceeded": "more of its indexes failed than it allows",
}


@rule("KM405", severity=Severity.ERROR, reads=(Job,), uses=(CronJob,))
def job_failed(snapshot: Snapshot) -> Iterator[Observation]:
    """A job failed and won't be tried again.

    ## What it means
    The Job's condition `Failed` is true: its pods failed too often (`backoffLimit`), it ran too long
    (`activeDeadlineSeconds`), or its failure policy ended it. Of a CronJob only the newest run counts, and not
    when a later one succeeded or the CronJob is suspended.

    ## Why it matters
    The work the job stands for (a migration, a backup, a report) was not done.

    ## What to do
    Read the log of its last pod. Once the cause is gone, run the job anew: a Job that has failed can't be
    resumed. A CronJob's next run comes by itself.
    """
    for job in snapshot.all(Job):
        failure = condition(job.status.conditions, "Failed")
        if failure is None or failure.status != "True" or _is_history(snapshot, job, failure):
            continue
        at = job.status.conditions.index(failure)
        why = _SAYS.get(failure.reason, "its controller gives no known reason")
        yield Observation(
            about=job.ref,
            says=f"job {job.name} failed: {why} ({job.status.failed} failed, {job.status.succeeded} succeeded pods)",
            evidence=(cite(job, "status", "conditions", at, "type"), cite(job, "status", "conditions", at, "reason")),
            confidence=0.95,
            facts={"job": job.name, "reason": failure.reason},
        )


def _is_history(snapshot: Snapshot, job: Job, failure: Condition) -> bool:
    cron = snapshot.owner(job)
    if not isinstance(cron, CronJob):
        return job.metadata.deletion_timestamp is not None
    if cron.spec.suspend or _later(cron.status.last_successful_time, failure.last_transition_time):
        return True
    runs = snapshot.owned(cron, Job)
    newest = max(runs, key=lambda j: (j.metadata.creation_timestamp is not None, j.metadata.creation_timestamp, j.name))
    return newest.name != job.name and _ended(newest)


def _ended(job: Job) -> bool:
    return any(c.type in ("Complete", "Failed") and c.status == "True" for c in job.status.conditions)


def _later(a: datetime | None, b: datetime | None) -> bool:
    return a is not None and (b is None or a > b)
