"""The images that a real node pulls are those of the practice cluster."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from testbed.node.images import PAUSE, Built, build_all

from kubemend.lab.images import CATALOGUE


@pytest.fixture(scope="module")
def built(node_programs: Path) -> dict[str, Built]:
    return {image.name: image for image in build_all(node_programs)}


def config(image: Built) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(image.blobs[json.loads(image.manifest)["config"]["digest"]])
    return held["config"]


def files(image: Built) -> dict[str, str]:
    """Paths of all layers, each with what it links to."""
    found = {}
    for layer in json.loads(image.manifest)["layers"]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.blobs[layer["digest"]]))) as archive:
            found |= {entry.name: entry.linkname for entry in archive}
    return found


def test_each_practice_image_is_there_with_its_command_line_and_user(built: dict[str, Built]) -> None:
    assert set(built) == {image.name for image in CATALOGUE} | {PAUSE}
    for image in CATALOGUE:
        made = config(built[image.name])
        wanted = (list(image.entrypoint), list(image.cmd), str(image.user))
        assert (made["Entrypoint"], made["Cmd"], made["User"]) == wanted, image.name


def test_each_image_holds_its_program_and_no_link_leads_nowhere(built: dict[str, Built]) -> None:
    for name, image in built.items():
        held = files(image)
        assert all(f"bin/{word}" in held for word in config(image)["Entrypoint"]), name
        assert all(f"bin/{target}" in held for path, target in held.items() if path.startswith("bin/") and target), name


def test_tags_are_images_of_their_own_that_share_their_layers(built: dict[str, Built]) -> None:
    one, other = built["registry.lab/web:1.0"], built["registry.lab/web:1.1"]
    assert one.manifest != other.manifest
    assert json.loads(one.manifest)["layers"] == json.loads(other.manifest)["layers"]
