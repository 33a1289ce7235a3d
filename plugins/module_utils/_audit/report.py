# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question that the module audit_report answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit import model, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.formats import FORMATS
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

ANSWERED = model.Check("audit.answered", "high", "Everything that was asked answered", "See the task that failed, above; then run again.")


def weigh(params: Mapping[str, Any], clock: Clock | None = None) -> Mapping[str, Any]:
    """Findings, forgiven and ordered, what makes the audit fail, and the report in each format that was asked for."""
    today = dt.datetime.fromtimestamp((clock or Clock()).now(), tz=dt.timezone.utc).date()
    found = [model.finding(each) for each in params["findings"]]
    found += [ANSWERED.judge(each, False, "Nothing came from it: it could not be reached, or its task failed.") for each in params["unanswered"]]
    waivers = [model.waiver(each) for each in params["waivers"]]
    report = policy.report(found, waivers, params["fail_on"], today, params["title"], unknown_fails=params["unknown_fails"])
    return {
        "findings": [each.as_dict() for each in report.findings],
        "failing": [each.as_dict() for each in report.failing],
        "summary": report.summary(),
        "rendered": {name: FORMATS[name](report) for name in params["formats"]},
    }
