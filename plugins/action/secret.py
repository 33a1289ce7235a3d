# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""M(groundcrew.ops.secret), on the control node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys, options, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.noun import SecretNoun
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary

SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "kind": {"type": "str", "choices": list(policy.KINDS), "default": "password"},
    "users": {"type": "list", "elements": "str", "default": []},
    "value": {"type": "str", "no_log": True},
    "fields": {"type": "dict", "no_log": True},
    "algorithm": {"type": "str", "choices": list(keys.ALGORITHMS), "default": "HS256"},
    "entropy_bits": {"type": "int", "default": policy.ENTROPY_BITS},
    "alphabet": {"type": "str", "default": policy.ALPHABET},
}


def _noun(params: Mapping[str, Any]) -> SecretNoun:
    wanted = None
    if params["value"] and params["kind"] not in ("password", "api_key"):
        raise OpsError(f"A secret of kind {params['kind']} is no string that can be given: leave value out.", field="value")
    given = params["fields"]
    named = policy.ISSUED.get(params["kind"], ())
    if given is not None and not (named and set(given) == set(named) and all(given.values())):
        raise OpsError(f"A secret of kind {params['kind']} has {' and '.join(named) or 'no fields that are given'}: correct fields.", field="fields")
    if params["state"] == "present":
        wanted = policy.recipe(params["kind"], params["entropy_bits"], params["alphabet"], params["users"], params["algorithm"])
    store = options.Opener(params, VaultLibrary)
    return SecretNoun(params["name"], wanted, store.store(), store.records(), value=params["value"] or given)


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validated, params = self.validate_argument_spec(argspec.merge(options.SPEC, SPEC))
        return {**result, **run.converge_action(self._task, lambda: _noun(params))}
