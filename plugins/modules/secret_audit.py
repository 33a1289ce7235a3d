#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_audit
short_description: Check secrets against the security checklists
version_added: 0.1.0
description:
  - Judges what P(groundcrew.ops.secret_info#module) told about the secrets of a store, and the modes of the store's files. Runs where the store is; reads
    no secret.
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.audit
options:
  subject:
    description:
      - What the findings call the store.
    type: str
    default: store
  secrets:
    description:
      - What P(groundcrew.ops.secret_info#module) returned.
    type: list
    elements: dict
    required: true
  declared:
    description:
      - The names of the secrets that are declared.
    type: list
    elements: str
    required: true
  store_path:
    description:
      - The folder of a store of files.
    type: path
  vault_password_file:
    description:
      - The file with the password that encrypts the store.
    type: path
  age_key_file:
    description:
      - The file with the private key of age that opens the store.
    type: path
"""

EXAMPLES = r"""
- name: Look at the secrets
  groundcrew.ops.secret_info:
    store_path: ~/secrets
  register: seen

- name: Check them
  groundcrew.ops.secret_audit:
    secrets: "{{ seen.secrets }}"
    declared: [shop/jwt]
    store_path: ~/secrets
  register: audited
"""

RETURN = r"""
findings:
  description: One for each check and subject, as P(groundcrew.ops.audit_report#module) takes them.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.audit import audit_secrets

SPEC = {
    "subject": {"type": "str", "default": "store"},
    "secrets": {"type": "list", "elements": "dict", "required": True, "no_log": False},
    "declared": {"type": "list", "elements": "str", "required": True},
    "store_path": {"type": "path"},
    "vault_password_file": {"type": "path", "no_log": False},
    "age_key_file": {"type": "path", "no_log": False},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), audit_secrets)


if __name__ == "__main__":
    main()
