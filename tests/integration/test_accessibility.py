# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page that is written for people, judged by axe in a browser: the report of a run, that of an audit, that of backups, by day and by night."""

from __future__ import annotations

import datetime
import html
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._audit import formats
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Finding, Waiver
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.policy import Report
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import report as backups
from ansible_collections.groundcrew.ops.plugins.plugin_utils import report_page
from tests import figures
from tests.integration import npm
from tests.unit.plugins.module_utils._backup.shelf import Shelf, stock
from tests.unit.plugins.module_utils._backup.test_backup_overview import APP, NOW, look
from tests.unit.plugins.plugin_utils.test_report_page import everything

AXE = Path(__file__).resolve().parents[1] / "axe"
RUN = """
<pre id="axe-found"></pre><script>%s</script><script>
axe.run().then(found => { document.getElementById("axe-found").textContent = JSON.stringify(
  {violations: found.violations.map(each => [each.id, each.nodes.map(node => node.html)]), passes: found.passes.length}); });
</script></body>
"""
PLANTED = '.soft{color:#ccc !important}</style></head><body><img src="x.png">'


def finding(number: int, verdict: str, **more: Any) -> Finding:
    return Finding(f"host.check_{number}", f"Check {number}", "high", "host-1", verdict, "what was seen <here>", "What to do", **more)


def audit() -> str:
    waiver = Waiver("host.*", "*", "ann", datetime.date(2999, 1, 1), "a reason")
    found = (finding(1, "fail"), finding(2, "fail", waiver=waiver, waived=True), finding(3, "unknown"), finding(4, "unjudged"), finding(5, "pass"))
    return formats.html(Report(found, "high"))


def shelf(*, proven: bool) -> str:
    held = Shelf()
    stock(held, APP, NOW, verdict="equal" if proven else None)
    return backups.html(look(held))


def run(*, good: bool) -> str:
    told = everything("some words")
    if good:
        told["steps"] = [{**step, "failures": []} for step in told["steps"]]
        told["proofs"] = [{**proof, "holds": True} for proof in told["proofs"]]
    return report_page.render(told)


def judged(page: str, folder: Path, *, dark: bool = False) -> tuple[list[Any], int]:
    """What axe holds against a page, and how many of its rules it passes. A browser without scripts of the page itself: it has none."""
    file = folder / "page.html"
    axe = npm.installed(AXE, "axe-core/axe.min.js").read_text()
    assert page.count("</body>") == 1
    file.write_text(page.replace("</body>", RUN % axe))
    night = ["--blink-settings=preferredColorScheme=0"] if dark else []
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000", f"--user-data-dir={folder / 'browser'}", *night]
    done = subprocess.run(["chromium", *options, "--dump-dom", file.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    said = re.search(r'<pre id="axe-found">(.+?)</pre>', done.stdout, re.DOTALL)
    assert said, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(html.unescape(said[1]))
    return found["violations"], found["passes"]


@pytest.mark.slow
def test_everyone_can_read_what_is_reported(tmp_path: Path) -> None:
    began = time.monotonic()
    pages = {"run that failed": run(good=False), "run": run(good=True), "audit": audit(), "backups": shelf(proven=True), "late backups": shelf(proven=False)}
    found, passes = {}, 0
    for name, page in pages.items():
        for dark in (False, True):
            violations, passed = judged(page, tmp_path, dark=dark)
            found[f"{name}{' at night' if dark else ''}"] = violations
            assert passed > 5, name
            passes += passed
    # The control: colors too close to each other, and a picture without words.
    planted = {each for each, _nodes in judged(re.sub(r"</style>\s*</head>\s*<body>", PLANTED, run(good=True)), tmp_path)[0]}
    count = sum(len(violations) for violations in found.values())
    figures.record(
        "report.accessibility_violations",
        count,
        unit="violations",
        of=count + passes,
        target="== 0",
        seconds=time.monotonic() - began,
        command="make test-full",
        control={"what": "faint words, picture without any", "value": len(planted), "red": planted >= {"image-alt", "color-contrast"}},
    )
    assert planted >= {"image-alt", "color-contrast"}, planted
    assert count == 0, found
