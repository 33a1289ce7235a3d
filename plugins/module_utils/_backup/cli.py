# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups without Ansible, for systemd timers: ``python3 -m ...module_utils._backup.cli backup|verify|retain|report --config FILE``.

The configuration is a JSON file, mode 0400, with the options of the modules under their names, and for ``retain`` the
rules under ``keep``. Each run leaves a record; one that failed says why in it, on standard error, and by its exit code.
"""
# It prints and exits, as programs do; the linter takes it for a module.
# pylint: disable=ansible-bad-function

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, report, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Operation
from ansible_collections.groundcrew.ops.plugins.module_utils._core import program
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Operation]] = {
    "backup": upkeep.backup,
    "verify": upkeep.verification,
    "retain": upkeep.retain,
    "report": upkeep.Reporting,
}
STATE = Path("/var/lib/groundcrew/backup")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="groundcrew-backup", description="Back up, verify and thin out, as the modules of groundcrew.ops do.")
    parser.add_argument("verb", choices=sorted(OPERATIONS))
    parser.add_argument("--config", required=True, type=Path, help="JSON file, mode 0400, with the options of the modules")
    parser.add_argument("--state", default=STATE, type=Path, help="folder of the records and metrics (default: %(default)s)")
    parser.add_argument("--full", action="store_true", help="verify in full, whatever level is configured, as a drill does")
    parser.add_argument("--check", action="store_true", help="say what would be done and do nothing")
    given = parser.parse_args(argv)
    program.end_by_signals()
    try:
        params = program.read_config(given.config)
        if given.full:
            params |= {"level": None, "max_age": None}
        if given.check:
            planned = OPERATIONS[given.verb](params).plan()
            print(json.dumps({"changed": planned.changed, "steps": planned.steps}, indent=2))
            return 0
        return run(given.verb, params, given.state)
    except OpsError as error:
        print(f"groundcrew-backup {given.verb}: {error.message}", file=sys.stderr)
        return 1


def run(verb: str, params: Mapping[str, Any], state: Path, clock: Clock | None = None) -> int:
    """Perform a verb and leave its record, whatever comes of it."""
    clock = clock or Clock()
    started = clock.now()
    state.mkdir(mode=0o755, parents=True, exist_ok=True)
    engine, database = upkeep.whose(params)
    record: dict[str, Any] = {"verb": verb, "engine": engine, "database": database, "started": policy.timestamp(started), "outcome": "failed"}
    try:
        # How far a backup is stands in a file beside its record, and in the journal of its unit.
        file = state / f"{upkeep.stem(engine, database)}-{verb}-progress.json"
        operation = OPERATIONS[verb]({"progress_file": file, "progress_lines": True, **params})
        planned = operation.plan()
        result = operation.apply(planned) if planned.changed else operation.result(planned)
        record.update(outcome="ok", changed=planned.changed, **result)
    except OpsError as error:
        record["reason"] = error.message
        raise
    except BaseException as error:
        record["reason"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        record["seconds"] = round(clock.now() - started, 2)
        _keep(record, state, clock.now())
    return 0


def _keep(record: Mapping[str, Any], state: Path, now: float) -> None:
    """The record of the newest run, and what node_exporter's textfile collector reads. A success of long ago stays visible as such."""
    engine, database, verb, ok = record["engine"], record["database"], record["verb"], record["outcome"] == "ok"
    name = f"{upkeep.stem(engine, database)}-{verb}"
    write_atomic(state / f"{name}.json", json.dumps(record, indent=2) + "\n", mode=0o640)
    succeeded = state / f"{name}.succeeded"
    if ok:
        write_atomic(succeeded, f"{now:.0f}\n")
    last = succeeded.read_text(encoding="ascii").strip() if succeeded.exists() else "0"
    labels = report.labels(engine=engine, database=database, verb=verb)
    lines = [
        f"groundcrew_backup_last_success_timestamp_seconds{labels} {last}",
        f"groundcrew_backup_last_run_success{labels} {int(ok)}",
        f"groundcrew_backup_last_run_duration_seconds{labels} {record['seconds']}",
    ]
    write_atomic(state / f"groundcrew_backup_{name}.prom", "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
