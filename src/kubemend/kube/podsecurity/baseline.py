"""The checks of the baseline level: what lets a pod out of its box by a known way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kubemend.kube.podsecurity.subject import Found, Subject, literal, plural, quoted, setters, some
from kubemend.model.objects.wide import Container, Handler, SELinuxOptions

USUAL_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
PROFILES: Final = ("RuntimeDefault", "Localhost")
"""The seccomp and AppArmor profiles that confine."""
APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_OF: Final = "container.seccomp.security.alpha.kubernetes.io/"
SELINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
    }
)  # fmt: skip
_KEEPALIVE = {f"net.ipv4.tcp_{n}" for n in ("keepalive_time", "fin_timeout", "keepalive_intvl", "keepalive_probes")}
SYSCTLS_27: Final = SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
SYSCTLS_29: Final = SYSCTLS_27 | _KEEPALIVE
SYSCTLS_32: Final = SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
SYSCTLS_37: Final = SYSCTLS_32 | {"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"}


def apparmor(pod: Subject) -> Found:
    """No AppArmor profile but the runtime's or one of the node's, by field or by the old annotation."""
    own = pod.context.app_armor_profile
    bad_pod = own is not None and own.type not in PROFILES
    bad = pod.where(lambda c: c.app_armor_profile is not None and c.app_armor_profile.type not in PROFILES)
    profiles = (own, *(c.app_armor_profile for _, c in pod.containers()))
    values = sorted({p.type for p in profiles if p is not None} - set(PROFILES))
    values += sorted(
        f"{k}={literal(v)}" for k, v in pod.annotations.items() if k.startswith(APPARMOR) and not _named(v)
    )
    notes = [v for v in values if v.startswith(APPARMOR)]
    who = " and ".join(
        w for w in (setters(pod=bad_pod, containers=bad), plural("annotation", notes) if notes else "") if w
    )
    told = f"{who} must not set AppArmor profile type to {quoted(values)}"
    return (plural("forbidden AppArmor profile", values), told) if who else None


def _named(annotation: str) -> bool:
    return annotation in ("", "runtime/default") or annotation.startswith("localhost/")


def capabilities(pod: Subject) -> Found:
    """No capability beyond those that containers have anyway."""
    bad, extra = [], set[str]()
    for container, context in pod.containers():
        added = set(context.capabilities.add if context.capabilities else ()) - USUAL_CAPABILITIES
        if added:
            bad.append(container.name)
            extra |= added
    told = f"{some('container', bad)} must not include {quoted(sorted(extra))} in securityContext.capabilities.add"
    return ("non-default capabilities", told) if bad else None


def host_namespaces(pod: Subject) -> Found:
    """Not the node's network, processes or IPC."""
    spec = pod.spec
    shared = {"hostNetwork": spec.host_network, "hostPID": spec.host_pid, "hostIPC": spec.host_ipc}
    named = [f"{name}=true" for name, on in shared.items() if on]
    return ("host namespaces", ", ".join(named)) if named else None


def host_paths(pod: Subject) -> Found:
    """No directory of the node."""
    bad = [v["name"] for v in pod.spec.volumes if v.get("hostPath") is not None]
    return ("hostPath volumes", some("volume", bad)) if bad else None


def host_ports(pod: Subject) -> Found:
    """No port of the node."""
    bad = [(c.name, {str(p.host_port) for p in c.ports if p.host_port}) for c in pod.spec.all_containers]
    names = [name for name, ports in bad if ports]
    ports = sorted({p for _, ports in bad for p in ports})
    uses = "uses" if len(names) == 1 else "use"
    told = f"{some('container', names)} {uses} {plural('hostPort', ports)} {', '.join(ports)}"
    return ("hostPort", told) if names else None


def hosts_asked(pod: Subject) -> Found:
    """No probe or lifecycle hook that makes the kubelet ask another host."""
    found = {c.name: set(_hosts(c)) for c in pod.spec.all_containers}
    names = sorted(name for name, hosts in found.items() if hosts)
    hosts = sorted({h for hosts in found.values() for h in hosts})
    uses = "uses" if len(names) == 1 else "use"
    told = f"{some('container', names)} {uses} {some('probe or lifecycle host', hosts)}"
    return ("probe or lifecycle host", told) if names else None


