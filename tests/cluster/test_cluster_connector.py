"""Connections that somebody stops waiting for: none of them is left open when the program ends."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from cluster_certificates import made, server_context

from kubemend.cluster import transport
from kubemend.cluster.connection import connect
from kubemend.cluster.connector import Connector


class Frozen:
    """A server in a thread that takes a connection, shakes hands if told to, and then does nothing whatever."""

    def __init__(self, *, handshake: bool, folder: Path) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._handshake, self._end, self.taken = handshake, threading.Event(), threading.Event()
        self._open: list[socket.socket] = []
        self._context = server_context(folder, made("frozen"))
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._end.is_set():
                connection.close()
                return
            if self._handshake:
                connection = self._context.wrap_socket(connection, server_side=True)
                connection.recv(1)
            self._open.append(connection)
            self.taken.set()

    @contextmanager
    def serving(self) -> Iterator[str]:
        self._thread.start()
        try:
            yield self.url
        finally:
            self._end.set()
            socket.create_connection(self._socket.getsockname()).close()
            self._thread.join()
            for connection in [*self._open, self._socket]:
                connection.close()


def left_open(server: Frozen, folder: Path, connector: type[aiohttp.TCPConnector]) -> list[str]:
    """What a program leaves open that stops in the middle of a request to such a server."""
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))

    async def program() -> None:
        async with connect(kubeconfig=str(path)).open() as opened:
            asking = asyncio.create_task(opened.get("/version"))
            await asyncio.to_thread(server.taken.wait)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        patch.setattr(transport, "Connector", connector)
        asyncio.run(program())
        gc.collect()
    return [str(w.message) for w in told if "unclosed" in str(w.message)]


@pytest.mark.parametrize("handshake", [True, False], ids=["waiting for the answer", "in the handshake"])
def test_a_request_that_is_given_up_leaves_no_connection_open(tmp_path: Path, handshake: bool) -> None:
    server = Frozen(handshake=handshake, folder=tmp_path)
    with server.serving():
        assert left_open(server, tmp_path, Connector) == []


def test_with_the_librarys_own_connector_one_is_left_open(tmp_path: Path) -> None:
    server = Frozen(handshake=True, folder=tmp_path)
    with server.serving():
        assert any("unclosed" in w for w in left_open(server, tmp_path, aiohttp.TCPConnector))
