# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report for people and for machines. Pure: findings in, text out."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from html import escape
from itertools import groupby
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.policy import Report

TOOL = "groundcrew.ops"
# SARIF has three levels, and a number for viewers that sort by it.
SARIF_LEVEL = {"info": "note", "low": "note", "medium": "warning", "high": "error", "critical": "error"}
SARIF_SCORE = {"info": "0.0", "low": "2.0", "medium": "5.0", "high": "8.0", "critical": "9.5"}
LOOK = "See that it can be looked at, as the evidence says, and run again."
COLUMNS = ("verdict", "severity", "id", "subject", "evidence")


def verdict(finding: Finding) -> str:
    return "waived" if finding.waived else finding.verdict


def note(finding: Finding) -> str:
    """Who answers for what is wrong, or did until lately."""
    if finding.waiver is None:
        return ""
    said = finding.waiver
    return f"{'waived until' if finding.waived else 'the waiver expired on'} {said.expires.isoformat()} by {said.owner}: {said.reason}"


def advice(report: Report, finding: Finding) -> list[str]:
    """What to do about it, and who answers for it: nothing for what is not wrong."""
    if not report.wrong(finding):
        return []
    remedy = finding.remedy if finding.verdict == "fail" else LOOK
    return [said for said in (note(finding), "" if finding.waived else remedy) if said]


def table(report: Report) -> str:
    """Columns for a terminal, with what to do below what is wrong."""
    rows = [COLUMNS, *((verdict(each), each.severity, each.id, each.subject, each.evidence) for each in report.findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows]
    for index, each in reversed(list(enumerate(report.findings, 1))):
        lines[index + 1 : index + 1] = [f"        {said}" for said in advice(report, each)]
    counts = ", ".join(f"{count} {word}" for word, count in report.summary().items())
    return "\n".join([*lines, "", counts, ""])


def as_json(report: Report) -> str:
    return json.dumps({"findings": [each.as_dict() for each in report.findings], "summary": report.summary()}, indent=2, sort_keys=True) + "\n"


def sarif(report: Report) -> str:
    """SARIF 2.1.0, as code scanning of CI systems takes it. A subject is no file, so it is a logical location."""
    rules = {each.id: each for each in report.findings}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": TOOL, "rules": [_rule(each) for _id, each in sorted(rules.items())]}},
                "results": [_result(report, each) for each in report.findings],
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _rule(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "shortDescription": {"text": finding.title},
        "help": {"text": finding.remedy},
        "defaultConfiguration": {"level": SARIF_LEVEL[finding.severity]},
        "properties": {"security-severity": SARIF_SCORE[finding.severity]},
    }


def _result(report: Report, finding: Finding) -> dict[str, Any]:
    wrong = report.wrong(finding)
    result: dict[str, Any] = {
        "ruleId": finding.id,
        # Only what is of the kind "fail" may have a level; viewers show nothing of the others.
        "kind": "fail" if wrong else {"pass": "pass", "unknown": "open", "unjudged": "notApplicable"}[finding.verdict],
        "level": SARIF_LEVEL[finding.severity] if wrong else "none",
        "message": {"text": " ".join([finding.evidence, *advice(report, finding)])},
        "properties": {"verdict": finding.verdict},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": finding.subject}]}],
        "partialFingerprints": {"finding/v1": f"{finding.id}:{finding.subject}"},
    }
    if finding.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": note(finding)}]
    return result


def junit(report: Report) -> str:
    """A suite for each audited noun, a case for each finding. What could not be looked at is an error; what is waived or not judged is skipped."""
    suites = ET.Element("testsuites", name=TOOL)
    for noun, found in groupby(sorted(report.findings, key=lambda each: (each.id, each.subject)), key=lambda each: each.id.split(".")[0]):
        cases = list(found)
        suite = ET.SubElement(suites, "testsuite", name=noun, tests=str(len(cases)))
        for each in cases:
            case = ET.SubElement(suite, "testcase", classname=each.id, name=each.subject)
            if report.wrong(each) and not each.waived:
                word = "failure" if each.verdict == "fail" else "error"
                ET.SubElement(case, word, type=each.severity, message=each.evidence).text = "\n".join(advice(report, each))
            elif each.verdict != "pass":
                ET.SubElement(case, "skipped", message=note(each) or each.evidence)
        for word, said in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(said, str(len(suite.findall(f"./testcase/{word}"))))
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def html(report: Report) -> str:
    """One page that needs nothing else."""
    head = "".join(f'<th scope="col">{column}</th>' for column in (*COLUMNS, "what to do"))
    counts = ", ".join(f"{count} {word}" for word, count in report.summary().items())
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(report.title)}</title><style>'
        "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem}table{border-collapse:collapse}"
        "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem;border-bottom:1px solid #888}"
        ".fail td:first-child,.unknown td:first-child{font-weight:bold;color:#a00000}</style></head>"
        f"<body><main><h1>{escape(report.title)}</h1><p>{counts}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{''.join(_rows(report))}</tbody></table></main></body></html>\n"
    )


def _rows(report: Report) -> Iterable[str]:
    for each in report.findings:
        cells = (verdict(each), each.severity, each.id, each.subject, each.evidence, " ".join(advice(report, each)))
        yield f'<tr class="{verdict(each)}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>\n'


FORMATS: dict[str, Callable[[Report], str]] = {"table": table, "json": as_json, "sarif": sarif, "junit": junit, "html": html}
