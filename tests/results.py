# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds pytest's results up: results.py FOLDER PART…, where each part left FOLDER/<part>*.xml.

Prints what each part counted and, last, the sum as "N passed, N failed, N skipped". Fails when a test failed or a part ran none.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def count(files: list[Path]) -> Counter[str]:
    """What pytest's files say, as passed, failed (errors too) and skipped."""
    counted: Counter[str] = Counter()
    for file in files:
        for suite in ElementTree.parse(file).getroot().iter("testsuite"):
            total, failed, errors, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
            counted.update(passed=total - failed - errors - skipped, failed=failed + errors, skipped=skipped)
    return counted


def main(folder: Path, parts: list[str]) -> int:
    total: Counter[str] = Counter()
    empty = []
    for part in parts:
        counted = count(sorted(folder.glob(f"{part}*.xml")))
        print(f"{part:<12} {counted['passed']} passed, {counted['failed']} failed, {counted['skipped']} skipped")
        total += counted
        if not counted["passed"] + counted["failed"]:
            empty.append(part)
    if empty:
        print(f"ran no test: {', '.join(empty)}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or empty else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
