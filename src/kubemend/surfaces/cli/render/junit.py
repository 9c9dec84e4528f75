"""A scan as JUnit XML, which every CI system shows: one test case a cause, skipped ones for what was not judged.

The format is that of the Jenkins xUnit plugin's schema (`junit-10.xsd`).
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from kubemend.engine.views import Scan
from kubemend.model.finding import Diagnosis
from kubemend.surfaces.cli.words import line, quoted


def junit(scan: Scan) -> str:
    """One test suite. A scan without any cause has one case that passed."""
    report = scan.report
    failures, skipped = len(report.diagnoses), len(report.not_judged)
    cases = failures + skipped or 1
    suite = ET.Element(
        "testsuite",
        name="kubemend scan",
        tests=str(cases),
        failures=str(failures),
        skipped=str(skipped),
        errors="0",
        timestamp=scan.taken_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    for diagnosis in report.diagnoses:
        _failure(suite, diagnosis)
    for entry in report.not_judged:
        where = f"{entry.code} in {entry.namespace}" if entry.namespace else entry.code
        case = ET.SubElement(suite, "testcase", classname="not judged", name=where)
        ET.SubElement(case, "skipped", message=line(entry.why))
    if not (failures or skipped):
        ET.SubElement(suite, "testcase", classname="kubemend", name="no fault found")
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _failure(suite: ET.Element, diagnosis: Diagnosis) -> None:
    root = diagnosis.root
    case = ET.SubElement(suite, "testcase", classname=line(str(root.subject)), name=f"{root.code} {line(root.title)}")
    failure = ET.SubElement(case, "failure", type=root.severity.name.lower(), message=line(root.message))
    lines = [f"{c.ref} {c.path} = {quoted(c.value)}" for c in root.evidence]
    lines += [f"explains {s.code} {s.subject}: {s.message}" for s in diagnosis.symptoms]
    failure.text = "\n".join(line(one) for one in lines)
