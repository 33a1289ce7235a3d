# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_rotation/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store_path:
    description:
      - The folder of the store, on the control node. It is created with mode 0700.
      - Falls back to the environment variable E(GROUNDCREW_SECRET_STORE).
    type: path
    required: true
  vault_password_file:
    description:
      - The file with the password that encrypts the store, or an executable that prints it.
      - Falls back to the environment variable E(ANSIBLE_VAULT_PASSWORD_FILE).
    type: path
    required: true
"""
