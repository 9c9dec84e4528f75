"""Generated pods for Pod Security: hardened ones with one thing changed, and ones with many.

Every change keeps a pod valid to the API server by itself; together some don't, and the server says so.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

Raw = dict[str, Any]
Luck = random.Random
Change = Callable[[Luck, Raw], None]

SIMPLE_VOLUMES: dict[str, Raw] = {
    "emptyDir": {},
    "configMap": {"name": "c"},
    "secret": {"secretName": "s"},
    "downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]},
    "projected": {"sources": [{"configMap": {"name": "c"}}]},
    "persistentVolumeClaim": {"claimName": "c"},
    "csi": {"driver": "d.example"},
    "ephemeral": {
        "volumeClaimTemplate": {
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        }
    },
    "image": {"reference": "registry.example/a:1"},
    "hostPath": {"path": "/var/log"},
    "gcePersistentDisk": {"pdName": "d"},
    "awsElasticBlockStore": {"volumeID": "v"},
    "gitRepo": {"repository": "https://git.example/r"},
    "nfs": {"server": "n.example", "path": "/x"},
    "iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2001-04.com.example:disk", "lun": 1},
    "glusterfs": {"endpoints": "e", "path": "p"},
    "rbd": {"monitors": ["10.0.0.1:6789"], "image": "i"},
    "flexVolume": {"driver": "example.com/d"},
    "cinder": {"volumeID": "v"},
    "cephfs": {"monitors": ["10.0.0.1:6789"]},
    "flocker": {"datasetName": "d"},
    "fc": {"targetWWNs": ["500a0982991b8dc5"], "lun": 2},
    "azureFile": {"secretName": "s", "shareName": "x"},
    "vsphereVolume": {"volumePath": "[ds] v/v.vmdk"},
    "quobyte": {"registry": "r:7861", "volume": "v"},
    "azureDisk": {"diskName": "d", "diskURI": "https://b.example/v/d.vhd"},
    "photonPersistentDisk": {"pdID": "d"},
    "portworxVolume": {"volumeID": "v"},
    "scaleIO": {"gateway": "https://g.example", "system": "s", "volumeName": "v", "secretRef": {"name": "s"}},
    "storageos": {"volumeName": "v"},
}
SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat",
    "kernel.msgmax", "net.core.somaxconn", "vm.swappiness",
)  # fmt: skip
CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "NET_RAW", "NET_ADMIN", "SYS_TIME", "SYS_PTRACE", "ALL", "chown",
)  # fmt: skip
HARDENED: Raw = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def corpus(count: int, seed: int = 0) -> list[Raw]:
    """So many pods, each with a name of its own."""
    return [_pod(Luck(seed * 1_000_003 + i), i) for i in range(count)]


def _pod(luck: Luck, number: int) -> Raw:
    windows = luck.random() < 0.08
    pod = _bare(luck, f"p{number}", hardened=luck.random() < 0.7 and not windows)
    if windows:
        pod["spec"]["os"] = {"name": "windows"}
        for change in luck.sample(WINDOWS, luck.randrange(3)):
            change(luck, pod)
        return pod
    if luck.random() < 0.2:
        pod["spec"]["os"] = {"name": "linux"}
    # A round robin first, so that every change is there often and alone.
    changes = [CHANGES[number % len(CHANGES)]] if number % 7 else []
    changes += luck.sample(CHANGES, luck.choice((0, 0, 0, 1, 2, 4)))
    for change in changes:
        change(luck, pod)
    return pod


def _bare(luck: Luck, name: str, *, hardened: bool) -> Raw:
    names = ["app", *(["side"] if luck.random() < 0.4 else [])]
    spec: Raw = {"containers": [{"name": n, "image": "i:1"} for n in names]}
    if luck.random() < 0.35:
        spec["initContainers"] = [{"name": "init", "image": "i:1"}]
        if luck.random() < 0.4:
            spec["initContainers"][0]["restartPolicy"] = "Always"
    if hardened:
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            container["securityContext"] = copy.deepcopy(HARDENED)
        if luck.random() < 0.5:
            _lift(luck, spec)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _lift(luck: Luck, spec: Raw) -> None:
    """Say once for the pod what each container says."""
    for field in ("runAsNonRoot", "seccompProfile"):
        if luck.random() < 0.7:
            spec.setdefault("securityContext", {})[field] = copy.deepcopy(HARDENED[field])
            for container in (*spec["containers"], *spec.get("initContainers", ())):
                container["securityContext"].pop(field)


def _some(luck: Luck, pod: Raw) -> list[Raw]:
    every = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    return luck.sample(every, luck.randrange(1, len(every) + 1))


def _context(container: Raw) -> Raw:
    return container.setdefault("securityContext", {})


def _own(pod: Raw) -> Raw:
    return pod["spec"].setdefault("securityContext", {})


def _somewhere(luck: Luck, pod: Raw, field: str, value: Callable[[], Any]) -> None:
    """Set a field of the pod's own context, of containers, or of both."""
    where = luck.randrange(3)
    if where != 1:
        _own(pod)[field] = value()
    if where != 0:
        for container in _some(luck, pod):
            _context(container)[field] = value()


