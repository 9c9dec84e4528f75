"""All that the checks read of a pod, small and hashable: pods that are alike in it get one verdict.

A verdict is made from these bytes alone, so nothing can be missing in them that a check reads.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubemend.kube.podsecurity.baseline import APPARMOR, SECCOMP, SECCOMP_OF
from kubemend.kube.podsecurity.restricted import source
from kubemend.kube.podsecurity.subject import Subject
from kubemend.model.objects.wide import Anything, Container, Handler, Lifecycle, PodSpec

Seen = bytes
_PREFIXES = (APPARMOR, SECCOMP, SECCOMP_OF)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[PodSpec, dict[str, str], bool])


def seen_of(subject: Subject) -> Seen:
    """What is judged of it."""
    spec = subject.spec
    judged = PodSpec(
        containers=_containers(spec.containers),
        init_containers=_containers(spec.init_containers),
        ephemeral_containers=_containers(spec.ephemeral_containers),
        volumes=tuple(v for v in spec.volumes if _unusual(v)),
        security_context=spec.security_context,
        host_network=spec.host_network,
        host_pid=spec.host_pid,
        host_ipc=spec.host_ipc,
        host_users=spec.host_users,
        os=spec.os,
    )
    notes = {k: v for k, v in subject.annotations.items() if k.startswith(_PREFIXES)}
    return _ENCODER.encode((judged, notes, subject.relaxed))


def subject_of(seen: Seen) -> Subject:
    """A pod of which nothing else is known."""
    return Subject(*_DECODER.decode(seen))


def _containers(found: Iterable[Container]) -> tuple[Container, ...]:
    return tuple(
        Container(
            name=c.name,
            ports=tuple(p for p in c.ports if p.host_port),
            security_context=c.security_context,
            liveness_probe=_asking(c.liveness_probe),
            readiness_probe=_asking(c.readiness_probe),
            startup_probe=_asking(c.startup_probe),
            lifecycle=None if c.lifecycle is None else _hooks(c.lifecycle),
        )
        for c in found
    )


def _asking(handler: Handler | None) -> Handler | None:
    """A handler that names a host."""
    named = handler is not None and any(a is not None and a.host for a in (handler.http_get, handler.tcp_socket))
    return handler if named else None


def _hooks(hooks: Lifecycle) -> Lifecycle | None:
    asking = Lifecycle(_asking(hooks.post_start), _asking(hooks.pre_stop))
    return asking if asking.post_start or asking.pre_stop else None


def _unusual(volume: Anything) -> bool:
    return volume.get("hostPath") is not None or source(volume) is not None