def _hosts(container: Container) -> Iterator[str]:
    hooks = container.lifecycle
    asked = (container.liveness_probe, container.readiness_probe, container.startup_probe)
    for handler in (*asked, *((hooks.post_start, hooks.pre_stop) if hooks else ())):
        yield from _host(handler)


def _host(handler: Handler | None) -> Iterator[str]:
    for action in () if handler is None else (handler.http_get, handler.tcp_socket):
        if action is not None and action.host:
            yield action.host


def privileged(pod: Subject) -> Found:
    """No container with all rights on the node."""
    bad = pod.where(lambda c: c.privileged is True)
    return ("privileged", f"{some('container', bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(pod: Subject) -> Found:
    """The usual masks over /proc."""
    if pod.relaxed and pod.own_users:
        return None
    return proc_mount_always(pod)


def proc_mount_35(pod: Subject) -> Found:
    """The same, from 1.35 on unless the pod has users of its own."""
    return None if pod.own_users else proc_mount_always(pod)


def proc_mount_always(pod: Subject) -> Found:
    """The same without any exception."""
    bad = pod.where(lambda c: c.proc_mount not in (None, "Default"))
    values = sorted({c.proc_mount for _, c in pod.containers() if c.proc_mount not in (None, "Default")} - {None})
    told = f"{some('container', bad)} must not set securityContext.procMount to {quoted(map(str, values))}"
    return ("procMount", told) if bad else None


def seccomp_0(pod: Subject) -> Found:
    """Before 1.19: no seccomp profile by annotation that doesn't confine."""
    keys = [SECCOMP, *(SECCOMP_OF + c.name for c in pod.spec.all_containers)]
    noted = {k: pod.annotations[k] for k in keys if k in pod.annotations}
    bad = sorted(f"{k}={literal(v)}" for k, v in noted.items() if not _confines(v))
    return ("seccompProfile", f"forbidden {plural('annotation', bad)} {', '.join(bad)}") if bad else None


def _confines(annotation: str) -> bool:
    return annotation in ("runtime/default", "docker/default") or annotation.startswith("localhost/")


def seccomp_19(pod: Subject) -> Found:
    """No seccomp profile that doesn't confine."""
    own = pod.context.seccomp_profile
    bad_pod = own is not None and own.type not in PROFILES
    bad = pod.where(lambda c: c.seccomp_profile is not None and c.seccomp_profile.type not in PROFILES)
    profiles = (own, *(c.seccomp_profile for _, c in pod.containers()))
    values = sorted({p.type for p in profiles if p is not None} - set(PROFILES))
    who = setters(pod=bad_pod, containers=bad)
    told = f"{who} must not set securityContext.seccompProfile.type to {quoted(values)}"
    return ("seccompProfile", told) if who else None


def selinux(allowed: frozenset[str]) -> Callable[[Subject], Found]:
    """No SELinux type but these, and no user or role."""

    def bad(options: SELinuxOptions | None) -> bool:
        return options is not None and (options.type not in allowed or bool(options.user or options.role))

    def check(pod: Subject) -> Found:
        names = pod.where(lambda c: bad(c.se_linux_options))
        who = setters(pod=bad(pod.context.se_linux_options), containers=names)
        every = [o for o in (pod.context.se_linux_options, *(c.se_linux_options for _, c in pod.containers())) if o]
        types = sorted({o.type for o in every} - allowed)
        told = [some("type", types)] if types else []
        told += ["user may not be set"] if any(o.user for o in every) else []
        told += ["role may not be set"] if any(o.role for o in every) else []
        detail = f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(told)}"
        return ("seLinuxOptions", detail) if who else None

    return check


def sysctls(allowed: frozenset[str]) -> Callable[[Subject], Found]:
    """No kernel setting but these."""

    def check(pod: Subject) -> Found:
        bad = [s.name for s in pod.context.sysctls if s.name not in allowed]
        return ("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def windows_host_process(pod: Subject) -> Found:
    """No Windows container with the rights of the node."""
    own = pod.context.windows_options
    bad = pod.where(lambda c: c.windows_options is not None and c.windows_options.host_process is True)
    who = setters(pod=own is not None and own.host_process is True, containers=bad)
    return ("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true") if who else None
