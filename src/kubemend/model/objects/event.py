"""Event (core/v1): evidence that the API server forgets after an hour."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from kubemend.model.objects.meta import Obj, Part


class InvolvedObject(Part, frozen=True, gc=False):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class Event(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "events"

    involved_object: InvolvedObject = InvolvedObject()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 1
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None

    @property
    def last_seen(self) -> datetime | None:
        """The newest time the event carries; newer clients fill `eventTime` only."""
        return self.last_timestamp or self.event_time or self.metadata.creation_timestamp
