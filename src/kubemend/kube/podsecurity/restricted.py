"""The checks that the restricted level adds: what a hardened pod must say of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kubemend.kube.podsecurity.baseline import PROFILES, seccomp_19
from kubemend.kube.podsecurity.subject import Found, Subject, plural, quoted, setters, some
from kubemend.model.objects.wide import Anything

PLAIN_VOLUMES: Final = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip
OTHER_VOLUMES: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd",
    "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk",
    "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
)  # fmt: skip


def but_windows(check: Callable[[Subject], Found]) -> Callable[[Subject], Found]:
    """The check for pods that aren't for Windows, where its fields have no meaning (from 1.25 on)."""
    return lambda pod: None if pod.windows else check(pod)


def but_own_users(check: Callable[[Subject], Found]) -> Callable[[Subject], Found]:
    """The check for pods without a user namespace of their own, in which root is nobody outside (from 1.35 on)."""
    return lambda pod: None if pod.own_users else check(pod)


def escalation(pod: Subject) -> Found:
    """Every container forbids its processes to gain rights."""
    bad = pod.where(lambda c: c.allow_privilege_escalation is not False)
    told = f"{some('container', bad)} must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", told) if bad else None


def capabilities(pod: Subject) -> Found:
    """Every container drops all capabilities, and adds none but the one for low ports."""
    keeping = pod.where(lambda c: c.capabilities is None or "ALL" not in c.capabilities.drop)
    adding, extra = [], set[str]()
    for container, context in pod.containers():
        added = set(context.capabilities.add if context.capabilities else ()) - {"NET_BIND_SERVICE"}
        if added:
            adding.append(container.name)
            extra |= added
    told = []
    if keeping:
        told.append(f'{some("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        listed = quoted(sorted(extra))
        told.append(f"{some('container', adding)} must not include {listed} in securityContext.capabilities.add")
    return ("unrestricted capabilities", "; ".join(told)) if told else None


def volumes(pod: Subject) -> Found:
    """No volume but those that hold what the pod was given."""
    bad = {v["name"]: kind for v in pod.spec.volumes if (kind := source(v)) is not None}
    kinds = sorted(set(bad.values()))
    uses = "uses" if len(bad) == 1 else "use"
    told = f"{some('volume', list(bad))} {uses} {plural('restricted volume type', kinds)} {quoted(kinds)}"
    return ("restricted volume types", told) if bad else None


def source(volume: Anything) -> str | None:
    """The source of a volume if it isn't a plain one. Without a source it becomes an empty directory."""
    sources = [k for k, v in volume.items() if k != "name" and v is not None]
    if not sources or any(s in PLAIN_VOLUMES for s in sources):
        return None
    return next((s for s in OTHER_VOLUMES if s in sources), "unknown")


def non_root(pod: Subject) -> Found:
    """The pod or every container says that it doesn't run as root."""
    if pod.relaxed and pod.own_users:
        return None
    own = pod.context.run_as_non_root
    refusing = pod.where(lambda c: c.run_as_non_root is False)
    if who := setters(pod=own is False, containers=refusing):
        return "runAsNonRoot != true", f"{who} must not set securityContext.runAsNonRoot=false"
    silent = [] if own else pod.where(lambda c: c.run_as_non_root is None)
    told = f"pod or {some('container', silent)} must set securityContext.runAsNonRoot=true"
    return ("runAsNonRoot != true", told) if silent else None


def root_user(pod: Subject) -> Found:
    """Nobody asks for user 0."""
    if pod.relaxed and pod.own_users:
        return None
    who = setters(pod=pod.context.run_as_user == 0, containers=pod.where(lambda c: c.run_as_user == 0))
    return ("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def seccomp(pod: Subject) -> Found:
    """The pod or every container has a seccomp profile that confines."""
    if (wrong := seccomp_19(pod)) is not None:
        return wrong
    own = pod.context.seccomp_profile
    silent = [] if own is not None and own.type in PROFILES else pod.where(lambda c: c.seccomp_profile is None)
    told = f"must set securityContext.seccompProfile.type to {' or '.join(quoted([p]) for p in PROFILES)}"
    return ("seccompProfile", f"pod or {some('container', silent)} {told}") if silent else None
