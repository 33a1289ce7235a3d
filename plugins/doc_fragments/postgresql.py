# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_postgresql/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - The server's name or address. Falls back to E(PGHOST).
    type: str
    required: true
  login_port:
    description:
      - The server's port. Falls back to E(PGPORT).
    type: int
    default: 5432
  login_user:
    description:
      - The user to log in as. Falls back to E(PGUSER).
    type: str
    required: true
  login_password:
    description:
      - The password of O(login_user). Falls back to E(PGPASSWORD).
    type: str
    required: true
  login_db:
    description:
      - The database to connect to. Falls back to E(PGDATABASE).
    type: str
    required: true
  ssl_mode:
    description:
      - How the connection is protected, in the words of libpq. Falls back to E(PGSSLMODE).
      - V(require) encrypts; V(verify-full) proves as well that the server is the right one, with O(ca_cert).
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
    default: require
  ca_cert:
    description:
      - The file with the certificate authority of the server, on the host that connects. Falls back to E(PGSSLROOTCERT).
    type: path
"""
