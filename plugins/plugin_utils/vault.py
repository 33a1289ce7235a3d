# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption by Ansible's own library, for plugins: a play reads secrets often, and a command for each would be slow."""

from __future__ import annotations

from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, get_file_vault_secret


class VaultLibrary:
    """A Cipher. password_file: a file with the vault password, or an executable that prints it."""

    def __init__(self, password_file: str) -> None:
        secret = get_file_vault_secret(filename=password_file, loader=DataLoader())
        secret.load()
        self._vault = VaultLib([("default", secret)])

    def encrypt(self, text: str) -> str:
        return self._vault.encrypt(text).decode()

    def decrypt(self, sealed: str) -> str:
        return self._vault.decrypt(sealed).decode()
