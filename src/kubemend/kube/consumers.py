"""Who uses a ConfigMap, and whether a change of it reaches them without a restart."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kubemend.model.objects.pod import Container, PodSpec, Volume


class Use(Struct, frozen=True):
    """One way in which a pod spec uses a ConfigMap.

    how: env (one key), envFrom (all keys), volume, or projected (a part of a projected volume). container: "" for a
    volume that none mounts. live: whether the kubelet brings changes into the running container: files do, but not
    those mounted with a subPath, and environment variables never
    (kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically).
    """

    how: str
    container: str
    key: str
    sub_path: bool
    live: bool


def config_map_uses(spec: PodSpec, name: str) -> tuple[Use, ...]:
    """Every use of the ConfigMap of that name, init containers included."""
    containers = (*spec.init_containers, *spec.containers)
    return (*(u for c in containers for u in _environment(c, name)), *_volumes(spec, containers, name))


def _environment(container: Container, name: str) -> Iterator[Use]:
    for env in container.env:
        ref = env.value_from.config_map_key_ref if env.value_from is not None else None
        if ref is not None and ref.name == name:
            yield Use("env", container.name, ref.key, sub_path=False, live=False)
    for source in container.env_from:
        if source.config_map_ref is not None and source.config_map_ref.name == name:
            yield Use("envFrom", container.name, "", sub_path=False, live=False)


def _volumes(spec: PodSpec, containers: tuple[Container, ...], name: str) -> Iterator[Use]:
    for volume in spec.volumes:
        how = _how(volume, name)
        if how is None:
            continue
        mounts = [(c.name, bool(m.sub_path)) for c in containers for m in c.volume_mounts if m.name == volume.name]
        if not mounts:
            yield Use(how, "", "", sub_path=False, live=True)
        yield from (Use(how, container, "", sub_path=part, live=not part) for container, part in mounts)


def _how(volume: Volume, name: str) -> str | None:
    if volume.config_map is not None and volume.config_map.name == name:
        return "volume"
    sources = volume.projected.sources if volume.projected is not None else ()
    return "projected" if any(s.config_map is not None and s.config_map.name == name for s in sources) else None
