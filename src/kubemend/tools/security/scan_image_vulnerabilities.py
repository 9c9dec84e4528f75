"""Tool: known weaknesses of the images that run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from kubemend.cluster.errors import Forbidden, NotServed, TimedOut, Unreachable
from kubemend.cluster.resource import Resource
from kubemend.kube.names import split_image, valid_image
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import wide
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.security.scanners import ORDER, ScanFailed, Weakness, image_of, installed, of_report, scan
from kubemend.tools.words import Scope

AT_MOST = 10
"""Images that a scanner on this machine is set on in one call."""
PAGES = 40
"""Pages of reports that are read at most, 500 each."""
INSTALL = (
    "nothing here can scan images: install Trivy Operator in the cluster "
    "(https://aquasecurity.github.io/trivy-operator), or the program trivy or grype where kubemend runs"
)


class ImageRow(Struct, frozen=True):
    """One image. scanned: false: nothing is known about it, which is not the same as no weakness; see `why`."""

    image: str
    pods: int
    scanned: bool
    source: str
    by_severity: dict[str, int]
    fixable: int
    weaknesses: tuple[Weakness, ...]
    why: str = ""


class Scanned(Struct, frozen=True):
    """scanner: "trivy-operator", "trivy", "grype", or None when there is none. images: the worst first."""

    scanner: str | None
    namespace: str
    images_found: int
    images_scanned: int
    by_severity: dict[str, int]
    images: tuple[ImageRow, ...]
    recommendations: tuple[str, ...]


@tool(risk=Risk.READ, needs={Access("list", "pods")}, examples=({"namespace": "shop"},), within_s=900)
async def scan_image_vulnerabilities(
    cluster: Look,
    *,
    namespace: Scope = None,
    image: Annotated[
        Annotated[str, Meta(max_length=512)] | None, Meta(description="One image; all that run when omitted.")
    ] = None,
) -> Scanned:
    """List known weaknesses of images: from Trivy Operator's reports, else by trivy or grype on this machine.

    Without any of them it says what to install. With Trivy Operator it also needs the right to list its reports.
    """
    if image is not None and not valid_image(image):
        raise InvalidInput(f"{image!r} is no image reference", code="invalid-arguments", where="image")
    running = _running(await cluster.list(wide.Pod, namespace))
    wanted = sorted(running) if image is None else [image]
    reports = await _reports(cluster, namespace if image is None else None)
    program = None if reports is not None else installed()
    if reports is not None:
        rows = [_reported(i, running.get(i, 0), reports) for i in wanted]
    else:
        rows = [await _scanned(i, running.get(i, 0), program) for i in wanted[:AT_MOST]]
        rows += [_unknown(i, running.get(i, 0), f"only {AT_MOST} are scanned at once") for i in wanted[AT_MOST:]]
    rows.sort(key=lambda r: ([-r.by_severity.get(s, 0) for s in ORDER], r.image))
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row.by_severity)
    return Scanned(
        scanner="trivy-operator" if reports is not None else program,
        namespace=namespace or "all",
        images_found=len(wanted),
        images_scanned=sum(r.scanned for r in rows),
        by_severity={s: total[s] for s in ORDER},
        images=tuple(rows),
        recommendations=tuple(_advice(rows, nothing=reports is None and program is None)),
    )


def _running(pods: Iterable[wide.Pod]) -> Counter[str]:
    """Images by the number of pods that use them."""
    return Counter(i for p in pods for i in {c.image for c in p.spec.all_containers if c.image})


async def _reports(cluster: Look, namespace: str | None) -> dict[str, Mapping[str, Any]] | None:
    """Trivy Operator's reports by image, with the registry spelt out; None when there are none to be had."""
    served = next((r for r in await cluster.reader.resources() if _is_report(r)), None)
    if served is None:
        return None
    found: dict[str, Mapping[str, Any]] = {}
    token = ""
    for _ in range(PAGES):
        try:
            page = await cluster.reader.page(served, namespace, token=token)
        except (Forbidden, NotServed, TimedOut, Unreachable) as error:
            cluster.missing(served.plural, error.message)
            return None
        found |= {_spelt(image_of(r)): r for r in page.get("items") or ()}
        token = (page.get("metadata") or {}).get("continue", "")
        if not token:
            return found
    cluster.missing(served.plural, f"only the first {PAGES * 500} were read")
    return found


def _is_report(resource: Resource) -> bool:
    return resource.plural == "vulnerabilityreports" and resource.group == "aquasecurity.github.io"


def _spelt(image: str) -> str:
    """An image with all that is left out when it is Docker Hub's: "docker.io/library/redis:7"."""
    found = split_image(image)
    host = "docker.io" if found.host in ("index.docker.io", "docker.io") else found.host
    path = found.repository if "/" in found.repository or host != "docker.io" else f"library/{found.repository}"
    return f"{host}/{path}" + (f":{found.tag}" if found.tag else "") + (f"@{found.digest}" if not found.tag else "")


def _reported(image: str, pods: int, reports: Mapping[str, Mapping[str, Any]]) -> ImageRow:
    report = reports.get(_spelt(image))
    if report is None:
        return _unknown(image, pods, "Trivy Operator has no report of it (yet)")
    return _row(image, pods, "trivy-operator", of_report(report))


async def _scanned(image: str, pods: int, program: str | None) -> ImageRow:
    if program is None:
        return _unknown(image, pods, "there is no scanner")
    if not valid_image(image):
        return _unknown(image, pods, "it is no valid image reference")
    try:
        return _row(image, pods, program, await scan(program, image))
    except ScanFailed as error:
        return _unknown(image, pods, error.message)


def _row(image: str, pods: int, source: str, found: Sequence[Weakness]) -> ImageRow:
    count = Counter(w.severity for w in found)
    fixable = sum(bool(w.fixed_version) for w in found)
    return ImageRow(image, pods, True, source, {s: count[s] for s in ORDER if count[s]}, fixable, tuple(found))


def _unknown(image: str, pods: int, why: str) -> ImageRow:
    return ImageRow(image, pods, False, "", {}, 0, (), why)


def _advice(rows: Sequence[ImageRow], *, nothing: bool) -> Iterable[str]:
    if nothing:
        yield INSTALL
    for row in rows:
        bad = row.by_severity.get("critical", 0) + row.by_severity.get("high", 0)
        if bad and row.fixable:
            yield f"{row.image}: {bad} critical or high; {row.fixable} have a fix: use a newer image"
