# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command-line tool as a function: argv lists, environment, stdin, a timeout, and errors that can be read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


@dataclass(frozen=True)
class Completed:
    """A command that has ended."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


class Runner:
    """Runs commands. Tests pass one of their own."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        cwd: str | None = None,
        timeout: float = 600.0,
        check: bool = True,
    ) -> Completed:
        """Run a command without a shell.

        argv: never holds a secret; a secret goes through ``env`` or ``stdin``.
        env: added to this process's environment.
        timeout: seconds.
        check: raise OpsError when it does not end with 0.
        """
        try:
            # Domains run without Ansible as well, so there is no module to run a command with.
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                list(argv), env={**os.environ, "LC_ALL": "C", **(env or {})}, input=stdin, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise OpsError(f"Cannot run {argv[0]}: it is not installed, or {cwd or 'the working directory'} does not exist.", argv=list(argv)) from error
        except subprocess.TimeoutExpired as error:
            raise OpsError(f"{argv[0]} did not end within {timeout:g} s and was killed.", argv=list(argv)) from error
        completed = Completed(tuple(argv), done.returncode, done.stdout, done.stderr)
        if check and completed.rc != 0:
            raise failed(completed)
        return completed


def failed(completed: Completed, doing: str | None = None) -> OpsError:
    """The error for a command that ended badly; it shows the end of what the command said."""
    said = (completed.stderr.strip() or completed.stdout.strip())[-2000:]
    return OpsError(
        f"{doing or completed.argv[0]} failed with exit code {completed.rc}: {said or 'it said nothing'}", argv=list(completed.argv), rc=completed.rc
    )
