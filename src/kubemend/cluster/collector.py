"""One Snapshot of a cluster: every kind listed at once, and what could not be read said in it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from kubemend.cluster.answers import Listing
from kubemend.cluster.errors import ClusterError, ConfigError, LoginFailed, Unauthorized, Unreachable
from kubemend.cluster.reader import Reader
from kubemend.model.objects import Obj
from kubemend.model.snapshot import Snapshot, Unread

AT_ONCE = 8
"""Kinds listed at one time: enough to hide the latency, few enough for the API server's fairness queues."""
EXCLUDED = "excluded on request"
"""`Unread.why` of a namespace that was left out because somebody asked for it."""


async def collect(
    reader: Reader,
    kinds: Iterable[type[Obj]],
    namespace: str | None = None,
    exclude: Collection[str] = (),
) -> Snapshot:
    """Read all objects of these kinds (of one namespace; cluster-scoped kinds wholly).

    A kind that can't be read, whatever the reason, is in `unread`. Only when no kind could be read because the cluster
    can't be reached, or we have no good login, is that raised: Unreachable, Unauthorized, LoginFailed, ConfigError.
    Objects of `exclude`d namespaces are not in the snapshot, and each such namespace is in `unread`.
    """
    wanted = tuple(dict.fromkeys(kinds))
    taken_at = datetime.now(UTC)
    free = asyncio.Semaphore(AT_ONCE)
    answers: dict[type[Obj], Listing[Obj] | ClusterError] = {}

    async def read(kind: type[Obj]) -> None:
        async with free:
            if _hopeless(answers.values()) is None:
                answers[kind] = await _listed(reader, kind, namespace)

    await asyncio.gather(*(read(kind) for kind in wanted))
    if (error := _hopeless(answers.values())) is not None:
        raise error
    # What was not asked for, because the first answers gave no hope, is asked for now that others did.
    await asyncio.gather(*(read(kind) for kind in wanted if kind not in answers))
    read_kinds = {k: a for k in wanted if isinstance(a := answers[k], Listing)}
    unread = [Unread(k.__name__, a.message) for k in wanted if isinstance(a := answers[k], ClusterError)]
    unread += [u for listing in read_kinds.values() for u in listing.unread]
    unread += [Unread(k.__name__, EXCLUDED, ns) for k in wanted if k.namespaced for ns in exclude]
    return Snapshot.of(
        (o for listing in read_kinds.values() for o in listing.items if o.namespace not in exclude),
        taken_at=taken_at,
        unread=unread,
        cluster=reader.cluster,
        kinds=read_kinds,
        namespace=namespace,
    )


async def _listed(reader: Reader, kind: type[Obj], namespace: str | None) -> Listing[Obj] | ClusterError:
    try:
        return await reader.list(kind, namespace)
    except ClusterError as error:
        return error


def _hopeless(answers: Collection[Listing[Obj] | ClusterError]) -> ClusterError | None:
    """The error that all answers so far have in common, if it is one of the connection: asking on is useless."""
    errors = [a for a in answers if isinstance(a, Unreachable | Unauthorized | LoginFailed | ConfigError)]
    return errors[0] if errors and len(errors) == len(answers) else None
