"""Which checks hold at which level and version, and a pod judged by them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kubemend.kube.podsecurity import baseline as b
from kubemend.kube.podsecurity import restricted as r
from kubemend.kube.podsecurity.labels import Level, Mode
from kubemend.kube.podsecurity.seen import Seen, seen_of, subject_of
from kubemend.kube.podsecurity.subject import Found, Subject, Violation

NEWEST = 37
"""The newest minor version whose standards are known here."""
REMEMBERED = 4096
"""Verdicts that are kept: a cluster has thousands of pods, and few that differ in what is judged."""


@dataclass(frozen=True)
class Check:
    """A check by the id that the server sorts by. since: (first minor version, what is checked from then on).

    replaces: the baseline check that it makes needless.
    """

    id: str
    level: Level
    since: tuple[tuple[int, Callable[[Subject], Found]], ...]
    replaces: str = ""

    def at(self, version: int) -> Callable[[Subject], Found] | None:
        """What is checked at a version; None before there was such a check."""
        return next((check for first, check in reversed(self.since) if first <= version), None)


_BASELINE, _RESTRICTED = Level.BASELINE, Level.RESTRICTED
_SELINUX_31 = b.SELINUX_TYPES | {"container_engine_t"}

CHECKS: tuple[Check, ...] = (
    Check("appArmorProfile", _BASELINE, ((0, b.apparmor),)),
    Check("capabilities_baseline", _BASELINE, ((0, b.capabilities),)),
    Check("hostNamespaces", _BASELINE, ((0, b.host_namespaces),)),
    Check("hostPathVolumes", _BASELINE, ((0, b.host_paths),)),
    Check("hostPorts", _BASELINE, ((0, b.host_ports),)),
    Check("hostProbesAndHostLifecycle", _BASELINE, ((34, b.hosts_asked),)),
    Check("privileged", _BASELINE, ((0, b.privileged),)),
    Check("procMount", _BASELINE, ((0, b.proc_mount), (35, b.proc_mount_35))),
    Check("seLinuxOptions", _BASELINE, ((0, b.selinux(b.SELINUX_TYPES)), (31, b.selinux(_SELINUX_31)))),
    Check("seccompProfile_baseline", _BASELINE, ((0, b.seccomp_0), (19, b.seccomp_19))),
    Check(
        "sysctls",
        _BASELINE,
        (
            (0, b.sysctls(b.SYSCTLS)),
            (27, b.sysctls(b.SYSCTLS_27)),
            (29, b.sysctls(b.SYSCTLS_29)),
            (32, b.sysctls(b.SYSCTLS_32)),
            (37, b.sysctls(b.SYSCTLS_37)),
        ),
    ),
    Check("windowsHostProcess", _BASELINE, ((0, b.windows_host_process),)),
    Check("allowPrivilegeEscalation", _RESTRICTED, ((8, r.escalation), (25, r.but_windows(r.escalation)))),
    Check(
        "capabilities_restricted",
        _RESTRICTED,
        ((22, r.capabilities), (25, r.but_windows(r.capabilities))),
        "capabilities_baseline",
    ),
    Check("procMount_restricted", _RESTRICTED, ((35, b.proc_mount_always),), "procMount"),
    Check("restrictedVolumes", _RESTRICTED, ((0, r.volumes),), "hostPathVolumes"),
    Check("runAsNonRoot", _RESTRICTED, ((0, r.non_root), (35, r.but_own_users(r.non_root)))),
    Check("runAsUser", _RESTRICTED, ((23, r.root_user), (35, r.but_own_users(r.root_user)))),
    Check(
        "seccompProfile_restricted",
        _RESTRICTED,
        ((19, r.seccomp), (25, r.but_windows(r.seccomp))),
        "seccompProfile_baseline",
    ),
)
"""Every check, in the order in which the server names violations."""


def judge(subject: Subject, mode: Mode, *, server: int = NEWEST) -> tuple[Violation, ...]:
    """What a pod violates at a level and version; nothing when it passes.

    server: the API server's minor version: what "latest" means, and where later versions end.
    """
    version = server if mode.version is None else min(mode.version, server)
    return _verdict(seen_of(subject), mode.level, version) if _checks(mode.level, version) else ()


@functools.lru_cache(maxsize=REMEMBERED)
def _verdict(seen: Seen, level: Level, version: int) -> tuple[Violation, ...]:
    """The verdict on all that any check reads of a subject, and on nothing else: so it holds for whoever is alike."""
    subject = subject_of(seen)
    found = ((id_, check(subject)) for id_, check in _checks(level, version))
    return tuple(Violation(id_, *violated) for id_, violated in found if violated is not None)


def told(violations: Iterable[Violation]) -> str:
    """Violations as the server's refusal lists them."""
    return ", ".join(map(str, violations))


@functools.cache
def _checks(level: Level, version: int) -> tuple[tuple[str, Callable[[Subject], Found]], ...]:
    """The checks that hold: at restricted, baseline's too but for those it replaces."""
    held = [(c, f) for c in CHECKS if c.level.strictness <= level.strictness and (f := c.at(version)) is not None]
    replaced = {c.replaces for c, _ in held}
    return tuple((c.id, f) for c, f in held if c.id not in replaced)
