"""A patch that brings a pod template to a level of the standards, as far as fields alone can.

What it takes away are rights that the program may need, and what it asks for (a user other than root) is a promise of
the image: so a hardened template must be rolled out and watched. Volumes of the node, sysctls, SELinux and AppArmor
labels and probes of other hosts are left as they are: without them a pod would be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from kubemend.kube.patch import strategic
from kubemend.kube.podsecurity.baseline import PROFILES, USUAL_CAPABILITIES
from kubemend.kube.podsecurity.judging import NEWEST, judge
from kubemend.kube.podsecurity.labels import Level, Mode
from kubemend.kube.podsecurity.subject import Subject, Violation
from kubemend.model.objects.wide import Container, PodSpec, SecurityContext

Fields = dict[str, Any]
LOW_PORTS = "NET_BIND_SERVICE"


def hardened(subject: Subject, mode: Mode, *, server: int = NEWEST) -> tuple[Fields | None, tuple[Violation, ...]]:
    """A strategic merge patch of the pod spec, and what it can't cure; None where it would cure nothing.

    The patched spec is judged again, so that what is not among the rest is cured.
    """
    before = judge(subject, mode, server=server)
    patch = _spec(subject, {v.check for v in before}, mode.level)
    if not patch:
        return None, before
    # By way of JSON, which has lists and no tuples.
    raw = msgspec.json.decode(msgspec.json.encode(subject.spec))
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": raw}
    spec = msgspec.convert(strategic(pod, {"spec": patch}, kind="Pod")["spec"], PodSpec)
    left = judge(Subject(spec, subject.annotations, subject.relaxed), mode, server=server)
    return (patch if len(left) < len(before) else None), left


def _spec(subject: Subject, checks: set[str], level: Level) -> Fields:
    spec, patch = subject.spec, Fields()
    if "hostNamespaces" in checks:
        shared = {"hostNetwork": spec.host_network, "hostPID": spec.host_pid, "hostIPC": spec.host_ipc}
        # The server leaves out what is false, so that null is what becomes of it.
        patch |= {name: None for name, on in shared.items() if on}
    if context := dict(_pod_context(subject, checks)):
        patch["securityContext"] = context
    for field, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        rows = [{"name": c.name, **made} for c in containers if (made := _container(c, checks, level))]
        if rows:
            patch[field] = rows
    return patch


def _pod_context(subject: Subject, checks: set[str]) -> Iterator[tuple[str, Any]]:
    if _about(checks, "seccompProfile"):
        # A profile of the node's, of whatever name, goes with its type.
        yield "seccompProfile", {"type": "RuntimeDefault", "localhostProfile": None}
    if "runAsNonRoot" in checks:
        yield "runAsNonRoot", True
    if "runAsUser" in checks and subject.context.run_as_user == 0:
        yield "runAsUser", None


def _container(container: Container, checks: set[str], level: Level) -> Fields:
    context = container.security_context or SecurityContext()
    made = Fields()
    if mended := {field: value for check, field, value in _mended(context, level) if _about(checks, check)}:
        made["securityContext"] = mended
    ports = [p for p in container.ports if p.host_port]
    if "hostPorts" in checks and ports:
        made["ports"] = [{"containerPort": p.container_port, "protocol": p.protocol, "hostPort": None} for p in ports]
    return made


def _mended(context: SecurityContext, level: Level) -> Iterator[tuple[str, str, Any]]:
    """(check, field, value) of everything that this container says and should not, or doesn't say and should."""
    if context.privileged:
        yield "privileged", "privileged", False
    if context.allow_privilege_escalation is not False:
        yield "allowPrivilegeEscalation", "allowPrivilegeEscalation", False
    if (capabilities := _capabilities(context, level)) is not None:
        yield "capabilities", "capabilities", capabilities
    if context.run_as_non_root is False:
        yield "runAsNonRoot", "runAsNonRoot", None
    if context.run_as_user == 0:
        yield "runAsUser", "runAsUser", None
    if context.proc_mount not in (None, "Default"):
        yield "procMount", "procMount", None
    if context.seccomp_profile is not None and context.seccomp_profile.type not in PROFILES:
        yield "seccompProfile", "seccompProfile", None


def _capabilities(context: SecurityContext, level: Level) -> Fields | None:
    """The lists that the level wants; None where they are so already."""
    own = context.capabilities
    added: Sequence[str] = own.add if own is not None else ()
    dropped: Sequence[str] = own.drop if own is not None else ()
    strict = level is Level.RESTRICTED
    allowed: Callable[[str], bool] = LOW_PORTS.__eq__ if strict else USUAL_CAPABILITIES.__contains__
    kept = [c for c in added if allowed(c)]
    wanted = [*dropped] if not strict or "ALL" in dropped else ["ALL"]
    if kept == [*added] and wanted == [*dropped]:
        return None
    return {k: v for k, v in (("add", kept or None), ("drop", wanted or None)) if v or k == "add"}


def _about(checks: set[str], name: str) -> bool:
    """Whether a check of the name is among them, of whichever level ("capabilities_restricted")."""
    return any(c == name or c.startswith(f"{name}_") for c in checks)
