"""Events as client-go's recorder writes them: repeats are counted on one Event, and a chatterbox is muted."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

from kubemend.lab.api import Api, Object
from kubemend.lab.fields import name, namespace, now, uid
from kubemend.model.errors import KubemendError

log = logging.getLogger(__name__)

BURST = 25
"""Events that one component may write about one object at once (client-go `defaultSpamBurst`)."""
REFILL_S = 300.0
"""Seconds until it may write one more after that (client-go `defaultSpamQPS` = 1/300)."""
REMEMBERED = 4096
"""Events that are remembered for counting repeats (client-go `maxLruCacheEntries`)."""

_Sameness = tuple[str, str, str, str, str]


@dataclass
class _Allowance:
    left: float
    at: float


class Recorder:
    """Writes events of one component. A failed write is logged: an event never stops the work it tells of."""

    def __init__(self, api: Api, component: str, *, host: str = "", pace: float = 1.0) -> None:
        self._api = api
        self._source = {"component": component, **({"host": host} if host else {})}
        self._pace = pace
        self._known: OrderedDict[_Sameness, Object] = OrderedDict()
        self._allowed: OrderedDict[str, _Allowance] = OrderedDict()
        self._serial = itertools.count(time.time_ns())

    async def normal(self, obj: Object, reason: str, message: str, *, part: str = "") -> None:
        """Something that is as it should be. part: the JSON path of the part of `obj` it is about."""
        await self._write(obj, "Normal", reason, message, part)

    async def warning(self, obj: Object, reason: str, message: str, *, part: str = "") -> None:
        """Something that is not."""
        await self._write(obj, "Warning", reason, message, part)

    async def _write(self, obj: Object, type_: str, reason: str, message: str, part: str) -> None:
        if not self._may(uid(obj) or name(obj)):
            return
        same = (uid(obj) or name(obj), part, type_, reason, message)
        try:
            known = self._known.get(same)
            self._known[same] = await (
                self._create(obj, type_, reason, message, part) if known is None else self._again(known, obj, same)
            )
        except KubemendError as error:
            self._known.pop(same, None)
            log.debug("event %s on %s not written: %s", reason, name(obj), error)
        _trim(self._known)

    async def _again(self, known: Object, obj: Object, same: _Sameness) -> Object:
        """Count a repeat; the Event may have expired meanwhile."""
        if await self._api.get("Event", namespace(known), name(known)) is None:
            return await self._create(obj, same[2], same[3], same[4], same[1])
        return await self._api.patch(known, {"count": known["count"] + 1, "lastTimestamp": now()})

    async def _create(self, obj: Object, type_: str, reason: str, message: str, part: str) -> Object:
        space = namespace(obj) or "default"
        involved = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": name(obj),
            "uid": uid(obj),
            **({"namespace": namespace(obj)} if namespace(obj) else {}),
            **({"fieldPath": part} if part else {}),
            **({"resourceVersion": v} if (v := obj["metadata"].get("resourceVersion")) else {}),
        }
        return await self._api.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name(obj)}.{next(self._serial):x}", "namespace": space},
                "involvedObject": involved,
                "type": type_,
                "reason": reason,
                "message": message,
                "source": self._source,
                "reportingComponent": self._source["component"],
                "reportingInstance": self._source.get("host", ""),
                "count": 1,
                "firstTimestamp": now(),
                "lastTimestamp": now(),
            }
        )

    def _may(self, about: str) -> bool:
        """Take one event from the object's allowance (a token bucket), if one is left."""
        at = asyncio.get_running_loop().time()
        allowance = self._allowed.setdefault(about, _Allowance(BURST, at))
        allowance.left = min(BURST, allowance.left + (at - allowance.at) / (REFILL_S * self._pace))
        allowance.at = at
        _trim(self._allowed)
        if allowance.left < 1:
            return False
        allowance.left -= 1
        return True


def _trim(remembered: OrderedDict[_Sameness, Object] | OrderedDict[str, _Allowance]) -> None:
    if len(remembered) > REMEMBERED:
        remembered.popitem(last=False)
