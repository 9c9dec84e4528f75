"""The one way in which a patch fails."""

from __future__ import annotations

from kubemend.model.errors import InvalidInput


class PatchError(InvalidInput):
    """The patch can't be applied to this object; `where` is the JSON Pointer or field at which it fails."""

    code = "invalid-patch"
