# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption by the ``ansible-vault`` command: content through pipes, the key by the name of its file."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


class VaultCommand:
    """A Cipher. password_file: a file with the vault password, or an executable that prints it."""

    def __init__(self, password_file: str, runner: Runner | None = None) -> None:
        self._password_file = os.path.expanduser(password_file)
        self._runner = runner or Runner()

    def encrypt(self, text: str) -> str:
        return self._run("encrypt", text)

    def decrypt(self, sealed: str) -> str:
        return self._run("decrypt", sealed)

    def _run(self, verb: str, content: str) -> str:
        if not os.path.exists(self._password_file):
            raise OpsError(f"There is no vault password file {self._password_file}: create it (mode 0600), or correct vault_password_file.")
        # Only this one key counts: a list of identities from the surroundings would make the choice of the key ambiguous.
        env = {"LC_ALL": "C.UTF-8", "ANSIBLE_VAULT_IDENTITY_LIST": "", "ANSIBLE_VAULT_PASSWORD_FILE": "", "ANSIBLE_VAULT_ENCRYPT_IDENTITY": ""}
        argv = [_tool(), verb, "--vault-password-file", self._password_file, "--output", "-", "-"]
        return self._runner.run(argv, stdin=content, env=env, timeout=60).stdout


def _tool() -> str:
    """The command that belongs to this Python, else the one on the PATH."""
    beside = Path(sys.executable).with_name("ansible-vault")
    found = str(beside) if beside.exists() else shutil.which("ansible-vault")
    if found is None:
        raise OpsError(
            f"The command ansible-vault is neither beside {sys.executable} nor on the PATH. Run this task on the control node (delegate_to: localhost)."
        )
    return found
