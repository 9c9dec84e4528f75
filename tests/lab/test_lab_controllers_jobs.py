"""Jobs, CronJobs, and the schedules they follow."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import SPACE, container, gone, plain, running, told

from kubemend.lab.controllers.schedule import ScheduleError, parse
from kubemend.lab.fields import condition, name, status


def job(named: str = "once", *command: str, policy: str = "Never", **more) -> dict:
    pods = {"spec": {"containers": [container("busybox:1.36", command=list(command))], "restartPolicy": policy}}
    return plain("Job", named, version="batch/v1", spec={"template": pods, **more})


async def test_a_job_completes_when_enough_pods_succeeded():
    async with running() as lab:
        await lab.create(job("once", "true", completions=3, parallelism=2))
        said = await lab.until(told("Job", "once", "Complete", "CompletionsReached"))
        assert said["message"] == "Reached expected number of succeeded pods"
        found = status(lab.get("Job", "once"))
        assert (found["succeeded"], found.get("active", 0), found.get("failed", 0)) == (3, 0, 0)
        assert found["completionTime"]
        assert condition(lab.get("Job", "once"), "SuccessCriteriaMet")["status"] == "True"
        assert await lab.event("once", "Completed") == "Job completed"


async def test_a_job_fails_beyond_its_backoff_limit():
    async with running() as lab:
        await lab.create(job("once", "false", backoffLimit=1))
        said = await lab.until(told("Job", "once", "Failed", "BackoffLimitExceeded"))
        assert said["message"] == "Job has reached the specified backoff limit"
        assert status(lab.get("Job", "once"))["failed"] == 2
        assert await lab.event("once", "BackoffLimitExceeded") == said["message"]


async def test_restarts_count_against_the_limit_when_the_container_is_restarted_in_place():
    async with running() as lab:
        await lab.create(job("once", "false", policy="OnFailure", backoffLimit=2))
        await lab.until(told("Job", "once", "Failed", "BackoffLimitExceeded"))
        await lab.until(lambda _seen: not lab.pods())


async def test_a_job_that_takes_too_long_is_ended():
    async with running() as lab:
        await lab.create(job("once", "sleep", "3600", activeDeadlineSeconds=5))
        await lab.until(told("Job", "once", "Failed", "DeadlineExceeded"))


async def test_a_suspended_job_has_no_pods_until_it_is_resumed():
    async with running() as lab:
        await lab.create(job("once", "true", suspend=True))
        await lab.until(told("Job", "once", "Suspended", "JobSuspended"))
        assert not lab.pods()
        await lab.patch("Job", "once", {"spec": {"suspend": False}})
        await lab.until(told("Job", "once", "Complete", "CompletionsReached"))


async def test_a_finished_job_goes_after_its_time_to_live():
    async with running() as lab:
        await lab.create(job("once", "true", ttlSecondsAfterFinished=2))
        await lab.until(gone("Job", "once"))
        await lab.until(lambda _seen: not lab.pods())


def cron(schedule: str, **more) -> dict:
    template = {"spec": {"template": job("x", "true")["spec"]["template"]}}
    return plain("CronJob", "tick", version="batch/v1", spec={"schedule": schedule, "jobTemplate": template, **more})


async def test_a_cron_job_starts_the_job_of_a_time_that_passed():
    async with running() as lab:
        lab.store.clock = lambda: datetime(2020, 1, 1, tzinfo=UTC)
        await lab.create(cron("0 0 1 * *"))
        await lab.until(lambda _seen: status(lab.get("CronJob", "tick")).get("lastSuccessfulTime"))
        made = lab.store.all("Job", SPACE)
        assert len(made) == 1
        assert name(made[0]).startswith("tick-")
        assert status(lab.get("CronJob", "tick"))["lastScheduleTime"].endswith("-01T00:00:00Z")


async def test_a_suspended_cron_job_starts_nothing():
    async with running() as lab:
        lab.store.clock = lambda: datetime(2020, 1, 1, tzinfo=UTC)
        other = {"metadata": {"name": "on", "namespace": SPACE}}
        await lab.create(cron("0 0 1 * *", suspend=True), cron("0 0 1 * *") | other)
        await lab.until(lambda _seen: lab.store.all("Job", SPACE))
        assert all(name(j).startswith("on-") for j in lab.store.all("Job", SPACE))


NEW_YEAR = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
"""A Thursday."""


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("* * * * *", "2026-01-01T12:31"),
        ("*/15 * * * *", "2026-01-01T12:45"),
        ("0 3 * * *", "2026-01-02T03:00"),
        ("0 9-17/4 * * mon-fri", "2026-01-01T13:00"),
        ("30 12 1 * *", "2026-02-01T12:30"),
        ("0 0 1 * 1", "2026-01-05T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 * * 7", "2026-01-04T00:00"),
        ("@hourly", "2026-01-01T13:00"),
        ("5,10 13 * jan *", "2026-01-01T13:05"),
    ],
)
def test_the_next_minute_a_schedule_names(text, following):
    found = parse(text).after(NEW_YEAR)
    assert found is not None
    assert found.strftime("%Y-%m-%dT%H:%M") == following


def test_a_day_that_never_comes_is_never():
    assert parse("0 0 30 2 *").after(NEW_YEAR) is None


@pytest.mark.parametrize(
    "text", ["", "* * * *", "61 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "* * * * * *"]
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ScheduleError):
        parse(text)


@given(
    st.tuples(st.integers(0, 59), st.integers(0, 23), st.integers(1, 28), st.integers(1, 12)),
    st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_the_next_time_is_later_and_as_named(fields, moment):
    minute, hour, day, month = fields
    found = parse(f"{minute} {hour} {day} {month} *").after(moment)
    assert found is not None
    assert found > moment
    assert (found.minute, found.hour, found.day, found.month) == fields
