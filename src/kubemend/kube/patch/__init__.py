"""Patches as the API server applies them, computed here so that a plan can be judged before it is sent.

All functions are pure: arguments aren't modified, but a result shares its unchanged parts with them.
"""

from kubemend.kube.patch.errors import PatchError
from kubemend.kube.patch.json6902 import json_patch
from kubemend.kube.patch.merge7386 import inverse, merge
from kubemend.kube.patch.strategic import strategic

__all__ = ["PatchError", "inverse", "json_patch", "merge", "strategic"]
