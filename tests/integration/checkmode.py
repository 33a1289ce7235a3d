# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dry run tells the truth: what ``--check`` says would change is what the run then changes, task by task."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Changed = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Run:
    """One run of a playbook.

    changed: (host, task) of everything that changed; a loop counts as one.
    failed: (host, task, message) of every failure that nothing rescued or ignored.
    diffs: what each change was, where the playbook was run with ``--diff``: (host, task) to a list of diffs, one for each time it changed something.
    """

    rc: int
    changed: Changed
    failed: tuple[tuple[str, str, str], ...]
    output: str
    diffs: Mapping[tuple[str, str], list[Any]] = field(default_factory=dict)


def run(playbook: Path, inventory: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 1200.0) -> Run:
    """Run a playbook and read its events."""
    done = subprocess.run(
        ["ansible-playbook", "--inventory", str(inventory), *arguments, str(playbook)],
        env={**os.environ, **(env or {}), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl", "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    changed: set[tuple[str, str]] = set()
    failed: list[tuple[str, str, str]] = []
    diffs: dict[tuple[str, str], list[Any]] = {}
    for event in _events(done.stdout):
        task = event["task"]["name"]
        for host, result in event["hosts"].items():
            if result.get("changed"):
                changed.add((host, task))
                single = [each for each in result.get("results", [result]) if each.get("changed")]
                diffs.setdefault((host, task), []).extend(each.get("diff") for each in single)
            if event["_event"] in ("v2_runner_on_failed", "v2_runner_on_unreachable"):
                failed.append((host, task, str(result.get("msg", ""))))
    return Run(done.returncode, frozenset(changed), tuple(failed), done.stdout + done.stderr, diffs)


def assert_truthful(playbook: Path, inventory: Path, *arguments: str, env: Mapping[str, str] | None = None, run_again: bool = True) -> Changed:
    """Dry run, run, dry run, run: the first two agree, the last two change nothing. Returns what changed. Not run_again leaves the last one out."""
    changed = assert_foretold(playbook, inventory, *arguments, env=env)
    for further in [("--check", *arguments), arguments][: 2 if run_again else 1]:
        again = run(playbook, inventory, *further, env=env)
        assert not _green(again).changed, f"{playbook.name} is not idempotent: {sorted(again.changed)}"
    return changed


def assert_foretold(playbook: Path, inventory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Changed:
    """Dry run and run, which agree. Returns what changed."""
    foretold = _green(run(playbook, inventory, "--check", *arguments, env=env))
    done = _green(run(playbook, inventory, *arguments, env=env))
    assert done.changed, f"{playbook.name} changed nothing, so it proves nothing: give it a host that is not prepared yet."
    assert foretold.changed == done.changed, (
        f"{playbook.name}: only in the dry run: {sorted(foretold.changed - done.changed)}; only in the run: {sorted(done.changed - foretold.changed)}"
    )
    return done.changed


def _green(result: Run) -> Run:
    assert result.rc == 0, f"ended with {result.rc}: {list(result.failed) or result.output[-3000:]}"
    return result


def _events(output: str) -> Sequence[dict[str, Any]]:
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [event for event in events if str(event.get("_event", "")).startswith("v2_runner_on_")]
