# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises that have a number: ``record`` writes one to build/figures, ``make figures`` prints them all.

Each is a file build/figures/<area>.<name>.json with id, value, unit, of, target, holds, control, seconds and command. A figure that
does not hold, has no control, or has not been measured is shown as such.
"""

from __future__ import annotations

import json
import operator
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "build" / "figures"

NAMES = {
    "quickstart": ("seconds", "second_run_changed"),
    "do": ("fleet_ratio", "fleet_calls", "noop_calls", "inventory_seconds", "kill_points"),
    "release": ("requests_failed", "jobs_lost", "kill_points", "rollback_ms", "fleet_revert_seconds", "overhead_seconds", "noop_seconds"),
    "backup": ("recipe_ratio", "limit_ratio", "limit_ratio_hashed", "restore_ratio", "verify_ratio", "staging_mib", "memory_mib", "faults", "roundtrips"),
    "rotation": ("logins_refused", "requests_failed", "kill_points", "leaks"),
    "patch": ("requests_failed",),
    "maintain": ("lock_wait_ms",),
    "site": ("second_run_seconds", "host_cost_ratio"),
    "audit": ("checks", "checks_seen", "seconds"),
    "diagnose": ("faults_named", "seconds"),
    "dryrun": ("mismatches",),
    "report": ("accessibility_violations",),
}
EXPECTED = [f"{area}.{name}" for area, names in NAMES.items() for name in names]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


def holds(value: float, target: str) -> bool:
    """Whether a value meets a target such as "== 0" or "<= 360"."""
    comparison, _space, bound = target.partition(" ")
    return COMPARISONS[comparison](value, float(bound))


def record(
    figure: str, value: float, *, unit: str, target: str, seconds: float, command: str, of: float | None = None, control: dict[str, Any] | None = None
) -> bool:
    """Write a figure and return whether it holds.

    of: what the value is counted out of, such as all requests of a run.
    control: {"what", "value", "red"}: the same measurement of something broken, which has to miss the target.
    seconds: how long measuring took.
    """
    if figure not in EXPECTED:
        raise ValueError(f"{figure} is not one of the figures in {__file__}")
    held = holds(value, target)
    content = {"id": figure, "value": value, "unit": unit, "of": of, "target": target, "holds": held, "control": control}
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{figure}.json").write_text(json.dumps({**content, "seconds": round(seconds, 1), "command": command}, indent=2) + "\n")
    return held


def table(folder: Path) -> Iterator[str]:
    """The figures of a folder as lines of a table, the expected ones that are missing last."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    yield f"| {'figure':<32} | {'value':>24} | {'target':<10} | holds | control"
    yield f"|{'-' * 34}|{'-' * 26}|{'-' * 12}|-------|--------"
    for figure, content in found.items():
        of = f" of {content['of']:g}" if content.get("of") is not None else ""
        value = f"{content['value']:g}{of} {content['unit']}"
        control = content.get("control")
        shown = "none" if not control else f"{control['what']}: {control['value']:g}{'' if control['red'] else ', NOT RED'}"
        yield f"| {figure:<32} | {value:>24} | {content['target']:<10} | {'yes' if content['holds'] else 'NO':<5} | {shown}"
    missing = [figure for figure in EXPECTED if figure not in found]
    if missing:
        yield f"\nnot measured ({len(missing)} of {len(EXPECTED)}): {', '.join(missing)}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(FOLDER)) + "\n")
