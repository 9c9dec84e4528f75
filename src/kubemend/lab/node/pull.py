"""Getting a container's image onto the node, with the kubelet's back-off and words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kubemend.kube.names import split_image, valid_image
from kubemend.lab.api import Object
from kubemend.lab.images import Image, PullError, full_name
from kubemend.lab.node.backoff import Backoff
from kubemend.lab.node.config import logins
from kubemend.lab.node.host import Host, Signal

PULL_S, CHECK_S = 0.4, 0.1
"""Seconds that a pull takes, and asking the registry whether an image is still the newest."""
FAILED_S = 2.0
"""Seconds for which ErrImagePull shows before ImagePullBackOff does."""

Waiting = Callable[[str, str], None]
"""Shows (reason, message) as the container's state."""
Say = Callable[[str, str, str], Awaitable[None]]
"""Records an event: (type, reason, message)."""


class Puller:
    """Pulls for one container; `changes` tells that its pod or a login has changed."""

    def __init__(self, host: Host, changes: Signal, waiting: Waiting, say: Say) -> None:
        self._host, self._changes, self._waiting, self._say = host, changes, waiting, say

    async def pull(self, look: Callable[[], tuple[Object, Object]]) -> Image:
        """The image, as soon as it can be had. look: gives the pod and the container as they are now."""
        backoff = Backoff()
        tried = ""
        while True:
            seen = self._changes.count
            pod, container = look()
            reference = container.get("image") or ""
            if reference != tried:
                backoff, tried = Backoff(), reference
            if not valid_image(reference):
                await self._hopeless(*_unreadable(reference))
            elif _policy(container) == "Never" and full_name(reference) not in self._host.pulled:
                said = f'Container image "{reference}" is not present with pull policy of Never'
                await self._hopeless("ErrImageNeverPull", said, "ErrImageNeverPull")
            else:
                found = await self._try(pod, container, reference, backoff, seen)
                if found is not None:
                    return found
                continue
            await self._changes.wait(seen)

    async def _hopeless(self, reason: str, message: str, event: str) -> None:
        """A failure that only another spec ends."""
        self._waiting(reason, message)
        await self._say("Warning", event, message)
        await self._say("Warning", "Failed", f"Error: {reason}")

    async def _try(self, pod: Object, container: Object, reference: str, backoff: Backoff, seen: int) -> Image | None:
        """Pull once; after a failure wait out the back-off, or a change."""
        registries, missing = await logins(self._host.api, pod)
        if missing:
            listed = ", ".join(missing)
            said = (
                f"Unable to retrieve some image pull secrets ({listed}); attempting to pull the image may not succeed."
            )
            await self._say("Warning", "FailedToRetrieveImagePullSecret", said)
        full = full_name(reference)
        present = full in self._host.pulled
        if present and _policy(container) != "Always":
            await self._say("Normal", "Pulled", f'Container image "{reference}" already present on machine')
            return self._host.images.pull(reference, frozenset({full.partition("/")[0]}))
        await self._say("Normal", "Pulling", f'Pulling image "{reference}"')
        try:
            image = self._host.images.pull(reference, registries)
        except PullError as error:
            await self._failed(reference, error, backoff, seen)
            return None
        await self._host.sleep(CHECK_S if present else PULL_S)
        self._host.pulled.add(full)
        took = f"{int((CHECK_S if present else PULL_S) * 1000)}ms"
        said = f'Successfully pulled image "{reference}" in {took} ({took} including waiting).'
        await self._say("Normal", "Pulled", f"{said} Image size: {image.size} bytes.")
        return image

    async def _failed(self, reference: str, error: PullError, backoff: Backoff, seen: int) -> None:
        said = f"rpc error: code = {error.code} desc = {error.message}"
        self._waiting("ErrImagePull", said)
        await self._say("Warning", "Failed", f'Failed to pull image "{reference}": {said}')
        await self._say("Warning", "Failed", "Error: ErrImagePull")
        delay = backoff.next()
        if await self._changes.wait(seen, FAILED_S * self._host.pace):
            return
        again = f'Back-off pulling image "{reference}"'
        self._waiting("ImagePullBackOff", f"{again}: ErrImagePull: {said}")
        await self._say("Normal", "BackOff", again)
        await self._say("Warning", "Failed", "Error: ImagePullBackOff")
        await self._changes.wait(seen, (delay - FAILED_S) * self._host.pace)


def _policy(container: Object) -> str:
    default = "Always" if full_name(container.get("image") or "").endswith(":latest") else "IfNotPresent"
    return container.get("imagePullPolicy") or default


def _unreadable(reference: str) -> tuple[str, str, str]:
    why = "invalid reference format"
    if valid_image(reference.lower()) and any(c.isupper() for c in split_image(reference).repository):
        why += ": repository name must be lowercase"
    said = f'Failed to apply default image tag "{reference}": couldn\'t parse image name "{reference}": {why}'
    return "InvalidImageName", said, "InspectFailed"
