"""Reading kubeconfig files: several merged into one, paths made absolute, one context picked.

Follows kubectl (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig): the first file that
names a cluster, user or context wins, so does the first current-context; relative paths are relative to
their file; files of a $KUBECONFIG list that don't exist are passed over.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import Struct

from kubemend.cluster.decoding import without_nulls
from kubemend.cluster.errors import ConfigError

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Entry(Struct, frozen=True, kw_only=True, rename="kebab"):
    """A piece of a kubeconfig. Its repr shows nothing: most pieces may hold a secret."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Extension(Entry, frozen=True):
    """A named free-form value of a cluster."""

    name: str = ""
    extension: Any = None


class ClusterEntry(Entry, frozen=True):
    """`clusters[].cluster`."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: tuple[Extension, ...] = ()


class EnvEntry(Entry, frozen=True):
    """One environment variable of an exec plugin."""

    name: str
    value: str = ""


class ExecEntry(Entry, frozen=True, rename="camel"):
    """`users[].user.exec`: a program that prints credentials."""

    api_version: str = ""
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[EnvEntry, ...] = ()
    install_hint: str = ""
    interactive_mode: str = ""
    provide_cluster_info: bool = False


class ProviderEntry(Entry, frozen=True):
    """`users[].user.auth-provider`."""

    name: str = ""
    config: dict[str, str] = {}


class UserEntry(Entry, frozen=True):
    """`users[].user`."""

    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    username: str = ""
    password: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: ExecEntry | None = None
    auth_provider: ProviderEntry | None = None
    as_user: str = msgspec.field(name="as", default="")
    as_uid: str = ""
    as_groups: tuple[str, ...] = ()
    as_user_extra: dict[str, tuple[str, ...]] = {}


class ContextEntry(Entry, frozen=True):
    """`contexts[].context`."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


E_ = TypeVar("E_", bound=Entry)


@dataclass(frozen=True)
class Selected:
    """One context with what it names. `path`: the file its user comes from."""

    name: str
    context: ContextEntry
    cluster: ClusterEntry
    user: UserEntry
    path: Path | None


@dataclass(frozen=True)
class Kubeconfig:
    """One or more kubeconfig files as one."""

    current: str = ""
    contexts: Mapping[str, ContextEntry] = field(default_factory=dict)
    clusters: Mapping[str, ClusterEntry] = field(default_factory=dict)
    users: Mapping[str, UserEntry] = field(default_factory=dict)
    user_files: Mapping[str, Path] = field(default_factory=dict)

    def select(self, context: str | None = None) -> Selected:
        """Pick a context, or the current one. ConfigError: `context-unset`, `context-unknown`, `kubeconfig-invalid`."""
        name = context or self.current
        if not name:
            raise ConfigError(
                "no context was named and the kubeconfig has no current-context",
                code="context-unset",
                hint=f"name one of: {', '.join(sorted(self.contexts)) or 'none is defined'}",
            )
        found = self.contexts.get(name)
        if found is None:
            raise ConfigError(f"there is no context {name!r}", code="context-unknown", hint=self._nearest(name))
        cluster = self.clusters.get(found.cluster)
        if cluster is None or not cluster.server:
            raise ConfigError(f"context {name!r} names cluster {found.cluster!r}, which has no server", where=name)
        if found.user and found.user not in self.users:
            raise ConfigError(f"context {name!r} names user {found.user!r}, which is not there", where=name)
        user = self.users.get(found.user, UserEntry())
        return Selected(name, found, cluster, user, self.user_files.get(found.user))

    def _nearest(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.contexts, n=1)
        if near:
            return f"did you mean {near[0]!r}?"
        return f"the contexts are: {', '.join(sorted(self.contexts)) or 'none'}"


def load(paths: Iterable[Path]) -> Kubeconfig:
    """Read and merge kubeconfig files; those that don't exist are passed over."""
    merged = Kubeconfig()
    for path in paths:
        raw = _parse(path)
        if raw is not None:
            merged = _merge(merged, _single(raw, path))
    return merged


