# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_engine_prune on an engine of its own, without a network: what goes, and what a release keeps."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from tests.integration.backup_servers import folder, module
from tests.unit.plugins.module_utils._release.worlds import make

Docker = Callable[..., str]
# An image is a name for an empty folder here; what runs is this machine's.
HERE = [f"--volume={path}:{path}:ro" for path in ("/usr", "/lib", "/lib64") if Path(path).exists()]


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    with folder() as place:
        argv: list[str | Path] = [
            "dockerd",
            "--data-root",
            place / "data",
            "--exec-root",
            place / "run",
            "--pidfile",
            place / "pid",
            "--host",
            f"unix://{place}/socket",
        ]
        argv += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]
        with (place / "log").open("wb") as log:
            engine = subprocess.Popen(argv, stdout=log, stderr=log)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/socket")

        def say(*arguments: str, stdin: bytes | None = None) -> str:
            done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False, env={**os.environ, "DOCKER_BUILDKIT": "1"})
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout.decode().strip()

        try:
            end = time.monotonic() + 60
            while subprocess.run(["docker", "version"], capture_output=True, check=False).returncode != 0:
                assert engine.poll() is None and time.monotonic() < end, (place / "log").read_text()[-2000:]
                time.sleep(0.1)
            yield say
        finally:
            engine.terminate()
            engine.wait(60)


def archive(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def test_an_engine_keeps_what_is_needed(docker: Docker, tmp_path: Path) -> None:
    for name in ("base", "rolled", "spare"):
        docker("import", "-", f"{name}:1", stdin=archive(name=name.encode()))
    bare = docker("import", "-", stdin=archive(bare=b"bare"))
    docker("run", "--detach", "--network=none", "--name=serves", "--label=groundcrew.application=shop", *HERE, "base:1", "/usr/bin/sleep", "600")
    docker("create", "--name=standby", "--label=groundcrew.application=shop", "base:1", "x")
    docker("create", "--name=comes-back", "--restart=unless-stopped", "base:1", "x")
    docker("create", "--name=once", "--volume=/scratch", "--volume=named:/named", "base:1", "x")
    docker("build", "-", stdin=archive(Dockerfile=b"FROM base:1\nCOPY x /x\n", x=b"x"))

    options = {"roots": [str(tmp_path)], "hours": 0, "volumes": True}
    refused = module("docker_engine_prune", options)
    assert refused["failed"] and "Containers of shop are here" in refused["msg"]

    store, release = Store(tmp_path / "shop"), make("1.0.0")
    # The releases of the application: one serves, and one without a container is kept for a rollback.
    old = type(release)(**{**release.__dict__, "id": "old", "images": {"api": "rolled:1"}})
    new = type(release)(**{**release.__dict__, "id": "new", "images": {"api": "base:1"}})
    with store.open("run"):
        store.add(old, None)
        store.add(new, None)
        store.write(State(active=new.occupy("a"), committed=("old", "new")))

    careful = module("docker_engine_prune", options, check=True)
    assert not careful.get("failed"), careful
    assert "spare:1" not in careful["removed"]["images"], "what has a name stays"
    foretold = module("docker_engine_prune", {**options, "images": "unused"}, check=True)
    assert foretold["removed"]["containers"] == ["once"] and "spare:1" in foretold["removed"]["images"] and bare in foretold["removed"]["images"]
    assert len(foretold["removed"]["volumes"]) == 1 and foretold["removed"]["build_cache"] > 0
    assert not {"base:1", "rolled:1"} & set(foretold["removed"]["images"])
    assert "once" in docker("ps", "--all", "--format={{.Names}}"), "check mode removed nothing"

    done = module("docker_engine_prune", {**options, "images": "unused"})
    assert (done["changed"], done["removed"], done["diff"]) == (True, foretold["removed"], foretold["diff"]), done
    assert set(docker("ps", "--all", "--format={{.Names}}").split()) == {"serves", "standby", "comes-back"}
    assert set(docker("image", "ls", "--format={{.Repository}}").split()) == {"base", "rolled"}
    assert docker("volume", "ls", "--quiet") == "named"
    assert not module("docker_engine_prune", {**options, "images": "unused"})["changed"]

    # The control: the engine's own prune does not know of releases.
    docker("image", "prune", "--all", "--force")
    assert "rolled" not in docker("image", "ls", "--format={{.Repository}}")
