"""How `kubectl get` words things: ages, lists, selectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kubemend.lab.api import Object

NONE, UNKNOWN, UNSET = "<none>", "<unknown>", "<unset>"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def moment(text: str | None) -> datetime | None:
    """A timestamp as objects carry it."""
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def age(since: str | None, now: datetime) -> str:
    """How long ago, or `<unknown>`."""
    start = moment(since)
    return UNKNOWN if start is None else lasting((now - start).total_seconds())


def lasting(seconds: float) -> str:
    """A duration in at most two units (`k8s.io/apimachinery/pkg/util/duration.HumanDuration`)."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 8 * 365 else f"{days // 365}y"


def _two(large: int, unit: str, small: int, subunit: str) -> str:
    return f"{large}{unit}{small}{subunit}" if small else f"{large}{unit}"


def some(items: Sequence[str], most: int = 3) -> str:
    """A list, cut short."""
    if not items:
        return NONE
    told = ",".join(items[:most])
    return f"{told} + {len(items) - most} more..." if len(items) > most else told


def labels(found: Mapping[str, str] | None) -> str:
    """ "a=b,c=d" in the order of the keys."""
    return ",".join(f"{k}={v}" for k, v in sorted((found or {}).items())) or NONE


def selector(found: Object | None) -> str:
    """A label selector."""
    if found is None:
        return NONE
    told = [f"{k}={v}" for k, v in sorted((found.get("matchLabels") or {}).items())]
    for term in found.get("matchExpressions") or ():
        values = f" ({','.join(sorted(term['values']))})" if term.get("values") else ""
        words = {"Exists": term["key"], "DoesNotExist": f"!{term['key']}"}
        told.append(words.get(term["operator"], f"{term['key']} {term['operator'].lower()}{values}"))
    return ",".join(told) or NONE


def modes(found: Iterable[str] | None) -> str:
    """Access modes in short."""
    return ",".join(_MODES.get(m, m) for m in found or ())


def images(pod_spec: Object) -> tuple[str, str]:
    """The containers' names and images."""
    containers = pod_spec.get("containers") or ()
    return ",".join(c["name"] for c in containers), ",".join(c.get("image", "") for c in containers)


def at(obj: Any, *path: str, default: Any = None) -> Any:
    """What stands at a path, or the default where it ends early."""
    for step in path:
        if not isinstance(obj, dict) or obj.get(step) is None:
            return default
        obj = obj[step]
    return obj
