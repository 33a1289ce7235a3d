# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption by the ``sops`` command: content through pipes, keys by the names of their files. Whoever has sops and a key reads the same files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import make_folder

# sops looks into the file's name for rules of .sops.yaml; content comes through a pipe.
_NAMED = "secret.sops.yml"


class Sops:
    """A Cipher of JSON texts.

    folder: of the files; without recipients, sops encrypts as the nearest .sops.yaml above it says.
    recipients: public keys of age. key_file: private keys of age; without it, sops finds a key in its own ways (environment, KMS, PGP).
    """

    def __init__(self, folder: Path, recipients: Sequence[str] = (), key_file: str | None = None, runner: Runner | None = None) -> None:
        self._folder = folder
        self._recipients = recipients
        self._env = {"SOPS_AGE_KEY_FILE": str(Path(key_file).expanduser())} if key_file else {}
        self._runner = runner or Runner()

    def encrypt(self, text: str) -> str:
        make_folder(self._folder)
        return self._run("encrypt", "json", "yaml", text, *(["--age", ",".join(self._recipients)] if self._recipients else []))

    def decrypt(self, sealed: str) -> str:
        return self._run("decrypt", "yaml", "json", sealed)

    def _run(self, verb: str, given: str, wanted: str, content: str, *options: str) -> str:
        argv = ["sops", verb, "--filename-override", str(self._folder / _NAMED), "--input-type", given, "--output-type", wanted, *options]
        return self._runner.run(argv, stdin=content, env=self._env, cwd=str(self._folder), timeout=60).stdout
