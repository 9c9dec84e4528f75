"""One container of a pod: its image pulled, its environment made, its program run, probed, and started again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

from kubemend.kube.quantity import to_bytes
from kubemend.lab.api import Object
from kubemend.lab.fields import name, namespace, now, spec, uid
from kubemend.lab.images import Image
from kubemend.lab.node.backoff import LAST_S, Backoff
from kubemend.lab.node.config import Held, command_line, environment
from kubemend.lab.node.life import End, Life, Seat, Vitals, stop
from kubemend.lab.node.network import connect
from kubemend.lab.node.probe import MISSING
from kubemend.lab.node.process import Behaviour, Process, executed, find_program
from kubemend.lab.node.pull import Puller

START_S, SETTLE_S = 0.3, 1.0
"""Seconds to start a container, and until the kubelet has noticed that one ended."""

_NEVER = "1970-01-01T00:00:00Z"
"""When a container was started that couldn't be."""


class Container:
    """Runs one container for as long as its pod wants it. Its fields are what its status tells."""

    def __init__(self, seat: Seat, container: str, *, init: bool = False, told: Object | None = None) -> None:
        self.seat, self.name, self.init = seat, container, init
        told = told or {}
        self.state: dict[str, Any] = told.get("state") or {"waiting": seat.waiting}
        self.last: dict[str, Any] = told.get("lastState") or {}
        self.restarts: int = told.get("restartCount", 0)
        self.vitals = Vitals(bool(told.get("ready")), bool(told.get("started")))
        self.id: str = told.get("containerID", "")
        self.image_id: str = told.get("imageID", "")
        self.process: Process | None = None
        self._known = bool(self.id)
        self._resumes = "running" in self.state
        self._began: str = (self.state.get("running") or {}).get("startedAt") or _NEVER
        self._backoff: Backoff | None = None
        self._puller = Puller(seat.host, seat.changes, self._wait_for, self._say)

    @property
    def spec(self) -> Object:
        """The container as the pod's newest version has it."""
        fields = spec(self.seat.look())
        listed = [*fields["containers"], *(fields.get("initContainers") or ())]
        found: Object = next(c for c in listed if c["name"] == self.name)
        return found

    @property
    def sidecar(self) -> bool:
        """An init container that runs beside the others (KEP-753)."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def where(self) -> tuple[str, str, str]:
        """(namespace, pod, container)"""
        pod = self.seat.look()
        return namespace(pod), name(pod), self.name

    async def run(self) -> int:
        """Run it until it has ended for good. Returns its exit code."""
        if (ended := self.state.get("terminated")) and not self._again(ended["exitCode"]):
            return int(ended["exitCode"])
        while True:
            image, env = await self._prepare()
            began = asyncio.get_running_loop().time()
            end = await self._live(image, env)
            self._ended(end)
            if not self._again(end.code):
                return end.code
            lasted = (asyncio.get_running_loop().time() - began) / self.seat.host.pace
            await self._back_off(fresh=lasted > 2 * LAST_S)

    def _again(self, code: int) -> bool:
        policy = spec(self.seat.look()).get("restartPolicy", "Always")
        if self.sidecar or (policy == "Always" and not self.init):
            return True
        return code != 0 and policy != "Never"

    async def _prepare(self) -> tuple[Image, dict[str, str]]:
        """Image and environment, as soon as both can be had."""
        while True:
            image = await self._puller.pull(lambda: (self.seat.look(), self.spec))
            seen = self.seat.changes.count
            try:
                self._may_be_root(image)
                return image, await environment(self.seat.host.api, self.seat.look(), self.spec)
            except Held as held:
                self._wait_for(held.reason, held.message)
                await self._say("Warning", "Failed", f"Error: {held.message}")
            await self.seat.changes.wait(seen)

    def _may_be_root(self, image: Image) -> None:
        own, pod = self.spec.get("securityContext") or {}, spec(self.seat.look()).get("securityContext") or {}
        user = own.get("runAsUser", pod.get("runAsUser", image.user))
        if own.get("runAsNonRoot", pod.get("runAsNonRoot")) and user == 0:
            space, pod_name, _ = self.where
            full = f'"{pod_name}_{space}({uid(self.seat.look())})"'
            why = "image will run as root" if "runAsUser" not in {**pod, **own} else "runAsUser is set to root"
            said = f"container has runAsNonRoot and {why} (pod: {full}, container: {self.name})"
            raise Held("CreateContainerConfigError", said)

    async def _live(self, image: Image, env: dict[str, str]) -> End:
        """One life, from start to end."""
        argv = command_line(self.spec, image.entrypoint, image.cmd, env)
        if not argv:
            return await self._unstartable("no command specified")
        program = find_program(image.programs, argv[0])
        fresh = self._born(image)
        if program is None:
            lost = f"stat {argv[0]}: no such file or directory" if "/" in argv[0] else MISSING
            return await self._unstartable(f'exec: "{argv[0]}": {lost}')
        if fresh:
            await self._say("Normal", "Created", f"Created container: {self.name}")
            await self.seat.host.sleep(START_S)
            await self._say("Normal", "Started", f"Started container {self.name}")
            self.seat.host.turn_log(self.where)
            self._began = now()
        process = self.process = self._process(image, env)
        life = Life(self.seat, lambda: self.spec, self.vitals, self._say)
        self.seat.host.doors[self.where] = lambda command, write: executed(process, command, write)
        try:
            return await life.run(process, program, argv, noticed=self._noticed if fresh else None)
        finally:
            self.process = None
            self.seat.host.doors.pop(self.where, None)
            for path, held in self._scratch():
                held.clear()
                held.update(f.removeprefix(path) for f in process.files if f.startswith(path))
            self.seat.host.unmeter(self.where)

    def _noticed(self) -> None:
        """It runs: as far as the probes it has leave that open, it is started and ready."""
        self.state = {"running": {"startedAt": self._began}}
        self.vitals.started = not self.spec.get("startupProbe")
        asked = self.vitals.started and not self.spec.get("readinessProbe")
        self.vitals.ready = asked and (not self.init or self.sidecar)
        self.seat.published()

    def _born(self, image: Image) -> bool:
        """Give a new life its identity; whether it is new, and not one that this node already ran."""
        self.image_id = f"{image.name.rpartition(':')[0]}@{image.digest}"
        resumes, self._resumes = self._resumes, False
        if resumes:
            return False
        if self._known:
            self.restarts += 1
            self.last = self.state if "terminated" in self.state else self.last
        self._known = True
        self.id = f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}"
        return True

    def _process(self, image: Image, env: dict[str, str]) -> Process:
        host, where, container = self.seat.host, self.where, self.spec
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")

        async def reach(address: str, port: int) -> str:
            if address in ("localhost", "127.0.0.1"):
                return "" if process.listens(port) else f"dial tcp {address}:{port}: connect: connection refused"
            return await connect(host.api, where[0], address, port)

        process = Process(
            pace=host.pace,
            write=lambda line: host.write(where, line),
            connect=reach,
            used=lambda memory, cpu: host.meter(where, memory, cpu),
            env=env,
            limit=None if limit is None else to_bytes(limit),
            behaviour=Behaviour.of(self.seat.look(), self.name),
            files={path + file for path, held in self._scratch() for file in held},
            read_only=bool((container.get("securityContext") or {}).get("readOnlyRootFilesystem")),
            writable=[m["mountPath"] for m in container.get("volumeMounts") or () if not m.get("readOnly")],
            programs=image.programs,
        )
        process.memory = image.memory
        return process

    def _scratch(self) -> Iterator[tuple[str, set[str]]]:
        """Directory (with a slash at its end) and files of each `emptyDir` that it mounts."""
        empty = {v["name"] for v in spec(self.seat.look()).get("volumes") or () if "emptyDir" in v}
        for mount in self.spec.get("volumeMounts") or ():
            if mount["name"] in empty:
                yield mount["mountPath"].rstrip("/") + "/", self.seat.scratch.setdefault(mount["name"], set())

    async def _unstartable(self, why: str) -> End:
        failed = "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        said = f"{failed}runc create failed: unable to start container process: error during container init: {why}"
        await self._say("Normal", "Created", f"Created container: {self.name}")
        self._wait_for("RunContainerError", said)
        await self._say("Warning", "Failed", f"Error: {said}")
        return End(128, "StartError", said)

    def _ended(self, end: End) -> None:
        began = _NEVER if end.reason == "StartError" else self._began
        told = {"exitCode": end.code, "reason": end.word, "startedAt": began, "finishedAt": now()}
        message = {"message": end.message} if end.message else {}
        ended = {"terminated": {**told, **message, "containerID": self.id}}
        if end.reason == "StartError" and self._again(end.code):
            self.last = ended
        else:
            self.state = ended
        self.vitals.started, self.vitals.ready = False, self.init and end.code == 0
        self.seat.published()

    async def _back_off(self, *, fresh: bool) -> None:
        """Wait before the next start: nothing the first time, then longer and longer; anew after a long life."""
        await self.seat.host.sleep(SETTLE_S)
        if self._backoff is None or fresh:
            self._backoff = Backoff()
            return
        seconds = self._backoff.next()
        space, pod, _ = self.where
        full = f"{pod}_{space}({uid(self.seat.look())})"
        self.last = self.state if "terminated" in self.state else self.last
        said = f"back-off {_go(seconds)} restarting failed container={self.name} pod={full}"
        self._wait_for("CrashLoopBackOff", said)
        await self._say("Warning", "BackOff", f"Back-off restarting failed container {self.name} in pod {full}")
        await self.seat.host.sleep(seconds)

    async def terminate(self, process: Process, grace: float) -> None:
        """End its process because the pod ends. grace: seconds it has for that."""
        await self._say("Normal", "Killing", f"Stopping container {self.name}")
        self._ended(End(await stop(process, grace)))

    def _wait_for(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self.seat.published()

    async def _say(self, type_: str, reason: str, message: str) -> None:
        field_name = "initContainers" if self.init else "containers"
        record = self.seat.host.recorder.normal if type_ == "Normal" else self.seat.host.recorder.warning
        await record(self.seat.look(), reason, message, part=f"spec.{field_name}{{{self.name}}}")

    def status(self) -> dict[str, Any]:
        """`ContainerStatus`."""
        return {
            "name": self.name,
            "image": self.spec.get("image") or "",
            "imageID": self.image_id,
            **({"containerID": self.id} if self.id else {}),
            "state": self.state,
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.vitals.ready,
            "started": self.vitals.started,
        }


def _go(seconds: float) -> str:
    """A duration as Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
