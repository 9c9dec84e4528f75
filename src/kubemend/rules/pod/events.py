"""What the kubelet said of a pod: its events, found without looking through all of them for each pod."""

from __future__ import annotations

from datetime import UTC, datetime

from kubemend.model.objects import Event, Pod
from kubemend.model.snapshot import Snapshot

_NEVER = datetime.min.replace(tzinfo=UTC)


class Events:
    """The events of one snapshot by pod."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def of(self, pod: Pod, reason: str, *, container: str = "", says: str = "") -> list[Event]:
        """A pod's events of one reason, newest first.

        They are of this very pod (uid), not of an earlier one of its name; of one container, when it is
        named and the event names any; and hold the text `says`, in whatever case.
        """
        found = [
            e
            for e in self._snapshot.group(Event, _about_pod, (pod.namespace, pod.name))
            if e.reason == reason
            and e.involved_object.uid in ("", pod.metadata.uid)
            and _of_container(e, container)
            and says.lower() in e.message.lower()
        ]
        return sorted(found, key=lambda e: (e.last_seen or _NEVER, e.name), reverse=True)


def _about_pod(event: Event) -> tuple[str, str] | None:
    return (event.namespace, event.involved_object.name) if event.involved_object.kind == "Pod" else None


def _of_container(event: Event, container: str) -> bool:
    path = event.involved_object.field_path
    return not container or not path or path.endswith(f"{{{container}}}")
