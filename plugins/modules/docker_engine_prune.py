#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_prune
short_description: Remove containers, images, volumes and build cache that nobody needs any more
version_added: 0.1.0
description:
  - Looks at the whole engine. What a release of an application serves with, stands by with, is in progress with or can be rolled back to stays, whatever the
    rules say, and so does every container of an application; P(groundcrew.ops.compose_app#role), verb C(maintain), removes what an application itself does
    not need any more.
  - It holds the lease of each application. While a release is in progress nothing is removed, and where the releases of an application are not found whose
    containers are here, it refuses.
  - What has a name that somebody gave is left alone as long as nobody allows otherwise. Named volumes are never removed.
author:
  - groundcrew.ops contributors (@groundcrew)
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
options:
  roots:
    description:
      - The folders that the applications of this host have theirs in.
    type: list
    elements: path
    default: [/opt/groundcrew]
  hours:
    description:
      - How long something has to be out of use, a container not running, an image or a volume there, a record of the build cache not used.
    type: float
    default: 168.0
  containers:
    description:
      - Remove containers that do not run and that the engine is not to start again (no restart policy V(always) or V(unless-stopped)).
    type: bool
    default: true
  images:
    description:
      - V(unnamed) removes images without a tag and a digest, V(unused) all that no container has, V(none) none.
    type: str
    choices: [none, unnamed, unused]
    default: unnamed
  volumes:
    description:
      - Remove volumes that nobody gave a name and that no container has. What is in them is lost.
    type: bool
    default: false
  build_cache:
    description:
      - Remove what builds left for the next build.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Make room on a host that builds images
  groundcrew.ops.docker_engine_prune:
    images: unused
    hours: 72
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
  returned: success
  type: dict
  contains:
    containers:
      description: Their names.
      type: list
      elements: str
    images:
      description: The first name of each, or its id.
      type: list
      elements: str
    volumes:
      description: Their names.
      type: list
      elements: str
    build_cache:
      description: How many records.
      type: int
freed_mib:
  description: Size of the images in MiB. What they share with others stays on the disk.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import perform
from ansible_collections.groundcrew.ops.plugins.module_utils._release.clearing import SPEC, Clearing


def main() -> None:
    perform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), Clearing)


if __name__ == "__main__":
    main()
