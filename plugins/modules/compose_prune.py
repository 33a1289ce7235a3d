#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_prune
short_description: Remove images that no release of a Compose application needs any more
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Removes the images of the application's repositories, and images without a name, that no container has, running or stopped, and that no
    release can be started from any more.
  - What serves, what is in progress or bakes, and every release that a rollback can go to stay startable without a pull, also those of other
    applications on the host. Images of other repositories are left alone.
  - While a release is in progress nothing is removed.
extends_documentation_fragment:
  - groundcrew.ops.compose_release
attributes:
  check_mode:
    description: Names what would be removed.
    support: full
  diff_mode:
    description: Names what is removed.
    support: full
  idempotent:
    description: Changes nothing when nothing can be removed.
    support: full
"""

EXAMPLES = r"""
- name: Make room
  groundcrew.ops.compose_prune:
    name: shop
"""

RETURN = r"""
removed:
  description: The names of each image that was removed, or would be in check mode; the id of one without a name.
  returned: success
  type: list
  elements: list
freed_mib:
  description: Size of these images in MiB. What they share with others stays on the disk.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import perform
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import PLACE
from ansible_collections.groundcrew.ops.plugins.module_utils._release.prune import Prune


def main() -> None:
    perform(AnsibleModule(argument_spec=merge(PLACE), supports_check_mode=True), Prune)


if __name__ == "__main__":
    main()