def _escalation(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        if luck.random() < 0.5:
            _context(container).pop("allowPrivilegeEscalation", None)
        else:
            _context(container)["allowPrivilegeEscalation"] = luck.random() < 0.6


def _profile(luck: Luck) -> Raw:
    kind = luck.choice(("RuntimeDefault", "Localhost", "Unconfined", "Unconfined"))
    return {"type": kind, "localhostProfile": "p.json"} if kind == "Localhost" else {"type": kind}


def _apparmor(luck: Luck, pod: Raw) -> None:
    _somewhere(luck, pod, "appArmorProfile", lambda: _profile(luck))


def _apparmor_note(luck: Luck, pod: Raw) -> None:
    notes = pod["metadata"].setdefault("annotations", {})
    for container in _some(luck, pod):
        key = f"container.apparmor.security.beta.kubernetes.io/{container['name']}"
        notes[key] = luck.choice(("runtime/default", "localhost/p", "unconfined", "unconfined"))
        _context(container).pop("appArmorProfile", None)


def _add(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        held = _context(container).setdefault("capabilities", {})
        held["add"] = luck.sample(CAPABILITIES, luck.randrange(1, 4))


def _low_port(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        _context(container).setdefault("capabilities", {})["add"] = ["NET_BIND_SERVICE"]


def _drop(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        held = _context(container).setdefault("capabilities", {})
        held["drop"] = luck.choice(([], ["all"], ["NET_RAW"], ["NET_RAW", "ALL"]))


def _no_capabilities(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        _context(container).pop("capabilities", None)


def _host_namespace(luck: Luck, pod: Raw) -> None:
    for field in luck.sample(("hostNetwork", "hostPID", "hostIPC"), luck.randrange(1, 3)):
        pod["spec"][field] = True


def _volume(luck: Luck, pod: Raw) -> None:
    for kind in luck.sample(sorted(SIMPLE_VOLUMES), luck.randrange(1, 4)):
        volumes = pod["spec"].setdefault("volumes", [])
        volumes.append({"name": f"v{len(volumes)}", kind: copy.deepcopy(SIMPLE_VOLUMES[kind])})


def _host_path(luck: Luck, pod: Raw) -> None:
    for _ in range(luck.randrange(1, 3)):
        volumes = pod["spec"].setdefault("volumes", [])
        volumes.append({"name": f"v{len(volumes)}", "hostPath": {"path": "/srv"}})


def _bare_volume(luck: Luck, pod: Raw) -> None:
    volumes = pod["spec"].setdefault("volumes", [])
    volumes.append({"name": f"v{len(volumes)}"})


def _host_port(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        number = luck.choice((80, 443, 8080, 9, 10_250)) + ord(container["name"][0])
        container["ports"] = [{"containerPort": number, "hostPort": number}, {"containerPort": 7}]


def _asks_host(luck: Luck, pod: Raw) -> None:
    for container in pod["spec"]["containers"]:
        action = luck.choice(
            (
                {"httpGet": {"port": 80, "host": luck.choice(("127.0.0.1", "other.example"))}},
                {"tcpSocket": {"port": 80, "host": "10.0.0.9"}},
                {"httpGet": {"port": 80}},
                {"tcpSocket": {"port": 80}},
            )
        )
        place = luck.choice(("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop"))
        if place in ("postStart", "preStop"):
            container.setdefault("lifecycle", {})[place] = action
        else:
            container[place] = action


def _privileged(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        _context(container).pop("allowPrivilegeEscalation", None)
        _context(container)["privileged"] = luck.random() < 0.8


def _proc_mount(luck: Luck, pod: Raw) -> None:
    pod["spec"]["hostUsers"] = False
    for container in _some(luck, pod):
        _context(container)["procMount"] = luck.choice(("Default", "Unmasked", "Unmasked"))


def _own_users(luck: Luck, pod: Raw) -> None:
    pod["spec"]["hostUsers"] = luck.random() < 0.3
    for container in _some(luck, pod):
        _context(container)["runAsUser"] = 0
        _context(container).pop("runAsNonRoot", None)


def _non_root(luck: Luck, pod: Raw) -> None:
    if luck.random() < 0.5:
        _somewhere(luck, pod, "runAsNonRoot", lambda: luck.random() < 0.5)
    for container in _some(luck, pod):
        _context(container).pop("runAsNonRoot", None)


def _user(luck: Luck, pod: Raw) -> None:
    _somewhere(luck, pod, "runAsUser", lambda: luck.choice((0, 0, 1, 1000)))


def _selinux(luck: Luck, pod: Raw) -> None:
    def options() -> Raw:
        types = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t", "spc_t", "")
        found = {"type": luck.choice(types)}
        found |= {k: "x" for k in ("user", "role") if luck.random() < 0.25}
        return found | ({"level": "s0:c1"} if luck.random() < 0.3 else {})

    _somewhere(luck, pod, "seLinuxOptions", options)


def _seccomp(luck: Luck, pod: Raw) -> None:
    _somewhere(luck, pod, "seccompProfile", lambda: _profile(luck))


def _no_seccomp(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        _context(container).pop("seccompProfile", None)


def _seccomp_note(luck: Luck, pod: Raw) -> None:
    values = ("runtime/default", "docker/default", "localhost/p", "unconfined")
    notes = pod["metadata"].setdefault("annotations", {})
    if luck.random() < 0.6:
        notes["seccomp.security.alpha.kubernetes.io/pod"] = luck.choice(values)
    for container in _some(luck, pod):
        notes[f"container.seccomp.security.alpha.kubernetes.io/{container['name']}"] = luck.choice(values)


def _sysctls(luck: Luck, pod: Raw) -> None:
    names = luck.sample(SYSCTLS, luck.randrange(1, 4))
    _own(pod)["sysctls"] = [{"name": n, "value": "1"} for n in names]


def _windows_options(luck: Luck, pod: Raw) -> None:
    _somewhere(luck, pod, "windowsOptions", lambda: {"runAsUserName": "u", "hostProcess": False})
    pod["spec"].pop("os", None)


def _host_process(luck: Luck, pod: Raw) -> None:
    pod["spec"].pop("os", None)
    pod["spec"]["hostNetwork"] = True
    _own(pod)["windowsOptions"] = {"hostProcess": True, "runAsUserName": "u"}
    if luck.random() < 0.5:
        for container in _some(luck, pod):
            _context(container)["windowsOptions"] = {"hostProcess": True}


def _empty_context(luck: Luck, pod: Raw) -> None:
    for container in _some(luck, pod):
        container["securityContext"] = {}


CHANGES: tuple[Change, ...] = (
    _escalation, _apparmor, _apparmor_note, _add, _low_port, _drop, _no_capabilities, _host_namespace, _volume,
    _volume, _host_path, _bare_volume, _host_port, _asks_host, _asks_host, _privileged, _proc_mount, _own_users,
    _non_root, _user, _selinux, _selinux, _seccomp, _no_seccomp, _seccomp_note, _sysctls, _sysctls, _windows_options,
    _host_process, _empty_context,
)  # fmt: skip
WINDOWS: tuple[Change, ...] = (
    _volume,
    _host_port,
    _asks_host,
    _non_root,
    _host_process,
    _seccomp_note,
    _windows_options,
)
