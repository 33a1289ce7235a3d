# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings, waivers, what makes an audit fail, and the formats."""

from __future__ import annotations

import datetime as dt
import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._audit import formats, model, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import SEVERITIES, Check, Finding, Waiver
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.report import weigh
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

TODAY = dt.date(2026, 11, 21)
OPEN = Check("host.ssh_open", "high", "SSH is not open to everybody", "Name the networks in the firewall's rule.")
OLD = Check("host.image_age", "medium", "The image is not old", "Make the host anew from a current image.")
UNSEEN = Check("host.time_skew", "low", "The clock is right", "Start systemd-timesyncd.")
UNASKED = Check("host.undeclared_users", "critical", "Everybody is declared", "Declare them.")
FOUND = (
    OLD.judge("web-1", False, "The image is 400 days old."),
    OPEN.judge("web-1", True, "Port 22 is open to 192.0.2.0/24."),
    OPEN.judge("web-2", False, "Port 22 is open to 0.0.0.0/0 & ::/0."),
    UNSEEN.judge("web-2", None, "There is no timedatectl."),
    UNASKED.unjudged("web-2", "No users are declared."),
)
# A server that lets nobody in: nothing of it could be looked at.
SHUT = (
    Check("postgresql.tls", "critical", "The connection is encrypted", "Set ssl to on.").judge("db", None, "Could not be told: the password is wrong"),
    Check("postgresql.idle", "low", "Transactions end", "Set a timeout.").judge("db", None, "Could not be told: the password is wrong"),
)


def waiver(**given: Any) -> Waiver:
    return Waiver(**{"id": "host.ssh_open", "subject": "web-*", "owner": "ann", "expires": TODAY, "reason": "Until the VPN is there", **given})


class Noon(Clock):
    def now(self) -> float:
        return dt.datetime(2026, 11, 21, 12, tzinfo=dt.timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("fail_on", "failing"),
    [("critical", []), ("high", ["web-2"]), ("medium", ["web-2", "web-1"]), ("info", ["web-2", "web-1", "web-2"]), ("never", [])],
)
def test_the_least_severity_that_fails(fail_on: str, failing: list[str]) -> None:
    report = policy.report(FOUND, [], fail_on, TODAY)
    assert [each.subject for each in report.failing] == failing
    assert [each.verdict for each in report.findings] == ["fail", "fail", "unknown", "unjudged", "pass"]
    assert [SEVERITIES.index(each.severity) for each in report.findings[:2]] == [3, 2]


@pytest.mark.parametrize(("fail_on", "failing"), [("critical", ["postgresql.tls"]), ("low", ["postgresql.tls", "postgresql.idle"]), ("never", [])])
def test_what_could_not_be_looked_at_fails_with_its_check_s_severity(fail_on: str, failing: list[str]) -> None:
    assert [each.id for each in policy.report(SHUT, [], fail_on, TODAY).failing] == failing
    assert policy.report(SHUT, [], fail_on, TODAY, unknown_fails=False).failing == ()


def test_what_nothing_was_declared_for_fails_never() -> None:
    assert policy.report([UNASKED.unjudged("web-2", "No users are declared.")], [], "info", TODAY).failing == ()


@pytest.mark.parametrize("unknown_fails", [True, False])
def test_every_format_shows_what_could_not_be_looked_at(unknown_fails: bool) -> None:
    report = policy.report(SHUT, [waiver(id="postgresql.idle", subject="db")], "high", TODAY, unknown_fails=unknown_fails)
    results = {each["ruleId"]: (each["kind"], each["level"]) for each in json.loads(formats.sarif(report))["runs"][0]["results"]}
    assert results["postgresql.tls"] == (("fail", "error") if unknown_fails else ("open", "none"))
    [suite] = ET.fromstring(formats.junit(report)).findall("testsuite")
    assert (suite.get("errors"), suite.get("skipped")) == (("1", "1") if unknown_fails else ("0", "2"))
    assert (formats.LOOK in formats.table(report), formats.LOOK in formats.html(report)) == (unknown_fails, unknown_fails)
    assert '<tr class="unknown">' in formats.html(report) and json.loads(formats.as_json(report))["summary"]["unknown"] == 1


@pytest.mark.parametrize(
    ("given", "waived", "noted"),
    [
        ({}, True, "waived until 2026-11-21 by ann"),
        ({"id": "host.*", "subject": "*"}, True, "waived until"),
        ({"expires": TODAY - dt.timedelta(days=1)}, False, "the waiver expired on 2026-11-20 by ann"),
        ({"subject": "web-1"}, False, ""),
        ({"id": "host.ssh"}, False, ""),
    ],
)
def test_a_waiver_forgives_what_it_names_until_its_day(given: dict[str, Any], waived: bool, noted: str) -> None:
    report = policy.report([FOUND[2]], [waiver(**given)], "high", TODAY)
    assert report.findings[0].waived is waived
    assert bool(report.failing) is not waived
    assert formats.note(report.findings[0]).startswith(noted)
    assert report.summary()["waived"] == waived


def test_what_is_wrong_or_unknown_is_forgiven_and_the_longest_waiver_counts() -> None:
    everything = [waiver(id="*", subject="*", expires=TODAY - dt.timedelta(days=9)), waiver(id="*", subject="*", owner="bob")]
    report = policy.report(FOUND, everything, "info", TODAY)
    assert {each.verdict: each.waiver and each.waiver.owner for each in report.findings} == {
        "fail": "bob",
        "unknown": "bob",
        "unjudged": None,
        "pass": None,
    }


