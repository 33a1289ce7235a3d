# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions that the modules ec2_fleet_plan and ec2_fleet_audit answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2 import audit, rules
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import vm_spec
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.policy import Seen, decide
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.audit import Fleet


def plan(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a fleet needs, from what was read."""
    seen = Seen(**{key: params[key] for key in ("instances", "images", "key_pairs", "vpcs", "subnets", "security_groups")})
    planned = decide(vm_spec(params), seen)
    return {"plan": planned, "instances": planned.pop("instances")}


def findings(params: Mapping[str, Any], clock: Clock | None = None) -> Mapping[str, Any]:
    """What is wrong with a fleet, from what was read."""
    spec = vm_spec(params)
    fleet = Fleet(
        role="vm",
        tag=spec.tag,
        membership=spec.fleet,
        public=audit.openings(rules.declared(spec.inbound, "sources")),
        ssh_port=params["ssh_port"],
        max_age_days=params["image_max_age_days"],
        today=dt.datetime.fromtimestamp((clock or Clock()).now(), tz=dt.timezone.utc).date(),
    )
    read = audit.Read(**{key: params[key] for key in ("instances", "volumes", "images", "security_groups")})
    return {"findings": [each.as_dict() for each in audit.examine(fleet, spec, read)]}
