"""Cron schedules: five fields, and the next minute that they name. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_HORIZON_DAYS = 5 * 366
"""A schedule that names no day within five years names none (30 February)."""


class ScheduleError(ValueError):
    """The text is no schedule; the message says why."""


@dataclass(frozen=True)
class Schedule:
    """The minutes that a cron expression names."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Both day fields are restricted: then a day that either of them names counts (crontab(5))."""

    def after(self, moment: datetime) -> datetime | None:
        """The first minute named after `moment`, in its time zone."""
        first = (moment + timedelta(minutes=1)).replace(second=0, microsecond=0)
        day = first
        for _ in range(_HORIZON_DAYS):
            if self._names(day):
                for hour in sorted(h for h in self.hours if h >= day.hour):
                    earliest = day.minute if hour == day.hour else 0
                    minute = min((m for m in self.minutes if m >= earliest), default=None)
                    if minute is not None:
                        return day.replace(hour=hour, minute=minute)
            day = (day + timedelta(days=1)).replace(hour=0, minute=0)
        return None

    def _names(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


def parse(text: str) -> Schedule:
    """Read `minute hour day month weekday` or a macro such as `@hourly`. Raises `ScheduleError`."""
    fields = _MACROS.get(text.strip(), text).split()
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minute, hour, day, month, weekday = fields
    restricted = [f[0] not in "*?" for f in (day, weekday)]
    return Schedule(
        _field(minute, 0, 59),
        _field(hour, 0, 23),
        _field(day, 1, 31),
        _field(month, 1, 12, _MONTHS),
        frozenset(d % 7 for d in _field(weekday, 0, 7, _DAYS)),
        all(restricted),
    )


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    return frozenset(n for part in text.split(",") for n in _part(part, low, high, names))


def _part(text: str, low: int, high: int, names: tuple[str, ...]) -> range:
    span, _, step = text.partition("/")
    if span in ("*", "?"):
        first, last = low, high
    else:
        start, dash, stop = span.partition("-")
        first = _number(start, names, low)
        last = _number(stop, names, low) if dash else high if step else first
    every = _number(step, (), 0) if step else 1
    if not low <= first <= last <= high or every < 1:
        raise ScheduleError(f"{text} is not within {low}-{high}")
    return range(first, last + 1, every)


def _number(text: str, names: tuple[str, ...], low: int) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + low
    if not text.isascii() or not text.isdigit():
        raise ScheduleError(f"failed to parse int from {text}")
    return int(text)
