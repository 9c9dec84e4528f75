"""What a container gets from its pod's surroundings: environment, mounts, logins; and why it can't have them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kubemend.lab.api import Api, Object
from kubemend.lab.fields import annotated, labels, name, namespace, spec, uid

_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[A-Za-z_][\w.-]*)\)")


class Held(Exception):
    """The container can't be started for now. reason and message: as the kubelet puts them into `state.waiting`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Unmountable(Exception):
    """A volume can't be set up for now; the message is the kubelet's."""


async def environment(api: Api, pod: Object, container: Object) -> dict[str, str]:
    """The container's variables. Raises `Held` (CreateContainerConfigError) when a reference leads nowhere."""
    env = {"HOSTNAME": spec(pod).get("hostname") or name(pod), "PATH": "/usr/local/sbin:/usr/local/bin:/usr/bin:/bin"}
    for source in container.get("envFrom") or ():
        env |= await _whole(api, pod, source)
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            value = await _single(api, pod, container, variable["valueFrom"])
            if value is not None:
                env[variable["name"]] = value
        else:
            env[variable["name"]] = expand(variable.get("value") or "", env)
    return env


async def _whole(api: Api, pod: Object, source: Object) -> dict[str, str]:
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if (ref := source.get(field)) is not None:
            found = await _referenced(api, pod, kind, ref)
            prefix = source.get("prefix", "")
            return {f"{prefix}{k}": v for k, v in (values(found) if found else {}).items()}
    return {}


async def _single(api: Api, pod: Object, container: Object, source: Object) -> str | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if (ref := source.get(field)) is not None:
            found = await _referenced(api, pod, kind, ref)
            held = values(found) if found else {}
            if ref["key"] not in held and not ref.get("optional"):
                where = f"{kind} {namespace(pod)}/{ref['name']}"
                raise Held("CreateContainerConfigError", f"couldn't find key {ref['key']} in {where}")
            return held.get(ref["key"])
    if (ref := source.get("fieldRef")) is not None:
        return _field(pod, ref["fieldPath"])
    if (ref := source.get("resourceFieldRef")) is not None:
        limits, _, resource = ref["resource"].partition(".")
        return str(((container.get("resources") or {}).get(limits) or {}).get(resource, "0"))
    return ""


async def _referenced(api: Api, pod: Object, kind: str, ref: Object) -> Object | None:
    found = await api.get(kind, namespace(pod), ref["name"])
    if found is None and not ref.get("optional"):
        raise Held("CreateContainerConfigError", f'{kind.lower()} "{ref["name"]}" not found')
    return found


def values(found: Object) -> dict[str, str]:
    """What a ConfigMap or Secret holds, as text."""
    if found["kind"] == "ConfigMap":
        return dict(found.get("data") or {}) | dict.fromkeys(found.get("binaryData") or {}, "")
    return {k: _decoded(v) for k, v in (found.get("data") or {}).items()}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""


def _field(pod: Object, path: str) -> str:
    """The downward API's fields."""
    spec_, status = spec(pod), pod.get("status") or {}
    if (found := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)) is not None:
        return (labels(pod) if found[1] == "labels" else annotated(pod)).get(found[2], "")
    fields: dict[str, Any] = {
        "metadata.name": name(pod),
        "metadata.namespace": namespace(pod),
        "metadata.uid": uid(pod),
        "spec.nodeName": spec_.get("nodeName", ""),
        "spec.serviceAccountName": spec_.get("serviceAccountName", ""),
        "status.podIP": status.get("podIP", ""),
        "status.hostIP": status.get("hostIP", ""),
    }
    return str(fields.get(path, ""))


def expand(text: str, env: Mapping[str, str]) -> str:
    """Fill in `$(NAME)`, as Kubernetes does in env values, commands and arguments; unknown names stay as they are."""
    return _REFERENCE.sub(lambda m: "$" if m["name"] is None else env.get(m["name"], m[0]), text)


async def mount(api: Api, pod: Object) -> None:
    """See that every volume can be set up. Raises `Unmountable`. Projected volumes are taken to be fine."""
    for volume in spec(pod).get("volumes") or ():
        failed = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
        if (source := volume.get("configMap")) is not None:
            await _files(api, pod, "ConfigMap", source.get("name", ""), source, failed)
        elif (source := volume.get("secret")) is not None:
            await _files(api, pod, "Secret", source.get("secretName", ""), source, failed)
        elif (source := volume.get("persistentVolumeClaim")) is not None:
            await _claim(api, pod, volume["name"], source["claimName"])


async def _files(api: Api, pod: Object, kind: str, named: str, source: Object, failed: str) -> None:  # noqa: PLR0917
    found = await api.get(kind, namespace(pod), named)
    if source.get("optional"):
        return
    if found is None:
        raise Unmountable(f'{failed}{kind.lower()} "{named}" not found')
    missing = next((i["key"] for i in source.get("items") or () if i["key"] not in values(found)), None)
    if missing is not None:
        what = "configmap references non-existent config key" if kind == "ConfigMap" else _NO_SECRET_KEY
        raise Unmountable(f"{failed}{what}: {missing}")


_NO_SECRET_KEY = "references non-existent secret key"  # noqa: S105 (the kubelet's words, no password)


async def _claim(api: Api, pod: Object, volume: str, named: str) -> None:
    failed = f"Unable to attach or mount volumes: unmounted volumes=[{volume}]: "
    found = await api.get("PersistentVolumeClaim", namespace(pod), named)
    if found is None:
        raise Unmountable(f'{failed}persistentvolumeclaim "{named}" not found')
    if (found.get("status") or {}).get("phase") != "Bound":
        raise Unmountable(f"{failed}PVC {namespace(pod)}/{named} is not bound")


async def logins(api: Api, pod: Object) -> tuple[frozenset[str], list[str]]:
    """Registries that the pod's pull secrets, or its ServiceAccount's, give a login for; and secrets not found."""
    wanted = [s["name"] for s in spec(pod).get("imagePullSecrets") or ()]
    if not wanted:
        account = spec(pod).get("serviceAccountName") or "default"
        found = await api.get("ServiceAccount", namespace(pod), account)
        wanted = [s["name"] for s in (found or {}).get("imagePullSecrets") or ()]
    registries: set[str] = set()
    missing = []
    for each in wanted:
        secret = await api.get("Secret", namespace(pod), each)
        if secret is None:
            missing.append(each)
        else:
            registries |= _registries(values(secret).get(".dockerconfigjson", ""))
    return frozenset(registries), missing


def _registries(text: str) -> set[str]:
    try:
        config = json.loads(text or "{}")
    except json.JSONDecodeError:
        return set()
    auths = config.get("auths") if isinstance(config, dict) else None
    hosts = (k.removeprefix("https://").removeprefix("http://").partition("/")[0] for k in auths or ())
    return set(hosts)


def command_line(container: Object, entrypoint: Sequence[str], cmd: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """What runs: `command` replaces the image's entrypoint and its arguments, `args` the arguments."""
    command, args = container.get("command"), container.get("args")
    words = [*(command or entrypoint), *(args or ([] if command else cmd))]
    return [expand(word, env) for word in words]
