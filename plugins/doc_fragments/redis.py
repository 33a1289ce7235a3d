# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_redis/connection.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - The server's name or address.
    type: str
    required: true
  login_port:
    description:
      - The server's port.
    type: int
    default: 6379
  login_user:
    description:
      - The user to log in as.
    type: str
    default: default
  login_password:
    description:
      - The password of O(login_user). None for a server that asks for none.
    type: str
  ssl_mode:
    description:
      - How the connection is protected.
      - V(require) encrypts; V(verify-full) proves as well that the server is the right one, with O(ca_cert).
    type: str
    choices: [disable, require, verify-full]
    default: verify-full
  ca_cert:
    description:
      - The file with the certificate authority of the server, on the host that connects. The system's authorities by default.
    type: path
"""
