# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts: waivers, order, and what makes an audit fail. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import SEVERITIES, VERDICTS, Finding, Waiver
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

NEVER = "never"
RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


@dataclass(frozen=True)
class Report:
    """Findings in the order in which they are read, and those that make the audit fail.

    unknown_fails: whether what could not be looked at counts as what was seen to be wrong.
    """

    findings: tuple[Finding, ...]
    fail_on: str
    title: str = "Audit"
    unknown_fails: bool = True

    @property
    def failing(self) -> tuple[Finding, ...]:
        if self.fail_on == NEVER:
            return ()
        return tuple(each for each in self.findings if self.wrong(each) and not each.waived and RANK[each.severity] >= RANK[self.fail_on])

    def wrong(self, finding: Finding) -> bool:
        """Whether a finding is red, unless somebody answers for it: an audit that could look at nothing is not green."""
        return finding.verdict == "fail" or (self.unknown_fails and finding.verdict == "unknown")

    def summary(self) -> dict[str, int]:
        """How many there are of each verdict; what is waived is counted apart."""
        counts = Counter("waived" if each.waived else each.verdict for each in self.findings)
        return {key: counts[key] for key in (*VERDICTS, "waived")} | {"failing": len(self.failing)}


def report(findings: Iterable[Finding], waivers: Sequence[Waiver], fail_on: str, today: dt.date, title: str = "Audit", *, unknown_fails: bool = True) -> Report:
    """Everything that was found, forgiven where somebody answers for it.

    fail_on: the least severity of what makes the audit fail, or NEVER.
    """
    ordered = tuple(sorted((forgive(each, waivers, today) for each in once(findings)), key=_order))
    return Report(ordered, fail_on, title, unknown_fails)


def once(findings: Iterable[Finding]) -> list[Finding]:
    """The same finding from two tasks is one. Two answers to one question are an error: an id and a subject name one finding."""
    found: dict[tuple[str, str], Finding] = {}
    for each in findings:
        other = found.setdefault((each.id, each.subject), each)
        if other != each:
            raise OpsError(
                f"There are two different findings {each.id} about {each.subject}: {other.evidence!r} ({other.verdict}) and {each.evidence!r} ({each.verdict})."
                " Give the subjects of each audit names that differ.",
                id=each.id,
                subject=each.subject,
            )
    return list(found.values())


def forgive(finding: Finding, waivers: Sequence[Waiver], today: dt.date) -> Finding:
    """What is wrong or unknown, with the waiver that lasts longest among those that match it. The day on which a waiver expires is its last."""
    if finding.verdict not in ("fail", "unknown"):
        return finding
    matching = [each for each in waivers if fnmatchcase(finding.id, each.id) and fnmatchcase(finding.subject, each.subject)]
    matching += [finding.waiver] if finding.waiver else []
    if not matching:
        return finding
    longest = max(matching, key=lambda each: each.expires)
    return replace(finding, waiver=longest, waived=longest.expires >= today)


def _order(finding: Finding) -> tuple[int, int, str, str]:
    """What needs attention first: failures, then what is unknown, each with the most severe in front."""
    urgency = 2 if finding.waived else {"fail": 0, "unknown": 1, "unjudged": 3, "pass": 4}[finding.verdict]
    return urgency, -RANK[finding.severity], finding.id, finding.subject
