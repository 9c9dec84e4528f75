"""The practice images for a real registry: the same names, programs, users and memory, as real layers.

A program of the practice cluster is the Go program `practice` under its name; shells and applets are Debian's static
busybox, and `stress` is the real one. Blobs are content-addressed, so that images share what they have in common.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from kubemend.lab.images import CATALOGUE, Image
from kubemend.lab.node.applets import APPLETS

BUSYBOX, STRESS = Path("/bin/busybox"), Path("/usr/bin/stress")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PAUSE = "registry.lab/pause:1"
"""What holds a pod's namespaces."""

_DIRECTORIES = {"bin": 0o755, "etc": 0o755, "etc/practice": 0o755, "proc": 0o555, "sys": 0o555, "dev": 0o755}
_DIRECTORIES |= {"tmp": 0o1777, "usr": 0o755, "usr/local": 0o755, "var": 0o755, "var/cache": 0o755, "www": 0o755}
_PLACES = {"usr/bin": "../bin", "usr/sbin": "../bin", "usr/local/bin": "../../bin", "sbin": "bin", "app": "bin"}
"""Where images keep programs as well."""
_PASSWD = "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
_CALM = """#!/bin/sh
# Else each hog takes and gives its memory as fast as it can, and a core of the machine for as long as its pod lives.
exec /bin/stress.real "$@" --vm-hang 0
"""
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass
class Built:
    """One image as a registry stores it: its manifest, and the blobs this refers to by digest."""

    name: str
    manifest: bytes
    blobs: dict[str, bytes] = field(default_factory=dict)


def build_all(programs: Path) -> list[Built]:
    """Every image of the practice catalogue, and the pause image. `programs`: the folder with `practice`."""
    pause = Image(name=PAUSE, entrypoint=("pause",), programs={})
    return [_build(image, programs / "practice") for image in (*CATALOGUE, pause)]


def _build(image: Image, practice: Path) -> Built:
    own = tuple(dict.fromkeys(n for n in (*image.programs, *image.entrypoint[:1]) if n not in APPLETS))
    layers = [_base(tuple(n for n in image.programs if n in applets()))]
    if own:
        layers += [_stress()] if own == (STRESS.name,) else [_program(practice), _named(own, image.memory)]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": str(image.user),
            "Env": [_PATH],
            "Entrypoint": list(image.entrypoint),
            "Cmd": list(image.cmd),
            "WorkingDir": "/app",
            # Two tags of one program are two images, as everywhere.
            "Labels": {"org.opencontainers.image.ref.name": image.name},
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
    }
    built = Built(image.name, b"")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _blob(built, json.dumps(config).encode(), _CONFIG),
        "layers": [_blob(built, _compressed(layer), _LAYER) for layer in layers],
    }
    built.manifest = json.dumps(manifest).encode()
    return built


def _blob(built: Built, content: bytes, media_type: str) -> dict[str, Any]:
    digest = _digest(content)
    built.blobs[digest] = content
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@cache
def _compressed(layer: bytes) -> bytes:
    return gzip.compress(layer, 1, mtime=0)


@cache
def applets() -> Set[str]:
    """What a practice image's shell and this busybox both can do."""
    listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
    return APPLETS.keys() & {*listed.stdout.split(), "busybox"}


@cache
def _base(shell: tuple[str, ...]) -> bytes:
    """Directories, users, and busybox under these names."""
    files: dict[str, bytes | Path] = {"etc/passwd": _PASSWD.encode(), "etc/group": b"root:x:0:\napp:x:1000:\n"}
    files["www/index.html"] = b"ok\n"
    if shell:
        files["bin/busybox"] = BUSYBOX
    return _tar(files, {f"bin/{n}": "busybox" for n in shell if n != "busybox"} | _PLACES, _DIRECTORIES)


@cache
def _program(practice: Path) -> bytes:
    return _tar({"bin/practice": practice})


@cache
def _named(names: tuple[str, ...], memory: int) -> bytes:
    """What makes `practice` one image's program: its name, and how much memory it takes."""
    return _tar({"etc/practice/memory": f"{memory}\n".encode()}, {f"bin/{name}": "practice" for name in names})


@cache
def _stress() -> bytes:
    """Debian's program with the libraries that it says it needs; it keeps its memory, and doesn't spin about it."""
    told = subprocess.run(["ldd", STRESS], check=True, capture_output=True, text=True).stdout
    libraries = [Path(word) for word in told.split() if word.startswith("/")]
    folders = {parent for library in libraries for parent in library.parents if parent != Path("/")}
    files: dict[str, bytes | Path] = {"bin/stress": _CALM.encode(), "bin/stress.real": STRESS}
    files |= {str(library)[1:]: library for library in libraries}
    return _tar(files, directories=dict.fromkeys(sorted(str(f)[1:] for f in folders), 0o755))


def _tar(
    files: Mapping[str, bytes | Path],
    links: Mapping[str, str] | None = None,
    directories: Mapping[str, int] | None = None,
) -> bytes:
    """A layer: owned by root, without times, so that the same content is the same blob."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for entry, content in _entries(files, links or {}, directories or {}):
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _runs(file: Path) -> bool:
    return os.access(file, os.X_OK)


def _entries(
    files: Mapping[str, bytes | Path], links: Mapping[str, str], directories: Mapping[str, int]
) -> Iterable[tuple[tarfile.TarInfo, bytes]]:
    for name, mode in directories.items():
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        yield entry, b""
    for name, source in files.items():
        entry = tarfile.TarInfo(name)
        content = source if isinstance(source, bytes) else source.read_bytes()
        entry.size = len(content)
        entry.mode = 0o755 if name.startswith("bin/") or (isinstance(source, Path) and _runs(source)) else 0o644
        yield entry, content
    for name, target in links.items():
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        yield entry, b""
