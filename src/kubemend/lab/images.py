"""The images that registries of the practice cluster hold, and what the programs in them do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from kubemend.kube.names import split_image
from kubemend.kube.quantity import QuantityError, to_bytes
from kubemend.lab.node.applets import APPLETS, SHELL
from kubemend.lab.node.process import Process, Program

MI = 1 << 20

PRIVATE = frozenset({"private.lab"})
"""Registries that give nothing without a login."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image. entrypoint: what runs; cmd: its arguments unless others are given; user 0 is root.

    writes: directories its program must be able to write to. memory: bytes in use. needs_env: variables of which one
    must be there, with what the program says when none is.
    """

    name: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...] = ()
    programs: Mapping[str, Program] = field(default_factory=lambda: SHELL)
    memory: int = 8 * MI
    size: int = 20 * MI
    user: int = 0
    writes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A content address, made of the name."""
        return "sha256:" + sha256(self.name.encode()).hexdigest()


class PullError(Exception):
    """The runtime couldn't pull. code: gRPC's; the message is containerd's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Catalogue:
    """Images by full name ("docker.io/library/nginx:1.27")."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = {full_name(i.name): i for i in images}
        self._repositories = {n.rpartition(":")[0] for n in self._images}
        self._registries = {n.partition("/")[0] for n in self._images} | PRIVATE | {"docker.io"}

    def __iter__(self) -> Iterator[Image]:
        return iter(self._images.values())

    def pull(self, image: str, logins: frozenset[str] = frozenset()) -> Image:
        """The image of a reference. logins: registries that the pod has credentials for. Raises `PullError`."""
        named = full_name(image)
        registry = named.partition("/")[0]
        failed = f'failed to pull and unpack image "{named}": failed to resolve reference "{named}"'
        if registry not in self._registries:
            path = named.partition("/")[2].replace(":", "/manifests/", 1)
            host = registry.partition(":")[0]
            raise PullError(
                "Unknown",
                f'{failed}: failed to do request: Head "https://{registry}/v2/{path}": '
                f"dial tcp: lookup {host}: no such host",
            )
        denied = "pull access denied, repository does not exist or may require authorization"
        if registry in PRIVATE and registry not in logins:
            raise PullError("Unknown", f"{failed}: {denied}: authorization failed: no basic auth credentials")
        found = self._find(named)
        if found is not None:
            return found
        if registry == "docker.io" and _repository(named) not in self._repositories:
            why = f"{denied}: server message: insufficient_scope: authorization failed"
            raise PullError("Unknown", f"{failed}: {why}")
        raise PullError("NotFound", f"{failed}: {named}: not found")

    def _find(self, named: str) -> Image | None:
        tagged, _, digest = named.partition("@")
        if not digest:
            return self._images.get(tagged)
        return next((i for i in self._images.values() if i.digest == digest), None)


def full_name(image: str) -> str:
    """A reference with registry, `library/` and tag put in, as containerd resolves it."""
    parts = split_image(image)
    repository = parts.repository
    if parts.host == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    tag = f":{parts.tag}" if parts.tag else "" if parts.digest else ":latest"
    return f"{parts.host}/{repository}{tag}" + (f"@{parts.digest}" if parts.digest else "")


def _repository(named: str) -> str:
    return str(split_image(named.partition("@")[0])).rpartition(":")[0]


async def web(process: Process, argv: Sequence[str]) -> int:
    """An HTTP server: `--port N` or $PORT, 8080 else; serves /, /healthz and /ready."""
    port = process.env.get("PORT", "8080")
    words = list(argv[1:])
    while words:
        flag, _, value = words.pop(0).partition("=")
        if flag not in ("--port", "-port") or not (value or words):
            process.write(f"flag provided but not defined: {flag.replace('--', '-', 1)}")
            return 2
        port = value or words.pop(0)
    if not port.isdigit() or not 0 < int(port) < 65536:
        process.write(f"invalid port {port!r}")
        return 1
    process.grace_code = 0
    process.serve(int(port), "/", "/healthz", "/ready")
    process.write(f"listening on :{port}")
    return await process.forever()


async def worker(process: Process, _argv: Sequence[str]) -> int:
    """Waits for work that never comes; serves nothing."""
    process.write("waiting for jobs")
    return await process.forever()


async def config_reader(process: Process, _argv: Sequence[str]) -> int:
    """Ends at once without $CONFIG; serves like `web` with it."""
    if not process.env.get("CONFIG"):
        process.write("fatal: environment variable CONFIG is not set")
        return 1
    return await web(process, ["web"])


async def nginx(process: Process, argv: Sequence[str]) -> int:
    """Serves / on port 80; needs to write to its cache."""
    unknown = next((w for w in argv[1:] if w.startswith("-") and w not in ("-g", "-c", "-t")), None)
    if unknown is not None:
        process.write(f'nginx: invalid option: "{unknown.lstrip("-")}"')
        return 1
    if not process.can_write("/var/cache/nginx"):
        cache = "/var/cache/nginx/client_temp"
        process.write(f'nginx: [emerg] mkdir() "{cache}" failed (30: Read-only file system)')
        return 1
    process.grace_code = 0
    process.serve(80, "/", "/index.html")
    process.write("start worker processes")
    return await process.forever()


