"""Pod Security Admission: the two levels that a namespace's label can enforce (k8s.io/pod-security-admission)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from kubemend.lab.admission.podspec import containers
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import forbidden
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store

ENFORCE = "pod-security.kubernetes.io/enforce"
_USUAL: Final = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""Capabilities that containers have by default; the baseline level allows no others."""
_PLAIN_VOLUMES: Final = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
        *("persistentVolumeClaim", "projected", "secret"),
    }
)
_SECCOMP: Final = ("RuntimeDefault", "Localhost")

Check = Callable[[Object], Iterator[str]]


def check(store: Store, kind: Kind, obj: Object) -> None:
    """Raises `ApiError` (403) for a pod that its namespace's level doesn't allow."""
    if kind.kind != "Pod":
        return
    namespace = store.find("Namespace", "", obj["metadata"]["namespace"]) or {"metadata": {}}
    level = (namespace["metadata"].get("labels") or {}).get(ENFORCE, "privileged")
    faults = [fault for one in _LEVELS.get(level, ()) for fault in one(obj["spec"])]
    if faults:
        why = f'violates PodSecurity "{level}:latest": {", ".join(faults)}'
        raise forbidden(kind, obj["metadata"].get("name", ""), why)


def _context(container: Object) -> dict[str, Any]:
    return container.get("securityContext") or {}


def _failing(spec: Object, bad: Callable[[dict[str, Any]], bool]) -> list[str]:
    return [c["name"] for c in containers(spec) if bad(_context(c))]


def _these(word: str, names: Iterable[str]) -> str:
    listed = [f'"{n}"' for n in names]
    return f"{word}{'s' if len(listed) > 1 else ''} {', '.join(listed)}"


def _host_namespaces(spec: Object) -> Iterator[str]:
    if shared := [f"{f}=true" for f in ("hostNetwork", "hostPID", "hostIPC") if spec.get(f)]:
        yield f"host namespaces ({', '.join(shared)})"


def _privileged(spec: Object) -> Iterator[str]:
    if bad := _failing(spec, lambda c: bool(c.get("privileged"))):
        yield f"privileged ({_these('container', bad)} must not set securityContext.privileged=true)"


def _capabilities(spec: Object) -> Iterator[str]:
    added = {c["name"]: _added(_context(c)) - _USUAL for c in containers(spec)}
    if bad := {name: extra for name, extra in added.items() if extra}:
        extra = ", ".join(f'"{e}"' for e in sorted({e for extras in bad.values() for e in extras}))
        told = f"{_these('container', bad)} must not include {extra} in securityContext.capabilities.add"
        yield f"non-default capabilities ({told})"


def _added(context: dict[str, Any]) -> set[str]:
    return set((context.get("capabilities") or {}).get("add") or ())


def _host_path(spec: Object) -> Iterator[str]:
    if bad := [v["name"] for v in spec.get("volumes") or () if "hostPath" in v]:
        yield f"hostPath volumes ({_these('volume', bad)})"


def _host_ports(spec: Object) -> Iterator[str]:
    ports = {c["name"]: [p["hostPort"] for p in c.get("ports") or () if p.get("hostPort")] for c in containers(spec)}
    if bad := {name: found for name, found in ports.items() if found}:
        numbers = sorted({p for found in bad.values() for p in found})
        verb, noun = ("use" if len(bad) > 1 else "uses"), ("hostPorts" if len(numbers) > 1 else "hostPort")
        yield f"hostPort ({_these('container', bad)} {verb} {noun} {', '.join(map(str, numbers))})"


def _escalation(spec: Object) -> Iterator[str]:
    if bad := _failing(spec, lambda c: c.get("allowPrivilegeEscalation") is not False):
        told = f"{_these('container', bad)} must set securityContext.allowPrivilegeEscalation=false"
        yield f"allowPrivilegeEscalation != false ({told})"


def _drop_all(spec: Object) -> Iterator[str]:
    def keeps(context: dict[str, Any]) -> bool:
        return "ALL" not in ((context.get("capabilities") or {}).get("drop") or ())

    told = []
    if bad := _failing(spec, keeps):
        told.append(f'{_these("container", bad)} must set securityContext.capabilities.drop=["ALL"]')
    if bad := _failing(spec, lambda c: bool(_added(c) - {"NET_BIND_SERVICE"})):
        extra = sorted({e for c in containers(spec) for e in _added(_context(c)) - {"NET_BIND_SERVICE"}})
        listed = ", ".join(f'"{e}"' for e in extra)
        told.append(f"{_these('container', bad)} must not include {listed} in securityContext.capabilities.add")
    if told:
        yield f"unrestricted capabilities ({'; '.join(told)})"


def _volume_types(spec: Object) -> Iterator[str]:
    types = {v["name"]: next(iter(v.keys() - {"name"}), "") for v in spec.get("volumes") or ()}
    if bad := {name: type_ for name, type_ in types.items() if type_ not in _PLAIN_VOLUMES}:
        verb = "use restricted volume type" if len(bad) > 1 else "uses restricted volume type"
        listed = sorted(set(bad.values()))
        plural = "s" if len(listed) > 1 else ""
        told = f"{_these('volume', bad)} {verb}{plural} {', '.join(f'{chr(34)}{t}{chr(34)}' for t in listed)}"
        yield f"restricted volume types ({told})"


def _non_root(spec: Object) -> Iterator[str]:
    pod = spec["securityContext"].get("runAsNonRoot")
    if bad := _failing(spec, lambda c: c.get("runAsNonRoot", pod) is not True):
        told = f"pod or {_these('container', bad)} must set securityContext.runAsNonRoot=true"
        yield f"runAsNonRoot != true ({told})"


def _root_user(spec: Object) -> Iterator[str]:
    who = ["pod"] if spec["securityContext"].get("runAsUser") == 0 else []
    if bad := _failing(spec, lambda c: c.get("runAsUser") == 0):
        who.append(_these("container", bad))
    if who:
        yield f"runAsUser=0 ({' and '.join(who)} must not set runAsUser=0)"


def _seccomp(spec: Object) -> Iterator[str]:
    pod = (spec["securityContext"].get("seccompProfile") or {}).get("type")
    if pod is not None and pod not in _SECCOMP:
        yield f'seccompProfile (pod must not set securityContext.seccompProfile.type to "{pod}")'
        return
    if bad := _failing(spec, lambda c: (c.get("seccompProfile") or {}).get("type", pod) not in _SECCOMP):
        told = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {_these('container', bad)} {told})"


_BASELINE: tuple[Check, ...] = (_capabilities, _host_namespaces, _host_path, _host_ports, _privileged)
_RESTRICTED: tuple[Check, ...] = (
    *(_host_namespaces, _host_ports, _privileged),
    *(_escalation, _drop_all, _volume_types, _non_root, _root_user, _seccomp),
)
_LEVELS: dict[str, tuple[Check, ...]] = {"baseline": _BASELINE, "restricted": _RESTRICTED}
