# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules about a fleet of EC2 instances: FLEET is documented by the fragment ec2_fleet, ACCOUNT by the one module that has it."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.options import S3

_ADDRESSES = {"addresses": {"type": "list", "elements": "str"}, "tags": {"type": "list", "elements": "str"}}


def _rules(peers: str) -> dict[str, Any]:
    return {
        "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "required": True},
        "ports": {"type": "str", "default": "0"},
        peers: {"type": "dict", "required": True, "options": _ADDRESSES, "required_one_of": [["addresses", "tags"]]},
    }


FLEET: dict[str, dict[str, Any]] = {
    "fleet_tag": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str"},
    "name_prefix": {"type": "str"},
    "count": {"type": "int"},
    "tags": {"type": "list", "elements": "str", "default": []},
    "monitoring": {"type": "bool"},
    "public_address": {"type": "bool"},
    "inbound_rules": {"type": "list", "elements": "dict", "options": _rules("sources")},
    "outbound_rules": {"type": "list", "elements": "dict", "default": [], "options": _rules("destinations")},
    "instances": {"type": "list", "elements": "dict", "required": True},
    "images": {"type": "list", "elements": "dict", "default": []},
    "security_groups": {"type": "list", "elements": "dict", "default": []},
}

# Where EC2 is and who asks. Which of the services an address in the environment is for, botocore knows.
ACCOUNT: dict[str, dict[str, Any]] = {
    **{key: S3[key] for key in ("region", "access_key", "secret_key", "session_token", "ca_bundle")},
    "endpoint_url": {"type": "str"},
}