async def stress(process: Process, argv: Sequence[str]) -> int:
    """`stress --vm 1 --vm-bytes 200M --cpu 1 --timeout 10s`: uses what it's told to."""
    options = _options(argv[1:])
    hogs = int(options.get("vm", "0"))
    try:
        memory = hogs * to_bytes(_bytes(options.get("vm-bytes", "256M")))
    except QuantityError:
        process.write(f"stress: FAIL: [1] (244) unrecognized number of bytes: {options['vm-bytes']}")
        return 1
    process.write(f"stress: info: [1] dispatching hogs: {options.get('cpu', '0')} cpu, 0 io, {hogs} vm, 0 hdd")
    # The kernel kills a child; the parent reports it and ends by itself, which is why the code isn't 137.
    process.oom_code = 1
    await process.use(2 * MI + memory, float(options.get("cpu", "0")) + hogs)
    if (timeout := options.get("timeout", "").rstrip("s")).isdigit():
        await process.sleep(int(timeout))
        process.write(f"stress: info: [1] successful run completed in {timeout}s")
        return 0
    return await process.forever()


def _options(words: Sequence[str]) -> dict[str, str]:
    """`--vm-bytes 200M` and `--vm-bytes=200M` and the short `-m 1`."""
    short = {"m": "vm", "c": "cpu", "t": "timeout", "i": "io", "d": "hdd"}
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        option, equals, value = rest.pop(0).lstrip("-").partition("=")
        found[short.get(option, option)] = value if equals else rest.pop(0) if rest else ""
    return found


def _bytes(text: str) -> str:
    """stress counts in powers of 1024: 200M is 200Mi."""
    return f"{text.rstrip('bB')}i" if text.rstrip("bB")[-1:] in ("K", "M", "G") else text.rstrip("bB")


async def redis(process: Process, _argv: Sequence[str]) -> int:
    """Listens on 6379."""
    process.grace_code = 0
    process.serve(6379)
    process.write("* Ready to accept connections tcp")
    return await process.forever()


async def postgres(process: Process, _argv: Sequence[str]) -> int:
    """Listens on 5432; wants a password or to be told that none is wanted."""
    trusted = process.env.get("POSTGRES_HOST_AUTH_METHOD") == "trust"
    if not trusted and not process.env.get("POSTGRES_PASSWORD"):
        process.write("Error: Database is uninitialized and superuser password is not specified.")
        process.write("You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.")
        return 1
    process.grace_code = 0
    process.serve(5432)
    process.write("LOG:  database system is ready to accept connections")
    return await process.forever()


def _checks(port: int) -> Program:
    """A client that only asks whether its server listens in the same container."""

    async def check(process: Process, _argv: Sequence[str]) -> int:
        return 0 if process.listens(port) else 1

    return check


def _own(name: str, program: Program, *, memory: int = 24 * MI, user: int = 1000) -> Image:
    """An image of the lab's registry: one program beside a shell."""
    command = split_image(name).repository
    return Image(name=name, entrypoint=(command,), programs={**APPLETS, command: program}, memory=memory, user=user)


_NGINX: Mapping[str, Program] = {**SHELL, "nginx": nginx}
_REDIS: Mapping[str, Program] = {**SHELL, "redis-server": redis, "redis-cli": _checks(6379)}
_POSTGRES: Mapping[str, Program] = {**SHELL, "postgres": postgres, "pg_isready": _checks(5432)}

CATALOGUE = Catalogue(
    (
        *(_own(f"registry.lab/web:{tag}", web) for tag in ("1.0", "1.1", "1.2")),
        *(_own(f"registry.lab/api:{tag}", web, memory=48 * MI) for tag in ("1.0", "2.0")),
        _own("registry.lab/worker:1.0", worker),
        _own("registry.lab/config-reader:1.0", config_reader),
        _own("private.lab/app:1.0", web),
        *(
            Image(
                name=f"nginx:{tag}",
                entrypoint=("nginx",),
                cmd=("-g", "daemon off;"),
                programs=_NGINX,
                memory=6 * MI,
                size=72 * MI,
            )
            for tag in ("1.25", "1.27", "1.29", "latest")
        ),
        *(
            Image(name=f"busybox:{tag}", entrypoint=(), cmd=("sh",), programs=APPLETS, memory=MI, size=2 * MI)
            for tag in ("1.36", "latest")
        ),
        Image(name="polinux/stress:latest", entrypoint=("stress",), programs={**SHELL, "stress": stress}, size=4 * MI),
        Image(name="redis:7", entrypoint=("redis-server",), programs=_REDIS, memory=10 * MI, size=45 * MI),
        Image(name="postgres:16", entrypoint=("postgres",), programs=_POSTGRES, memory=64 * MI, size=150 * MI),
    )
)
