#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_project_info
short_description: List projects of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about projects, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the project of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look what belongs to the shop
  groundcrew.ops.do_project_info:
    name: shop
  register: shop
"""

RETURN = r"""
projects:
  description: The projects in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its UUID.
      type: str
    name:
      description: Its name.
      type: str
    description:
      description: What it is about.
      type: str
    purpose:
      description: What it is for.
      type: str
    environment:
      description: Its environment.
      type: str
    is_default:
      description: Whether new resources go there by default.
      type: bool
    resources:
      description: What it holds, by URN.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.project import PROJECT

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(PROJECT))


if __name__ == "__main__":
    main()
