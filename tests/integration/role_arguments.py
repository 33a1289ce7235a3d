# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb of the role compose_app asks of its module, without a play: a line of JSON with the role's variables in, a line with the answer out.

A process of its own, because Ansible's loader of collections does not share one with imports of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[2] / "roles" / "compose_app"
PREFIX = "groundcrew.ops.compose_"
# What the tasks before it would have set on a host that is alone and was never released to by another run.
ALONE = {
    "inventory_hostname": "host",
    "__compose_app_run": "",
    "__compose_app_controller": "",
    "__compose_app_memory": {},
    "__compose_app_elsewhere": [],
    "__compose_app_alone": True,
}


def trusted(value: Any) -> Any:
    """The same, with templates in it that Ansible evaluates."""
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [trusted(each) for each in value]
    return trust_as_template(value) if isinstance(value, str) else value


def main() -> None:
    init_plugin_loader()
    loader = DataLoader()

    def load(file: str) -> Any:
        return loader.load_from_file(str(ROLE / file), trusted_as_template=True)

    own = {**load("defaults/main.yml"), **load("vars/main.yml")}
    for line in sys.stdin:
        asked = json.loads(line)
        [(module, arguments)] = [item for task in load(f"tasks/{asked['verb']}.yml") for item in task.items() if item[0].startswith(PREFIX)]
        templar = Templar(loader, variables={**own, **trusted(asked["variables"]), **ALONE})
        print(json.dumps({"module": module.rpartition(".")[2], "arguments": templar.template(arguments)}), flush=True)


if __name__ == "__main__":
    main()
