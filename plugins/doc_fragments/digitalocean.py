# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_digitalocean/connection.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_token:
    description:
      - A personal access token of the DigitalOcean account. Falls back to E(DIGITALOCEAN_TOKEN), then E(DO_API_TOKEN).
    type: str
  api_url:
    description:
      - Where the API is. Falls back to E(DIGITALOCEAN_API_URL). Another one than the default is for tests.
    type: str
    default: https://api.digitalocean.com
  api_timeout:
    description:
      - Seconds to wait for the answer to one request.
    type: int
    default: 30
notes:
  - Run it on the control node (C(delegate_to=localhost)); nothing has to be installed for it.
  - A request that may have been carried out is never repeated blindly. After an answer that got lost the module looks for the object first.
  - Rate limits are honored; a wait of more than two minutes is an error that says so.
"""

    STATE = r"""
attributes:
  check_mode:
    description: Says what would be done and changes nothing.
    support: full
  diff_mode:
    description: Shows the object before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action_group:
    description: C(module_defaults) of C(group/groundcrew.ops.digitalocean) gives the token once.
    support: full
    membership:
      - groundcrew.ops.digitalocean
options:
  state:
    description:
      - Whether it exists.
    type: str
    choices: [present, absent]
    default: present
"""

    INFO = r"""
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  action_group:
    description: C(module_defaults) of C(group/groundcrew.ops.digitalocean) gives the token once.
    support: full
    membership:
      - groundcrew.ops.digitalocean
"""

    WAIT = r"""
options:
  wait:
    description:
      - Wait until it can be used.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at the most.
    type: int
    default: 1800
"""
