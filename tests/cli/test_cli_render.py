"""What people and programs get to see of a scan."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from kubemend.engine.views import Remedy, Scan, of_scan
from kubemend.model.finding import Cite, Diagnosis, Finding, NotJudged, Report, Severity
from kubemend.model.ref import Ref
from kubemend.surfaces.cli import output
from kubemend.surfaces.cli.render.html import html
from kubemend.surfaces.cli.render.junit import junit
from kubemend.surfaces.cli.render.prometheus import prometheus
from kubemend.surfaces.cli.render.sarif import sarif
from kubemend.surfaces.cli.render.scan import scanned
from kubemend.surfaces.cli.words import ago, line, plain, quoted

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
WEB = Ref("Deployment", "shop", "web", "apps")
POD = Ref("Pod", "shop", "web-1")
EVIL = 'boom \x1b[31mred\x1b]0;title\x07 \u202ereversed <script>alert("x")</script> [bold]x[/bold]\nnext "line"'


def finding(code="KM101", severity=Severity.ERROR, message="killed at 100Mi", **more):
    return Finding(
        code=code, title="Killed for memory", severity=severity, about=POD, subject=WEB, target=WEB, message=message,
        evidence=(Cite(POD, "/status/containerStatuses/0/lastState/terminated/reason", "OOMKilled"),),
        confidence=0.9, **more,
    )  # fmt: skip


def scan(*diagnoses, not_judged=(), **more):
    report = Report(diagnoses=tuple(diagnoses), not_judged=tuple(not_judged))
    return Scan(report=report, source="kind-dev", taken_at=NOW, **more)


FORBIDDEN = "could not read StorageClass: forbidden"
CAUSE = Diagnosis(root=finding(count=3), symptoms=(finding("KM102", message="restarts again and again"),))
ONE = scan(CAUSE, not_judged=[NotJudged("KM301", FORBIDDEN), NotJudged("KM302", FORBIDDEN)])
EMPTY = scan()
HOSTILE = scan(Diagnosis(root=finding(message=EVIL)), not_judged=[NotJudged("KM301", EVIL)])


def table(made, capsys):
    output.show(*scanned(made))
    return capsys.readouterr().out


def test_a_cause_is_shown_with_evidence_and_what_it_explains(capsys):
    said = table(ONE, capsys)
    assert "ERROR     KM101  Deployment shop/web" in said
    assert "killed at 100Mi (on 3 objects)" in said
    assert "/status/containerStatuses/0/lastState/terminated/reason = OOMKilled" in said
    assert "explains  KM102 Deployment shop/web: restarts again and again" in said
    assert "1 error, 2 rules not judged" in said


def test_what_was_not_judged_is_always_listed_with_its_reason(capsys):
    said = table(scan(not_judged=[NotJudged("KM301", "forbidden", "shop")]), capsys)
    assert "NOT JUDGED" in said
    assert "forbidden in shop  KM301" in said
    assert "nothing found, 1 rule not judged" in said


def test_a_healthy_cluster_takes_one_line(capsys):
    assert table(EMPTY, capsys) == "nothing found  (kind-dev, all namespaces, 2026-01-01 12:00:00Z)\n"


def test_a_repair_is_offered_as_the_command_that_makes_it(capsys):
    cause = Diagnosis(root=finding())
    said = table(
        scan(cause, remedies={cause.fingerprint: Remedy(None, "raise-memory-limit: no node is larger")}), capsys
    )
    assert "repair    none: raise-memory-limit: no node is larger" in said


def test_text_from_the_cluster_can_not_steer_the_terminal(capsys):
    said = table(HOSTILE, capsys)
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    assert "[bold]x[/bold]" in said


def test_json_has_everything(capsys):
    output.emit(of_scan(ONE), "json")
    seen = json.loads(capsys.readouterr().out)
    assert seen["summary"] == {"critical": 0, "error": 1, "warning": 0, "info": 0, "not_judged": 2, "known": 0}
    found = seen["findings"][0]
    assert (found["code"], found["severity"], found["subject"]["name"]) == ("KM101", "error", "web")
    assert found["fingerprint"] == ONE.report.diagnoses[0].fingerprint
    assert [s["code"] for s in found["symptoms"]] == ["KM102"]
    assert [n["code"] for n in seen["not_judged"]] == ["KM301", "KM302"]


@pytest.mark.parametrize("made", [ONE, EMPTY, HOSTILE], ids=["one", "empty", "hostile"])
def test_junit_is_xml_whose_counts_are_right(made):
    suite = ET.fromstring(junit(made))
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) >= 1
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == len(made.report.diagnoses)
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped")) == len(made.report.not_judged)


@pytest.mark.parametrize("made", [ONE, EMPTY, HOSTILE], ids=["one", "empty", "hostile"])
def test_sarif_has_one_result_a_cause_and_names_its_rule(made):
    run = json.loads(sarif(made))["runs"][0]
    assert len(run["results"]) == len(made.report.diagnoses)
    assert {r["ruleId"] for r in run["results"]} == {r["id"] for r in run["tool"]["driver"]["rules"]}
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == len(made.report.not_judged)
    for result in run["results"]:
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "shop/Deployment/web"


def test_html_escapes_all_text_and_allows_no_script():
    page = html(HOSTILE)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page


def test_prometheus_text_has_a_sample_for_each_cause_and_escapes_labels():
    text = prometheus(ONE)
    assert 'kubemend_finding{code="KM101",severity="error",namespace="shop",kind="Deployment",name="web",' in text
    assert 'kubemend_not_judged{code="KM301",namespace=""} 1' in text
    for sample in prometheus(HOSTILE).splitlines():
        assert sample.startswith(("#", "kubemend_"))


def test_prometheus_text_of_a_healthy_cluster_still_says_when_it_looked():
    assert f"kubemend_scan_timestamp_seconds {NOW.timestamp():.0f}" in prometheus(EMPTY)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d"), (-5, "0s")],
)
def test_ages_are_told_in_the_unit_that_says_enough(seconds, said):
    assert ago(datetime.fromtimestamp(NOW.timestamp() - seconds, UTC), NOW) == said


def test_long_values_are_cut_and_short_ones_are_whole():
    assert quoted("x" * 200) == "x" * 79 + "…"
    assert quoted({"a": 1}) == '{"a":1}'
    assert quoted(None) == "null"


def test_plain_text_keeps_its_lines_and_one_line_text_has_none():
    assert plain("a\n\tb\x1b") == "a\n\tb\N{REPLACEMENT CHARACTER}"
    assert line("a\n\tb") == "a b"
