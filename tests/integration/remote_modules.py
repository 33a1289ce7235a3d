# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules on a host without a play: Ansible's own processes cost seconds, which prove nothing about a module."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "/root/modules"
OPS = "ansible_collections/groundcrew/ops/plugins"
RUN = """
import json, runpy, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module("ansible_collections.groundcrew.ops.plugins.modules." + sys.argv[1], run_name="__main__", alter_sys=True)
"""


def packed() -> bytes:
    """Ansible's library for modules, the collection's modules, and a program that runs one, as a tar file."""
    folders = {
        "ansible/module_utils": Path(ansible.__file__).parent / "module_utils",
        f"{OPS}/module_utils": ROOT / "plugins/module_utils",
        f"{OPS}/modules": ROOT / "plugins/modules",
    }
    found = {f"{name}/{path.relative_to(folder)}": path for name, folder in folders.items() for path in folder.rglob("*.py")}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name, path in found.items():
            archive.add(path, name)
        for name, text in (("ansible/__init__.py", ""), ("run.py", RUN)):
            made = tarfile.TarInfo(name)
            made.size = len(text)
            archive.addfile(made, io.BytesIO(text.encode()))
    return stream.getvalue()


class RemoteModules:
    """What the verbs of the role compose_app ask of their modules, run on a host.

    shell: the command line that runs a command there. env: with which Ansible finds the collection here.
    """

    def __init__(self, shell: Sequence[str], env: Mapping[str, str]) -> None:
        self._shell = shell
        asking = [sys.executable, "-m", "tests.integration.role_arguments"]
        self._asking = subprocess.Popen(asking, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        subprocess.run([*shell, f"mkdir -p {FOLDER} && tar -xzf - --no-same-owner -C {FOLDER}"], input=packed(), check=True, timeout=60)

    def close(self) -> None:
        self._asking.communicate()

    def begin(self, verb: str, variables: Mapping[str, Any], *, check: bool = False, under: str = "") -> subprocess.Popen[str]:
        """under: what the shell there puts before the command."""
        assert self._asking.stdin and self._asking.stdout
        self._asking.stdin.write(json.dumps({"verb": verb, "variables": variables}) + "\n")
        self._asking.stdin.flush()
        asked = json.loads(self._asking.stdout.readline())
        command = [*self._shell, f"{under} python3 {FOLDER}/run.py {asked['module']}"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdin
        process.stdin.write(json.dumps({**asked["arguments"], "_ansible_check_mode": check, "_ansible_diff": True}))
        process.stdin.close()
        process.stdin = None
        return process

    def end(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """The module's result; of one that was killed only that it failed."""
        out, errors = process.communicate(timeout=300)
        return dict(json.loads(out)) if out.strip() else {"failed": True, "changed": False, "msg": errors}
