"""What the kubelet said of a pod: its events, found without looking through all of them for each pod."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cached_property

from kubemend.model.objects import Event, Pod
from kubemend.model.snapshot import Snapshot

_NEVER = datetime.min.replace(tzinfo=UTC)


class Events:
    """The events of one snapshot by pod, indexed when first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @cached_property
    def _by_pod(self) -> dict[tuple[str, str], list[Event]]:
        held: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in self._snapshot.all(Event):
            if event.involved_object.kind == "Pod":
                held[(event.namespace, event.involved_object.name)].append(event)
        return held

    def of(self, pod: Pod, reason: str, *, container: str = "", says: str = "") -> list[Event]:
        """A pod's events of one reason, newest first.

        They are of this very pod (uid), not of an earlier one of its name; of one container, when it is
        named and the event names any; and hold the text `says`, in whatever case.
        """
        found = [
            e
            for e in self._by_pod.get((pod.namespace, pod.name), ())
            if e.reason == reason
            and e.involved_object.uid in ("", pod.metadata.uid)
            and _of_container(e, container)
            and says.lower() in e.message.lower()
        ]
        return sorted(found, key=lambda e: (e.last_seen or _NEVER, e.name), reverse=True)


def _of_container(event: Event, container: str) -> bool:
    path = event.involved_object.field_path
    return not container or not path or path.endswith(f"{{{container}}}")
