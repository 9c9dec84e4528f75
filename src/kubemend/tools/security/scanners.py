"""Known weaknesses of images, from Trivy Operator's reports or from a scanner on this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.model.errors import KubemendError

ORDER = ("critical", "high", "medium", "low", "unknown")
"""Severities, the worst first; what a scanner calls otherwise is unknown."""
ONE_IMAGE_S = 180.0
"""Seconds that a scanner may take for one image; the first has to fetch its database."""
LIST_BYTES = 64 << 20
KEPT = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "DOCKER_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
KEPT_PREFIXES = ("TRIVY_", "GRYPE_", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_")
"""What a scanner gets of our environment: where to look and how to get out, no credentials of the cluster."""


class Weakness(Struct, frozen=True, order=True):
    """One known weakness. fixed_version: "" when there is none yet."""

    id: str
    severity: str
    package: str
    installed_version: str
    fixed_version: str
    title: str
    link: str


class ScanFailed(KubemendError):
    """A scanner could not scan an image."""

    code = "scan-failed"


def installed() -> str | None:
    """The scanner on PATH: trivy, else grype, else None."""
    return next((p for p in ("trivy", "grype") if shutil.which(p)), None)


async def scan(program: str, image: str) -> tuple[Weakness, ...]:
    """Scan one image with a program. ScanFailed when it can't; the image's registry must be reachable from here."""
    words = {
        "trivy": ("trivy", "image", "--quiet", "--format", "json", "--scanners", "vuln", "--", image),
        "grype": ("grype", "--quiet", "--output", "json", "--", image),
    }[program]
    out = await _run(words, image)
    try:
        told = msgspec.json.decode(out, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ScanFailed(f"{program} answered no JSON: {error}", where=image) from error
    return worst(_of_trivy(told) if program == "trivy" else _of_grype(told))


async def _run(words: Sequence[str], image: str) -> bytes:
    kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(KEPT_PREFIXES)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=kept, limit=LIST_BYTES
    )
    try:
        async with asyncio.timeout(ONE_IMAGE_S):
            out, said = await process.communicate()
    except TimeoutError as error:
        raise ScanFailed(f"{words[0]} took longer than {ONE_IMAGE_S:g} s", where=image) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise ScanFailed(f"{words[0]}: {last[0][:300]}", where=image)
    return out


def _of_trivy(told: Mapping[str, Any]) -> Iterable[Weakness]:
    for result in told.get("Results") or ():
        for found in result.get("Vulnerabilities") or ():
            yield Weakness(
                id=_text(found, "VulnerabilityID"),
                severity=severity(_text(found, "Severity")),
                package=_text(found, "PkgName"),
                installed_version=_text(found, "InstalledVersion"),
                fixed_version=_text(found, "FixedVersion"),
                title=_text(found, "Title"),
                link=_text(found, "PrimaryURL"),
            )


def _of_grype(told: Mapping[str, Any]) -> Iterable[Weakness]:
    for match in told.get("matches") or ():
        found, package = match.get("vulnerability") or {}, match.get("artifact") or {}
        yield Weakness(
            id=_text(found, "id"),
            severity=severity(_text(found, "severity")),
            package=_text(package, "name"),
            installed_version=_text(package, "version"),
            fixed_version=", ".join((found.get("fix") or {}).get("versions") or ()),
            title=_text(found, "description").split("\n", 1)[0][:200],
            link=_text(found, "dataSource"),
        )


def of_report(report: Mapping[str, Any]) -> tuple[Weakness, ...]:
    """The weaknesses in a VulnerabilityReport (aquasecurity.github.io/v1alpha1)."""
    return worst(
        Weakness(
            id=_text(found, "vulnerabilityID"),
            severity=severity(_text(found, "severity")),
            package=_text(found, "resource"),
            installed_version=_text(found, "installedVersion"),
            fixed_version=_text(found, "fixedVersion"),
            title=_text(found, "title"),
            link=_text(found, "primaryLink"),
        )
        for found in (report.get("report") or {}).get("vulnerabilities") or ()
    )


def image_of(report: Mapping[str, Any]) -> str:
    """The image that a VulnerabilityReport is about, as a reference."""
    held = report.get("report") or {}
    artifact, registry = held.get("artifact") or {}, _text(held.get("registry") or {}, "server")
    name = "/".join(p for p in (registry, _text(artifact, "repository")) if p)
    tag, digest = _text(artifact, "tag"), _text(artifact, "digest")
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest and not tag else "")


def worst(found: Iterable[Weakness]) -> tuple[Weakness, ...]:
    """Each once, the worst first; of equal ones those that have a fix."""
    return tuple(sorted(set(found), key=lambda w: (ORDER.index(w.severity), not w.fixed_version, w.id, w.package)))


def severity(text: str) -> str:
    """A scanner's word for a severity in ours."""
    word = {"negligible": "low", "moderate": "medium", "important": "high"}.get(text.lower(), text.lower())
    return word if word in ORDER else "unknown"


def _text(held: Mapping[str, Any], key: str) -> str:
    return str(held.get(key) or "")
