"""What can go wrong with the ledger. No ledger, no write: every one of these stops a repair before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from kubemend.model.errors import KubemendError


class StoreError(KubemendError):
    """The ledger can't be read or written."""

    code = "store-unavailable"
    exit_status = 4


class Moved(StoreError):
    """A repair is not in the state, or not in the hands, that this step takes for granted."""

    code = "repair-moved"
    exit_status = 5


class Held(StoreError):
    """Another repair holds one of the objects."""

    code = "object-held"
    exit_status = 5


class OverBudget(StoreError):
    """A limit on repairs is reached."""

    code = "over-budget"
    exit_status = 5


class UnknownRepair(StoreError):
    """No repair has that id."""

    code = "repair-unknown"
    exit_status = 2


class UnknownIncident(StoreError):
    """No incident has that id."""

    code = "incident-unknown"
    exit_status = 2


_FULL = "free space on that disk, then run the same command again"
_CLOSED = "make the file and its folder writable, or give another one with --store"
_SIGNS = (
    ("disk is full", "store-full", _FULL),
    ("No space left", "store-full", _FULL),
    ("disk I/O error", "store-full", "check the disk and the free space on it"),
    ("readonly", "store-read-only", _CLOSED),
    ("Read-only file system", "store-read-only", _CLOSED),
    ("Permission denied", "store-read-only", _CLOSED),
    ("locked", "store-locked", "another process holds the ledger; wait for it, or give another one with --store"),
    ("unable to open", "store-unavailable", "check that the folder exists and may be written"),
    ("not a database", "store-corrupt", "this file is no kubemend ledger; give another one with --store"),
    ("malformed", "store-corrupt", "restore the file from a backup, or give another one with --store"),
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the SQL library's errors into ours, naming the ledger they came from."""
    try:
        yield
    except IntegrityError:
        raise  # callers that rely on a constraint catch it themselves
    except (DBAPIError, OSError) as error:
        raise _translate(error, where) from error
    except msgspec.MsgspecError as error:
        why, hint = f"the ledger holds what this program can't read: {error}", "use the kubemend that wrote it"
        raise StoreError(why, where=where, code="store-corrupt", hint=hint) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the ledger failed: {error}", where=where) from error


def _translate(error: DBAPIError | OSError, where: str) -> StoreError:
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    for sign, code, hint in _SIGNS:
        if sign in text:
            return StoreError(f"the ledger failed: {text}", where=where, hint=hint, code=code)
    return StoreError(f"the ledger failed: {text}", where=where, hint="nothing is written to a cluster without it")
