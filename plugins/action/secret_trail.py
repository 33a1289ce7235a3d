# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""M(groundcrew.ops.secret_trail), on the control node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import options
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.trail import export
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary

SPEC = {
    "names": {"type": "list", "elements": "str", "default": []},
    "anchors": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "secret": {"type": "str", "required": True, "no_log": False},
            "seq": {"type": "int", "required": True},
            "hash": {"type": "str", "required": True},
        },
    },
}


def _read(params: Mapping[str, Any]) -> dict[str, Any]:
    return export(options.Opener(params, VaultLibrary).records(), params["names"], params["anchors"])


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validated, params = self.validate_argument_spec(argspec.merge(options.SPEC, SPEC))
        return {**result, **run.inform_action(lambda: _read(params))}
