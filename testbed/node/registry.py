"""Filling a registry, by the protocol that `docker push` speaks (the OCI distribution specification)."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterable
from urllib.parse import urlsplit

from testbed.node.images import MANIFEST, Built

from kubemend.kube.names import split_image
from kubemend.lab.images import PRIVATE, full_name

OPEN_PORT, PRIVATE_PORT = 5000, 5001
"""Of the registry that stands for all others, and of the one that wants a login."""
LOGIN = "lab:lab"
LOGIN_LINE = "lab:$2b$04$abcdefghijklmnopqrstuuBma4em9AU5Wse0h3BzRWqUYtwFfWqNy\n"
"""The same for the registry's htpasswd file (bcrypt)."""


class RegistryError(Exception):
    """A registry refused something; the message holds its words."""


def port(host: str) -> int:
    """Where the registry of that name is served."""
    return PRIVATE_PORT if host in PRIVATE else OPEN_PORT


def hosts(images: Iterable[Built]) -> set[str]:
    """The registries that these images belong to."""
    return {split_image(full_name(image.name)).host for image in images} | PRIVATE


def push(address: str, images: Iterable[Built]) -> None:
    """Upload images, each blob once for every repository that has it."""
    for image in images:
        host, repository, tag = _parts(image.name)
        connection = http.client.HTTPConnection(address, port(host), timeout=60)
        try:
            for digest, content in image.blobs.items():
                _upload(connection, repository, digest, content)
            put = ("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, {"Content-Type": MANIFEST})
            _ask(connection, *put, expect=201)
        finally:
            connection.close()


def _parts(name: str) -> tuple[str, str, str]:
    host, _, rest = full_name(name).partition("/")
    repository, _, tag = rest.rpartition(":")
    return host, repository, tag


def _upload(connection: http.client.HTTPConnection, repository: str, digest: str, content: bytes) -> None:
    if _ask(connection, "HEAD", f"/v2/{repository}/blobs/{digest}", expect=0)[0] == 200:
        return
    _, where = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", expect=202)
    place = urlsplit(where)
    query = f"{place.query}&digest={digest}"
    _ask(connection, "PUT", f"{place.path}?{query}", content, {"Content-Type": "application/octet-stream"}, expect=201)


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    expect: int,
) -> tuple[int, str]:
    """(status, Location). RegistryError for another status than the expected; 0 expects any."""
    login = {"Authorization": "Basic " + base64.b64encode(LOGIN.encode()).decode()}
    connection.request(method, path, body, {**login, **(headers or {})})
    answer = connection.getresponse()
    words = answer.read().decode(errors="replace")
    if expect not in (0, answer.status):
        raise RegistryError(f"{method} {path}: {answer.status} {words}")
    return answer.status, answer.getheader("Location", "")
