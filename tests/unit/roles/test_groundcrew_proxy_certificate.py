# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that gives certificates to HAProxy."""

from __future__ import annotations

import os
import runpy
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles" / "proxy" / "files" / "groundcrew_proxy_certificate.py"

Run = Callable[..., tuple[int, str]]


class Runtime(socketserver.ThreadingUnixStreamServer):
    """As much of HAProxy's socket as is used. loaded: fingerprint of what runs; None for a file that it does not know."""

    loaded: str | None = "ANOTHER"
    refuses = False
    told: list[str]


class Handler(socketserver.StreamRequestHandler):
    server: Runtime

    def handle(self) -> None:
        lines = [self.rfile.readline().decode().rstrip("\n")]
        if lines[0].endswith("<<"):
            while line := self.rfile.readline().decode().rstrip("\n"):
                lines.append(line)
        self.server.told.append("\n".join(lines))
        answer = "Success!\n"
        if lines[0].startswith("show ssl cert"):
            answer = "Can't display the certificate\n" if self.server.loaded is None else f"Filename: x\nSHA1 FingerPrint: {self.server.loaded}\n"
        elif lines[0].startswith("set ssl cert"):
            answer = "unable to load certificate\n" if self.server.refuses else "Transaction created for certificate x!\n"
        self.wfile.write(answer.encode())


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(str(tmp_path / "socket"), Handler) as server:
        server.told = []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    main = runpy.run_path(str(PROGRAM))["main"]
    (tmp_path / "certificates").mkdir()

    def call(*words: Any) -> tuple[int, str]:
        places = [f"--{place}={tmp_path / place}" for place in ("certificates", "lineages", "socket")]
        rc = main([*places, *map(str, words)])
        said = capsys.readouterr()
        return rc, (said.out + said.err).strip()

    return call


def obtain(run: Run, folder: Path, name: str) -> None:
    """What certbot would leave behind."""
    assert run("placeholder", f"{name}-source")[0] == 0
    made = (folder / "certificates" / f"{name}-source.pem").read_text()
    middle = made.index("-----BEGIN PRIVATE KEY-----")
    lineage = folder / "lineages" / name
    lineage.mkdir(parents=True, exist_ok=True)
    (lineage / "fullchain.pem").write_text(made[:middle])
    (lineage / "privkey.pem").write_text(made[middle:])
    (folder / "certificates" / f"{name}-source.pem").unlink()


def test_a_placeholder_is_made_once_and_for_root_alone(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "certificates" / "shop.pem"
    assert run("placeholder", "--check", "shop") == (0, "changed") and not file.exists()
    assert run("placeholder", "shop") == (0, "changed")
    assert list(file.parent.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("verify", file)[0] == 0
    before = file.read_text()
    assert run("placeholder", "shop") == (0, "as it should be") and file.read_text() == before


def test_what_was_obtained_is_stored_and_used_by_the_running_proxy(run: Run, tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("install", "--check", "shop") == (0, "changed"), "nothing is obtained yet"
    obtain(run, tmp_path, "shop")
    assert run("install", "--check", "shop") == (0, "changed") and not (tmp_path / "certificates" / "shop.pem").exists()
    monkeypatch.setenv("RENEWED_LINEAGE", str(tmp_path / "lineages" / "shop"))
    assert run("install") == (0, "changed"), "as certbot's hook"
    assert [line.partition(" ssl")[0] for line in runtime.told] == ["show", "abort", "set", "commit"]
    pem = (tmp_path / "certificates" / "shop.pem").read_text()
    assert runtime.told[2].partition("<<\n")[2] == pem.strip()

    runtime.loaded = runpy.run_path(str(PROGRAM))["fingerprint"](pem)
    runtime.told.clear()
    assert run("install", "shop") == (0, "as it should be")
    assert [line.partition(" ssl")[0] for line in runtime.told] == ["show"]
    # The file is right and what runs is not: a hook that failed half way.
    runtime.loaded = "ANOTHER"
    assert run("load", "--check", "shop") == (0, "changed") and len(runtime.told) == 2
    assert run("load", "shop") == (0, "changed") and len(runtime.told) == 6


def test_a_refusal_of_the_proxy_is_an_error_and_an_absent_one_is_none(run: Run, tmp_path: Path, runtime: Runtime) -> None:
    obtain(run, tmp_path, "shop")
    runtime.refuses = True
    rc, said = run("install", "shop")
    assert rc == 1 and "refused the certificate" in said and "unable to load" in said and "PRIVATE" not in said
    runtime.loaded = None
    assert run("load", "shop") == (0, "as it should be"), "a reload shows it what it does not know"
    os.unlink(tmp_path / "socket")
    assert run("load", "shop") == (0, "as it should be"), "it reads the file when it starts"


def test_a_write_that_is_killed_leaves_nothing_where_the_proxy_reads(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        run("placeholder", "shop")
    assert list((tmp_path / "certificates").iterdir()) == []


def test_a_key_of_another_certificate_is_refused(run: Run, tmp_path: Path) -> None:
    for name in ("one", "other"):
        run("placeholder", name)
    one, other = (tmp_path / "certificates" / f"{name}.pem" for name in ("one", "other"))
    mixed = tmp_path / "mixed.pem"
    key = "-----BEGIN PRIVATE KEY-----"
    mixed.write_text(one.read_text().partition(key)[0] + key + other.read_text().partition(key)[2])
    rc, said = run("verify", mixed)
    assert rc == 1 and said and "PRIVATE" not in said
    shutil.copy(one, mixed)
    assert run("verify", mixed)[0] == 0
