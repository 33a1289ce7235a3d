#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_service
short_description: Give a service a secret, and see that it uses it
version_added: 0.1.0
description:
  - Writes a file that a unit of systemd reads, reloads or restarts the unit, and waits until it acknowledges the secret's fingerprint.
    M(groundcrew.ops.secret_rotation) takes nothing old away before that.
  - A unit acknowledges by what it says (O(acknowledge)). Without that it does when it is active and its process began after the file was written, so a restart
    is a proof, and a reload is none. One of C(Type=notify) is active when it says that it is ready; of others a moment is enough, so let them say.
  - A unit that acknowledges already, and whose file is as it should be, is left alone.
author:
  - groundcrew.ops contributors (@groundcrew)
attributes:
  check_mode:
    description: Predicts the change. Asks the unit, and touches neither it nor the file.
    support: full
  diff_mode:
    description: Shows fingerprints, owner and mode, never the content.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
notes:
  - Needs root, and C(pipelining), without which Ansible puts the content into a file of its own as well.
options:
  unit:
    description:
      - The unit, such as V(shop-worker.service). One that is not active is started.
    type: str
    required: true
  path:
    description:
      - The file that it reads. It gets the mode 0400.
    type: path
    required: true
  content:
    description:
      - What the file holds.
    type: str
    required: true
  fingerprint:
    description:
      - The fingerprint of the secret in O(content), by the lookup P(groundcrew.ops.secret#lookup).
    type: str
    required: true
  owner:
    description:
      - The user that may read the file.
    type: str
    default: root
  action:
    description:
      - How the unit comes to read it. V(reload) needs O(acknowledge).
    type: str
    choices: [restart, reload]
    default: restart
  acknowledge:
    description:
      - A command, as a list, that prints the fingerprint of what the unit uses now, and nothing else. Put the fingerprint beside the secret in O(content), and
        have the unit tell it. Another end than 0 means that it cannot say.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - How long it may take to acknowledge, in seconds.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Give the worker its database
  groundcrew.ops.secret_service:
    unit: shop-worker.service
    path: /etc/shop/database.env
    content: |
      PGUSER={{ lookup('groundcrew.ops.secret', 'shop/database', field='username') }}
      PGPASSWORD={{ lookup('groundcrew.ops.secret', 'shop/database', field='password') }}
    fingerprint: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='fingerprint') }}"
    owner: shop

- name: Give the mailer its key, which it reads again when it is told to
  groundcrew.ops.secret_service:
    unit: mailer.service
    path: /etc/mailer/key.json
    content: "{{ {'key': lookup('groundcrew.ops.secret', 'shop/mail'), 'fingerprint': fingerprint} | to_json }}"
    fingerprint: "{{ fingerprint }}"
    action: reload
    acknowledge: [curl, --silent, --fail, "http://127.0.0.1:8025/fingerprint"]
  vars:
    fingerprint: "{{ lookup('groundcrew.ops.secret', 'shop/mail', field='fingerprint') }}"
"""

RETURN = r"""
acknowledged:
  description: The fingerprint that the unit uses, null when it cannot say.
  returned: success
  type: str
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.service import ServiceSecret, Wanted

SPEC: dict[str, dict[str, Any]] = {
    "unit": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True, "no_log": True},
    "fingerprint": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "action": {"type": "str", "choices": ["restart", "reload"], "default": "restart"},
    "acknowledge": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 60},
}


def make(params: Mapping[str, Any]) -> ServiceSecret:
    named = {name: params[name] for name in ("unit", "fingerprint", "owner", "action", "timeout", "content")}
    return ServiceSecret(Wanted(path=Path(params["path"]), asks=params["acknowledge"], **named))


def main() -> None:
    run.converge(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), make)


if __name__ == "__main__":
    main()
