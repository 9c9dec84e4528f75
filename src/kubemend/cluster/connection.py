"""Which cluster to talk to, as whom, and how: found without talking to it.

Order: the path given, $KUBECONFIG, ~/.kube/config, then the ServiceAccount of the pod we run in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from kubemend.cluster import tls
from kubemend.cluster.auth import Credentials, certificate_of, credentials_for
from kubemend.cluster.errors import ConfigError
from kubemend.cluster.kubeconfig import ClusterEntry, ContextEntry, Kubeconfig, Selected, UserEntry, load
from kubemend.cluster.proxy import proxy_for

if TYPE_CHECKING:
    from kubemend.cluster.transport import Timing, Transport

POD_SECRETS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's ServiceAccount token, CA and namespace."""


@dataclass(frozen=True)
class Connection:
    """One cluster and the identity to use there.

    name: the context's name ("in-cluster" in a pod). namespace: the context's default one.
    as_user, as_groups: whom to impersonate; `dataclasses.replace` gives a connection for somebody else.
    """

    name: str
    server: str
    namespace: str
    selected: Selected = field(repr=False)
    as_user: str = ""
    as_groups: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """A label for the identity in use."""
        known = self.selected.context.user or "anonymous"
        return f"{self.as_user} (through {known})" if self.as_user else known

    @property
    def cluster(self) -> ClusterEntry:
        """The kubeconfig's cluster entry."""
        return self.selected.cluster

    def credentials(self) -> Credentials:
        """A new source of this identity's credentials."""
        return credentials_for(self.selected)

    def proxy(self) -> str | None:
        """The proxy to go through."""
        return proxy_for(self.server, self.cluster.proxy_url)

    def impersonation(self) -> list[tuple[str, str]]:
        """The headers that ask the API server to act as somebody else; none without `as_user`."""
        if not self.as_user:
            return []
        headers = [("Impersonate-User", self.as_user), *(("Impersonate-Group", g) for g in self.as_groups)]
        user = self.selected.user
        if self.as_user == user.as_user:
            headers += [("Impersonate-Uid", user.as_uid)] if user.as_uid else []
            headers += [
                (f"Impersonate-Extra-{quote(key, safe='')}", value)
                for key, values in user.as_user_extra.items()
                for value in values
            ]
        return headers

    @asynccontextmanager
    async def open(self, timing: Timing | None = None) -> AsyncIterator[Transport]:
        """Make a transport for as long as the block lasts. Nothing is sent before its first request."""
        from kubemend.cluster.transport import session_for  # noqa: PLC0415 - brings the HTTP library

        async with session_for(self, timing) as transport:
            yield transport


def connect(
    *,
    kubeconfig: str | Kubeconfig | None = None,
    context: str | None = None,
    namespace: str | None = None,
    as_user: str | None = None,
    as_groups: tuple[str, ...] = (),
) -> Connection:
    """Find the cluster to talk to. Reads files, sends nothing. kubeconfig: a path, or one that was read already.

    ConfigError: `kubeconfig-missing`, `kubeconfig-invalid`, `context-unset`, `context-unknown`,
    `certificate-expired`, `proxy-unsupported`, `exec-version-unknown` …
    """
    selected = _selected(kubeconfig, context)
    server = _checked(selected)
    user = selected.user
    made = Connection(
        name=selected.name,
        server=server,
        namespace=namespace or selected.context.namespace or "default",
        selected=selected,
        as_user=as_user or user.as_user,
        as_groups=as_groups if as_user else user.as_groups,
    )
    made.proxy()
    made.credentials()
    certificate, _ = certificate_of(user)
    if certificate is not None:
        tls.refuse_expired(certificate, where=f"context {selected.name}")
    return made


def kubeconfig_of(path: str | Kubeconfig | None = None) -> Kubeconfig:
    """The merged kubeconfig that `connect` would use, for listing its contexts. Empty when there is none."""
    if isinstance(path, Kubeconfig):
        return path
    if path is not None:
        explicit = Path(path).expanduser()
        if not explicit.is_file():
            raise ConfigError("there is no such kubeconfig", code="kubeconfig-missing", where=path)
        return load([explicit])
    return load(_usual_paths())


def _usual_paths() -> list[Path]:
    listed = os.environ.get("KUBECONFIG", "")
    if listed:
        return [Path(p) for p in listed.split(os.pathsep) if p]
    return [Path.home() / ".kube" / "config"]


def _selected(path: str | Kubeconfig | None, context: str | None) -> Selected:
    config = kubeconfig_of(path)
    if config.contexts or config.current or path is not None:
        return config.select(context)
    inside = None if context else _in_cluster()
    if inside is None:
        looked = ", ".join(str(p) for p in _usual_paths())
        raise ConfigError(
            "there is no kubeconfig, and this is no pod of a cluster",
            code="kubeconfig-missing",
            where=looked,
            hint="give --kubeconfig PATH, or set KUBECONFIG",
        )
    return inside


def _in_cluster() -> Selected | None:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = POD_SECRETS / "token"
    if not host or not token.is_file():
        return None
    named = POD_SECRETS / "namespace"
    return Selected(
        name="in-cluster",
        context=ContextEntry(
            cluster="in-cluster",
            user="service-account",
            namespace=named.read_text().strip() if named.is_file() else "",
        ),
        cluster=ClusterEntry(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            certificate_authority=str(POD_SECRETS / "ca.crt"),
        ),
        user=UserEntry(token_file=str(token)),
        path=None,
    )


def _checked(selected: Selected) -> str:
    """The server's address, if it is one. It isn't quoted when it isn't: it may hold a password."""
    where = f"context {selected.name}"
    try:
        parts = urlsplit(selected.cluster.server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigError("the cluster's server is no http(s) address", where=where) from error
    if not usable or parts.username or parts.password:
        raise ConfigError("the cluster's server is no plain http(s) address", where=where)
    return selected.cluster.server.rstrip("/")
