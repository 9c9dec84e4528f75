"""Requests and limits by what was really used: the `simple` strategy of KRR, to the digit.

KRR (github.com/robusta-dev/krr, `robusta_krr/strategies/simple.py`, `core/runner.py`, `core/models/config.py`):

    CPU request    = max over pods of the 95th percentile, over 14 days, of rate(container_cpu_usage_seconds_total)
    CPU limit      = none
    memory request = memory limit = max(max over pods and 14 days of the working set x 1.15,
                                        largest memory limit at which it was killed for memory x 1.25)
    rounded up to 1m of CPU and 1 MiB of memory; never below 10m and 100 MiB

A resource gets no number when fewer than 100 points of it are known, and when a HorizontalPodAutoscaler drives the
workload by that resource. KRR looks at kills for memory only when told to (`--use_oomkill_data`); here they always
count, for a limit below one that was too small is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from msgspec import Struct, structs

from kubemend.kube.histogram import CPU, MEMORY, Record
from kubemend.kube.quantity import format_bytes, format_cores, parse
from kubemend.model.objects import Container

PERCENTILE = Decimal("0.95")
BUFFER, OOM_BUFFER = Decimal("1.15"), Decimal("1.25")
POINTS = 100
LEAST_CORES, LEAST_BYTES = Decimal("0.010"), 100 * 2**20
MILLI, MEBI = Decimal("0.001"), 2**20

FORMULA = {
    "cpu": "request = max over pods of quantile_over_time(0.95, rate(container_cpu_usage_seconds_total[1m])[14d:1m]), "
    "rounded up to 1m, at least 10m; no limit (KRR simple)",
    "memory": "request = limit = max(1.15 * max over pods of max_over_time(container_memory_working_set_bytes[14d:1m])"
    ", 1.25 * largest limit it was OOM-killed at), rounded up to 1 MiB, at least 100 MiB (KRR simple)",
}

FORMULA_OWN = {
    "cpu": "request = 1.15 * 90th percentile of samples, each weighing its pod's request (0.1 at least) and half as "
    "much a day later; at least 25m / containers (VPA recommender, our own samples)",
    "memory": "request = 1.15 * 90th percentile of daily peaks, each weighing half as much a day later; at least "
    "250 MiB / containers; after a kill at least 1.2 * limit and limit + 100 MiB (VPA recommender, our own samples)",
}
MARGIN, TARGET = 1.15, 0.9
LEAST_DAYS = 1.0
"""What our own samples must cover: less than a day has seen no night."""

AUTOSCALED = "a HorizontalPodAutoscaler drives it by this resource: another request changes when it scales"

_CPU_GRADES = ((Decimal("0.5"), "critical"), (Decimal("0.25"), "warning"), (Decimal("0.1"), "ok"))
_MEMORY_GRADES = ((500 * MEBI, "critical"), (250 * MEBI, "warning"), (100 * MEBI, "ok"))


class History(Struct, frozen=True):
    """What is known of one container's use over time, over all its pods.

    cores_p95: the highest of the pods' 95th percentiles; bytes_max: the highest working set; None without data.
    points: how many values stand behind each. oom_limit_bytes: the largest memory limit it was killed at.
    """

    cores_p95: Decimal | None = None
    bytes_max: Decimal | None = None
    cpu_points: int = 0
    memory_points: int = 0
    oom_limit_bytes: Decimal | None = None


class Amount(Struct, frozen=True):
    """A quantity as Kubernetes writes it, and as a number: cores or bytes."""

    quantity: str
    number: float


class Advice(Struct, frozen=True, kw_only=True):
    """One resource of one container. recommended_*: None stands for unset, or for no advice when `info` is filled.

    info: why there is no advice, or what made it higher. points: values behind it. change: "raise", "lower", "keep",
    "set" or "" without advice. severity: by how far request and advice differ, as KRR grades it: critical from 0.5
    cores or 500 MiB, warning from 0.25 or 250, ok from 0.1 or 100, else good; warning where one side is missing.
    """

    resource: str
    current_request: Amount | None
    current_limit: Amount | None
    recommended_request: Amount | None = None
    recommended_limit: Amount | None = None
    observed: Amount | None = None
    points: int = 0
    change: str = ""
    severity: str = "unknown"
    info: str = ""
    formula: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return self.recommended_request is not None


def cpu(container: Container, history: History, *, autoscaled: bool) -> Advice:
    """CPU of one container."""
    why = _lacking(history.cores_p95, history.cpu_points, autoscaled)
    if why or history.cores_p95 is None:
        return _without("cpu", container, history.cpu_points, why)
    wanted = max(_up(history.cores_p95, MILLI), LEAST_CORES)
    return _advised("cpu", container, request=wanted, limit=None, observed=history.cores_p95, points=history.cpu_points)


def memory(container: Container, history: History, *, autoscaled: bool) -> Advice:
    """Memory of one container."""
    why = _lacking(history.bytes_max, history.memory_points, autoscaled)
    if why or history.bytes_max is None:
        return _without("memory", container, history.memory_points, why)
    killed = (history.oom_limit_bytes or Decimal()) * OOM_BUFFER
    wanted = max(history.bytes_max * BUFFER, killed)
    rounded = max(_up(wanted, Decimal(MEBI)), Decimal(LEAST_BYTES))
    info = "it was killed for memory" if history.oom_limit_bytes else ""
    return _advised(
        "memory",
        container,
        request=rounded,
        limit=rounded,
        observed=history.bytes_max,
        points=history.memory_points,
        info=info,
    )


def of_record(
    resource: str,
    container: Container,
    record: Record,
    *,
    containers: int,
    killed: Decimal | None,
    autoscaled: bool = False,
) -> Advice:
    """One resource by our own samples, as VPA's recommender reckons its target; limits keep their ratio to requests.

    containers: of the pod, which share its least amount. killed: the largest limit it was killed for memory at; that
    is a number of its own, even before there are enough samples for another.
    """
    cpu, enough = resource == "cpu", record.samples >= POINTS and record.days >= LEAST_DAYS
    days = f"{record.days:.1f} of {LEAST_DAYS:.0f} days"
    short = f"not enough data: {record.samples} of {POINTS} samples of our own, over {days}"
    bumped = None if cpu or killed is None else max(killed * Decimal("1.2"), killed + 100 * MEBI)
    if autoscaled or (not enough and bumped is None):
        return _without(resource, container, record.samples, AUTOSCALED if autoscaled else short, FORMULA_OWN)
    histogram, scale = (record.cpu, CPU) if cpu else (record.memory, MEMORY)
    observed, wanted = killed or Decimal(), bumped or Decimal()
    if enough:
        observed = Decimal(repr(histogram.percentile(scale, TARGET)))
        wanted = max(observed * Decimal(repr(MARGIN)), Decimal("0.025" if cpu else 250 * MEBI) / containers, wanted)
    request = _up(wanted, MILLI if cpu else Decimal(MEBI))
    told = f"from {record.days:.1f} days of our own samples" if enough else f"from its kill for memory alone; {short}"
    made = _advised(
        resource, container, request=request, limit=None, observed=observed, points=record.samples, info=told
    )
    limit = _scaled(made, request, MILLI if cpu else Decimal(MEBI))
    kept = None if limit is None else amount(resource, limit)
    return structs.replace(made, recommended_limit=kept, formula=FORMULA_OWN[resource])


def _scaled(told: Advice, request: Decimal, step: Decimal) -> Decimal | None:
    """The limit in the ratio to the request that it has now; as it is, or the request if that is more, without one."""
    if told.current_limit is None:
        return None
    limit = Decimal(repr(told.current_limit.number))
    before = Decimal(repr(told.current_request.number)) if told.current_request is not None else Decimal()
    return _up(limit * request / before, step) if before else max(limit, request)


def _lacking(observed: Decimal | None, points: int, autoscaled: bool) -> str:
    if observed is None:
        return "not enough data: nothing is known of its use over time"
    if points < POINTS:
        return f"not enough data: {points} of {POINTS} points"
    return AUTOSCALED if autoscaled else ""


def _up(amount: Decimal, step: Decimal) -> Decimal:
    return (amount / step).to_integral_value(ROUND_CEILING) * step


def _without(
    resource: str, container: Container, points: int, why: str, formula: Mapping[str, str] = FORMULA
) -> Advice:
    return Advice(
        resource=resource,
        current_request=request_of(container, resource),
        current_limit=_limit(container, resource),
        points=points,
        info=why,
        formula=formula[resource],
    )


def _advised(
    resource: str,
    container: Container,
    *,
    request: Decimal,
    limit: Decimal | None,
    observed: Decimal,
    points: int,
    info: str = "",
) -> Advice:
    before = request_of(container, resource)
    return Advice(
        resource=resource,
        current_request=before,
        current_limit=_limit(container, resource),
        recommended_request=amount(resource, request),
        recommended_limit=None if limit is None else amount(resource, limit),
        observed=amount(resource, observed),
        points=points,
        change=_change(before, request),
        severity=grade(resource, before, request),
        info=info,
        formula=FORMULA[resource],
    )


def amount(resource: str, number: Decimal) -> Amount:
    """An amount of CPU or memory; memory with the largest suffix that divides it."""
    text = format_cores(number) if resource == "cpu" else format_bytes(int(number.to_integral_value(ROUND_CEILING)))
    return Amount(text, float(number))


def request_of(container: Container, resource: str) -> Amount | None:
    """What the container requests; a limit without a request is one, as the API server defaults it."""
    resources = container.resources
    written = resources.requests.get(resource, resources.limits.get(resource))
    return None if written is None else Amount(str(written), float(parse(written)))


def _limit(container: Container, resource: str) -> Amount | None:
    written = container.resources.limits.get(resource)
    return None if written is None else Amount(str(written), float(parse(written)))


def _change(before: Amount | None, request: Decimal) -> str:
    if before is None:
        return "set"
    now = Decimal(str(before.number))
    return "keep" if now == request else "raise" if request > now else "lower"


def grade(resource: str, before: Amount | None, request: Decimal) -> str:
    """KRR's severity of a difference (`severity_calculator`)."""
    if before is None:
        return "warning"
    apart = abs(Decimal(str(before.number)) - request)
    grades = _CPU_GRADES if resource == "cpu" else _MEMORY_GRADES
    return next((word for least, word in grades if apart >= least), "good")
