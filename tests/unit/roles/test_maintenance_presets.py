# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The presets of the role maintenance: every one can be chosen, and every calendar is made of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.cli import OPERATIONS, SELF_EXPLAINING
from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.oncalendar import rule

ROLE = Path(__file__).parents[3] / "roles" / "maintenance"
VARIABLES = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
CATALOG: dict[str, dict[str, Any]] = VARIABLES["__maintenance_catalog"]
CALENDARS: dict[str, list[str]] = VARIABLES["__maintenance_calendars"]


def test_every_preset_and_calendar_can_be_chosen_and_nothing_else() -> None:
    main = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]
    assert sorted(main["options"]["maintenance_presets"]["choices"]) == sorted([*CATALOG, *CALENDARS])
    assert [name for name, preset in CATALOG.items() if preset["name"] != name] == []


def test_calendars_bring_presets_once() -> None:
    brought = [name for names in CALENDARS.values() for name in names]
    assert len(brought) == len(set(brought)) and set(brought) <= set(CATALOG)
    assert set(CATALOG) - set(brought) == {"docker-build-cache"}, "docker-prune does that as well"


def test_a_preset_that_reads_a_configuration_says_so() -> None:
    """So that a calendar leaves it out where there is none."""
    without = {name for name, preset in CATALOG.items() if "needs" not in preset}
    assert without == {"apt-cache", "docker-build-cache", "disk-forecast"}
    code = (ROLE / "tasks" / "_check.yml").read_text()
    coded = re.search(r"select\('match', '([^']+)'\)", code)
    assert coded and {name for name in CATALOG if re.match(coded[1], name)} == set(CATALOG) - {"apt-cache", "docker-build-cache"}


def test_every_verb_of_the_program_is_a_preset() -> None:
    verbs = {found[1]: name for name, preset in CATALOG.items() if (found := re.search(r"__maintenance_upkeep \+ \['([a-z-]+)'", str(preset["command"])))}
    assert set(verbs) == set(OPERATIONS)
    assert {verb for verb, name in verbs.items() if "--config" not in CATALOG[name]["command"]} <= set(SELF_EXPLAINING)


def test_playbooks_of_the_calendars_are_there_and_awx_can_have_their_times() -> None:
    playbooks: dict[str, dict[str, Any]] = VARIABLES["__maintenance_playbook_catalog"]
    brought = [name for names in VARIABLES["__maintenance_playbook_calendars"].values() for name in names]
    assert sorted(brought) == sorted(playbooks) and set(VARIABLES["__maintenance_playbook_calendars"]) <= set(CALENDARS)
    for name, playbook in playbooks.items():
        assert playbook["name"] == name and (ROLE.parents[1] / "playbooks" / f"{name}.yml").exists()
    assert all(rule(task["calendar"]) for task in [*playbooks.values(), *CATALOG.values()])
