# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upkeep without Ansible, for systemd timers: ``python3 -m ...module_utils._upkeep.cli VERB --config FILE``.

The configuration is a JSON file, mode 0400, with the options of the module under their names. What came of a run is printed as JSON, which the
record of the timer keeps; one that failed says why on standard error, and by its exit code.
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

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Operation
from ansible_collections.groundcrew.ops.plugins.module_utils._core import program
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._host.audit_facts import Host
from ansible_collections.groundcrew.ops.plugins.module_utils._host.forecast import Sampling
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.maintain import Maintenance
from ansible_collections.groundcrew.ops.plugins.module_utils._release.clearing import Clearing
from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.logs import Archiving, Proving


def disk(params: Mapping[str, Any]) -> Operation:
    return Sampling(params, Host().file_systems())


OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Operation]] = {
    "disk": disk,
    "docker": Clearing,
    "logs-archive": Archiving,
    "logs-verify": Proving,
    "tables": Maintenance,
}
# What works without being told anything.
SELF_EXPLAINING = ("disk", "docker")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="groundcrew-upkeep", description="Look after what is on this host, as the modules of groundcrew.ops do.")
    parser.add_argument("verb", choices=sorted(OPERATIONS))
    parser.add_argument("--config", type=Path, help=f"JSON file, mode 0400, with the options of the module; {' and '.join(SELF_EXPLAINING)} work without")
    parser.add_argument("--check", action="store_true", help="say what would be done and do nothing")
    given = parser.parse_args(argv)
    if not given.config and given.verb not in SELF_EXPLAINING:
        parser.error(f"{given.verb} needs --config")
    program.end_by_signals()
    try:
        operation = OPERATIONS[given.verb](program.read_config(given.config) if given.config else {})
        planned = operation.plan()
        result = operation.apply(planned) if planned.changed and not given.check else operation.result(planned)
    except OpsError as error:
        print(f"groundcrew-upkeep {given.verb}: {error.message}", file=sys.stderr)
        return 1
    print(json.dumps({"changed": planned.changed, **({"steps": planned.steps} if given.check else {}), **result}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
