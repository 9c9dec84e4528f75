"""What a pod spec names: the objects that must exist, and where in the spec their names stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kubemend.model.objects.pod import Container, EnvFrom, EnvSourceRef, EnvVar, KeyToPath, PodSpec, Volume

Kind = Literal["ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount"]
Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Reference:
    """One use of another object of the same namespace.

    key: the key of the object's data that is wanted; empty when the whole object is.
    steps: JSON steps from the pod spec to the field that holds the name; key_steps: to the one that holds the key.
    """

    kind: Kind
    name: str
    key: str
    optional: bool
    steps: Steps
    key_steps: Steps | None = None


def references(spec: PodSpec) -> Iterator[Reference]:
    """Every object that the spec names, in the order of the spec; a volume with items gives one per item.

    A reference with an empty name is left out: the API has no object to look for. Projected volumes aren't read.
    """
    found = (
        *_containers("initContainers", spec.init_containers),
        *_containers("containers", spec.containers),
        *(r for i, volume in enumerate(spec.volumes) for r in _volume(volume, ("volumes", i))),
        *_pull_secrets(spec),
        Reference("ServiceAccount", spec.service_account_name, "", False, ("serviceAccountName",)),
    )
    yield from (r for r in found if r.name)


def _containers(field: str, containers: Sequence[Container]) -> Iterator[Reference]:
    for i, container in enumerate(containers):
        for j, env in enumerate(container.env):
            yield from _env(env, (field, i, "env", j, "valueFrom"))
        for j, source in enumerate(container.env_from):
            yield from _env_from(source, (field, i, "envFrom", j))


def _env(env: EnvVar, at: Steps) -> Iterator[Reference]:
    if env.value_from is None:
        return
    if (ref := env.value_from.config_map_key_ref) is not None:
        yield _keyed("ConfigMap", ref, (*at, "configMapKeyRef"))
    if (ref := env.value_from.secret_key_ref) is not None:
        yield _keyed("Secret", ref, (*at, "secretKeyRef"))


def _keyed(kind: Kind, ref: EnvSourceRef, at: Steps) -> Reference:
    return Reference(kind, ref.name, ref.key, ref.optional, (*at, "name"), (*at, "key"))


def _env_from(source: EnvFrom, at: Steps) -> Iterator[Reference]:
    if (ref := source.config_map_ref) is not None:
        yield Reference("ConfigMap", ref.name, "", ref.optional, (*at, "configMapRef", "name"))
    if (ref := source.secret_ref) is not None:
        yield Reference("Secret", ref.name, "", ref.optional, (*at, "secretRef", "name"))


def _volume(volume: Volume, at: Steps) -> Iterator[Reference]:
    if (config := volume.config_map) is not None:
        whole = Reference("ConfigMap", config.name, "", config.optional, (*at, "configMap", "name"))
        yield from _mounted(whole, config.items)
    if (secret := volume.secret) is not None:
        whole = Reference("Secret", secret.secret_name, "", secret.optional, (*at, "secret", "secretName"))
        yield from _mounted(whole, secret.items)
    if (claim := volume.persistent_volume_claim) is not None:
        steps = (*at, "persistentVolumeClaim", "claimName")
        yield Reference("PersistentVolumeClaim", claim.claim_name, "", False, steps)


def _mounted(whole: Reference, items: Sequence[KeyToPath]) -> Iterator[Reference]:
    if not items:
        yield whole
    for i, item in enumerate(items):
        yield replace(whole, key=item.key, key_steps=(*whole.steps[:-1], "items", i, "key"))


def _pull_secrets(spec: PodSpec) -> Iterator[Reference]:
    for i, secret in enumerate(spec.image_pull_secrets):
        # The kubelet pulls without a pull secret that is missing, and only says so in an event.
        yield Reference("Secret", secret.name, "", True, ("imagePullSecrets", i, "name"))


def named(spec: PodSpec) -> Iterator[tuple[Kind, str]]:
    """Kind and name of every object that the spec names, those of projected volumes too."""
    yield from ((r.kind, r.name) for r in references(spec))
    for volume in spec.volumes:
        for source in volume.projected.sources if volume.projected else ():
            if source.config_map is not None:
                yield "ConfigMap", source.config_map.name
            if source.secret is not None:
                yield "Secret", source.secret.name
