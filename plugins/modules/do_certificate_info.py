#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_certificate_info
short_description: List TLS certificates of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about TLS certificates, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the certificates of this name; none is not an error. There are two while M(groundcrew.ops.do_certificate) exchanges one.
    type: str
"""

EXAMPLES = r"""
- name: Look until when the shop's certificate is valid
  groundcrew.ops.do_certificate_info:
    name: shop
  register: shop
"""

RETURN = r"""
certificates:
  description: The certificates in the order of their names.
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
    object_name:
      description: The name of the object, as the control panel shows it.
      type: str
    type:
      description: V(lets_encrypt) or V(custom).
      type: str
    status:
      description: V(pending), V(verified) or V(error).
      type: str
    dns_names:
      description: The names that it is for.
      type: list
      elements: str
    fingerprint:
      description: Its SHA-1 fingerprint.
      type: str
    not_after:
      description: Until when it is valid.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.certificate import CERTIFICATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(CERTIFICATE))


if __name__ == "__main__":
    main()
