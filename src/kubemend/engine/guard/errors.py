"""Why the guard stops."""

from __future__ import annotations

from kubemend.model.errors import KubemendError


class Stopped(KubemendError):
    """The guard won't do it."""

    code = "refused"
    exit_status = 5


class Elsewhere(Stopped):
    """The object is not what the plan was made for: someone else changed, replaced or deleted it."""

    code = "object-changed"


class Doubtful(Stopped):
    """What came of a write can't be told, or it is still under way: a person must look."""

    code = "outcome-unknown"