def test_what_was_reported_can_be_reported_again() -> None:
    once = policy.report(FOUND, [waiver()], "high", TODAY)
    again = policy.report([model.finding(each.as_dict()) for each in once.findings], [], "high", TODAY)
    assert [each.as_dict() for each in again.findings] == [each.as_dict() for each in once.findings]
    later = policy.report([model.finding(each.as_dict()) for each in once.findings], [], "high", TODAY + dt.timedelta(days=1))
    assert [each.subject for each in later.failing] == ["web-2"]


def test_a_finding_counts_once_and_may_not_contradict_itself() -> None:
    assert len(policy.report([*FOUND, *FOUND], [], "high", TODAY).findings) == len(FOUND)
    with pytest.raises(OpsError, match=r"two different findings host\.ssh_open about web-1"):
        policy.report([*FOUND, OPEN.judge("web-1", False, "open")], [], "high", TODAY)


GOOD = FOUND[0].as_dict()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"remedy": None}, "lacks remedy"),
        ({"severity": "urgent"}, "severity 'urgent'"),
        ({"verdict": "ok"}, "verdict 'ok'"),
        ({"id": "Host SSH"}, "needs an id"),
        ({"waiver": {"owner": "ann"}}, "lacks expires, reason"),
    ],
)
def test_what_is_no_finding(change: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        model.finding({**GOOD, **change})


@pytest.mark.parametrize(("change", "said"), [({"owner": " "}, "lacks owner"), ({"expires": "soon"}, "is no day"), ({"reason": None}, "lacks reason")])
def test_what_is_no_waiver(change: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        model.waiver({"id": "a.b", "owner": "ann", "expires": "2027-01-31", "reason": "why", **change})


@pytest.fixture
def report() -> policy.Report:
    return policy.report(FOUND, [waiver()], "medium", TODAY)


def test_the_table_reads_from_the_top(report: policy.Report) -> None:
    lines = formats.table(report).splitlines()
    assert [line.split()[0] for line in lines if line and not line.startswith(" ")] == ["verdict", "fail", "unknown", "waived", "unjudged", "pass", "1"]
    assert lines[2].strip() == OLD.remedy
    assert any("waived until 2026-11-21 by ann" in line for line in lines)
    assert OPEN.remedy not in "\n".join(lines)
    assert lines[-1] == "1 pass, 1 fail, 1 unknown, 1 unjudged, 1 waived, 1 failing"


def test_sarif_has_a_rule_for_each_check_and_levels_for_failures_alone(report: policy.Report) -> None:
    run = json.loads(formats.sarif(report))["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted({each.id for each in FOUND})
    assert {(each["kind"], each["level"]) for each in run["results"]} == {
        ("fail", "error"),
        ("fail", "warning"),
        ("fail", "note"),
        ("notApplicable", "none"),
        ("pass", "none"),
    }
    assert [each["suppressions"][0]["kind"] for each in run["results"] if "suppressions" in each] == ["external"]
    prints = {each["partialFingerprints"]["finding/v1"] for each in run["results"]}
    assert len(prints) == len(FOUND)


def test_junit_counts_what_ci_shows(report: policy.Report) -> None:
    [suite] = ET.fromstring(formats.junit(report)).findall("testsuite")
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "host",
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
    }


def test_html_escapes_what_was_seen(report: policy.Report) -> None:
    page = formats.html(report)
    assert "0.0.0.0/0 &amp; ::/0" in page
    assert page.count("<tr") == len(FOUND) + 1


def test_json_is_what_the_module_returns(report: policy.Report) -> None:
    said = json.loads(formats.as_json(report))
    params = {
        "findings": [each.as_dict() for each in FOUND],
        "waivers": [{"id": "host.ssh_open", "subject": "web-*", "owner": "ann", "expires": "2026-11-21", "reason": "Until the VPN is there"}],
        "fail_on": "medium",
        "unknown_fails": True,
        "formats": list(formats.FORMATS),
        "unanswered": [],
        "title": "Audit",
    }
    answer = weigh(params, Noon())
    assert (answer["findings"], answer["summary"]) == (said["findings"], said["summary"])
    assert list(answer["rendered"]) == ["table", "json", "sarif", "junit", "html"]
    assert [each["id"] for each in answer["failing"]] == ["host.image_age"]


def test_what_never_answered_is_a_failure() -> None:
    answer = weigh(
        {"findings": [], "waivers": [], "fail_on": "high", "unknown_fails": True, "formats": ["html"], "unanswered": ["web-2 host_result"], "title": "Monday"},
        Noon(),
    )
    assert [(each["id"], each["subject"]) for each in answer["failing"]] == [("audit.answered", "web-2 host_result")]
    assert "<h1>Monday</h1>" in answer["rendered"]["html"]


def test_an_audit_of_nothing_is_empty_and_fails_nothing() -> None:
    empty = policy.report([], [], "info", TODAY)
    assert empty.failing == ()
    assert all(render(empty) for render in formats.FORMATS.values())


def test_evidence_is_the_caller_s() -> None:
    assert OPEN.judge("a", None, "why") == Finding("host.ssh_open", OPEN.title, "high", "a", "unknown", "why", OPEN.remedy)
