# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption by Ansible's own library, in the process of the play: a command for each secret would take a second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, get_file_vault_secret

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


class VaultLibrary:
    """A Cipher. password_file: a file with the vault password, or an executable that prints it. Raises OpsError for a key that cannot be read or is wrong."""

    def __init__(self, password_file: str) -> None:
        self._path = os.path.expanduser(password_file)
        if not os.path.exists(self._path):
            raise OpsError(f"There is no vault password file {self._path}: create it (mode 0600), or correct vault_password_file.")
        with self._told("read"):
            secret = get_file_vault_secret(filename=self._path, loader=DataLoader())
            secret.load()
        self._vault = VaultLib([("default", secret)])

    def encrypt(self, text: str) -> str:
        with self._told("encrypt with"):
            return self._vault.encrypt(text).decode()

    def decrypt(self, sealed: str) -> str:
        with self._told("decrypt with"):
            return self._vault.decrypt(sealed).decode()

    @contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        try:
            yield
        except AnsibleError as error:
            raise OpsError(f"Cannot {verb} the key of vault password file {self._path}: {error.message}") from error