def given(text: str) -> Kubeconfig:
    """Read a kubeconfig that was handed over as text, perhaps with its line ends written as backslash and n.

    It comes from somebody else's configuration: it may name neither files of this machine nor programs to run.
    ConfigError `kubeconfig-unsafe` names what it may not.
    """
    where = Path("kubeconfig_data")
    if "\n" not in text.strip() and not text.lstrip().startswith("{"):
        text = text.replace("\\n", "\n")
    read = _single(_mapping(text.encode(), where), where)
    outside = [
        *(f"cluster {name}: certificate-authority" for name, c in read.clusters.items() if c.certificate_authority),
        *(f"user {name}: {what}" for name, user in read.users.items() for what in _outside(user)),
    ]
    if outside:
        raise ConfigError(
            f"names files or programs of this machine: {', '.join(outside)}",
            code="kubeconfig-unsafe",
            where=str(where),
            hint="put certificates and keys in as *-data and a token as token, or give the kubeconfig as a file",
        )
    return replace(read, user_files={})


def _outside(user: UserEntry) -> Iterator[str]:
    """What of a user's entry reads a file or runs a program."""
    named = {"client-certificate": user.client_certificate, "client-key": user.client_key, "tokenFile": user.token_file}
    yield from (what for what, value in named.items() if value)
    if user.exec is not None:
        yield "exec"
    provider = user.auth_provider
    if provider is not None and provider.config.keys() & {"cmd-path", "idp-certificate-authority"}:
        yield "auth-provider"


def _merge(first: Kubeconfig, second: Kubeconfig) -> Kubeconfig:
    return Kubeconfig(
        current=first.current or second.current,
        contexts={**second.contexts, **first.contexts},
        clusters={**second.clusters, **first.clusters},
        users={**second.users, **first.users},
        user_files={**second.user_files, **first.user_files},
    )


def _parse(path: Path) -> dict[str, Any] | None:
    try:
        return _mapping(path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _mapping(text: bytes, path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}" if mark else ""
        # The parser's own words may quote the file, and so a token.
        raise ConfigError(f"is not YAML{at}", where=str(path)) from error
    if not isinstance(raw, dict):
        raise ConfigError("is not a kubeconfig: no mapping at the top", where=str(path))
    return raw


def _single(raw: dict[str, Any], path: Path) -> Kubeconfig:
    users = _entries(raw, "users", "user", UserEntry, path)
    return Kubeconfig(
        current=raw.get("current-context") or "",
        contexts=_entries(raw, "contexts", "context", ContextEntry, path),
        clusters={
            name: _absolute(entry, path, "certificate_authority")
            for name, entry in _entries(raw, "clusters", "cluster", ClusterEntry, path).items()
        },
        users={name: _user(entry, path) for name, entry in users.items()},
        user_files=dict.fromkeys(users, path),
    )


def _entries(raw: dict[str, Any], plural: str, singular: str, wanted: type[E_], path: Path) -> dict[str, E_]:
    found: dict[str, E_] = {}
    listed = raw.get(plural) or []
    if not isinstance(listed, list):
        raise ConfigError(f"{plural} is not a list", where=str(path))
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise ConfigError(f"an entry of {plural} has no name", where=str(path))
        try:
            entry = msgspec.convert(without_nulls(item.get(singular) or {}), wanted)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{singular} {name!r}: {error}", where=str(path)) from error
        found.setdefault(name, entry)
    return found


def _user(entry: UserEntry, path: Path) -> UserEntry:
    plugin = entry.exec
    if plugin is not None and "/" in plugin.command:
        command = str(path.parent.absolute() / plugin.command)
        entry = msgspec.structs.replace(entry, exec=msgspec.structs.replace(plugin, command=command))
    return _absolute(entry, path, "token_file", "client_certificate", "client_key")


def _absolute(entry: E_, path: Path, *fields: str) -> E_:
    parent = path.parent.absolute()
    changed = {f: str(parent / value) for f in fields if (value := getattr(entry, f))}
    return msgspec.structs.replace(entry, **changed) if changed else entry


def data_or_file(data: str, path: str, what: str) -> bytes | None:
    """A PEM given inline as base64, or else in a file; None when neither is set. ConfigError when it can't be had."""
    if data:
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except binascii.Error as error:
            raise ConfigError(f"{what} is not base64") from error
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {error.strerror}", where=path) from error
