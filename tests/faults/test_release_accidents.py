# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release needs breaks on a real host, under traffic: the verdict says so, the release from before serves, and mended it is released.

A port in use, an image that does not exist and a failing health check are in tests/integration/test_compose_release.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.release_host import APP, FOLDER, ReleaseHost, environment

pytestmark = pytest.mark.slow

PROXY, APPLICATION = "groundcrew.ops.proxy", "groundcrew.ops.compose_app"
REGISTRY = "OUTPUT -d {ip} -p tcp --dport {port} -j REJECT"
FILL = f"dd if=/dev/zero of={FOLDER}/ballast bs=4k 2>/dev/null; sync"


@dataclass(frozen=True)
class Accident:
    """begin, end: commands on the host, with the registry's address as {ip} and {port}. variables: what only the release is told that fails.

    says: what its message holds. verdict: "rolled_back" where a release was begun and taken back, "failed" where none was begun, or none could
    be taken back.
    """

    says: str
    verdict: str
    begin: str = "true"
    end: str = "true"
    variables: dict[str, Any] = field(default_factory=dict)


def migration(*command: str, **options: Any) -> dict[str, Any]:
    return {"compose_app_migration": {"service": "api", "command": list(command), **options}}


def gate(**options: Any) -> dict[str, Any]:
    return {"compose_app_bake_seconds": 20, "compose_app_gate": {"interval": 0.5, **options}}


ACCIDENTS = {
    "the migration fails": Accident("(false) failed with exit code 1", "rolled_back", variables=migration("false")),
    "the migration does not end": Accident("(sleep 600) was stopped", "rolled_back", variables=migration("sleep", "600", timeout=3)),
    "the image's program is missing": Accident("(STARTED)", "rolled_back", variables={"compose_app_version": "missing"}),
    "the image's program ends at once": Accident("(VERIFIED)", "rolled_back", variables={"compose_app_version": "ended"}),
    "the gate has no data": Accident("The gate has no data from the proxy", "rolled_back", variables=gate(requests=100000, probe=False)),
    "the gate's Prometheus is gone": Accident(
        "The gate has no data from Prometheus at http://127.0.0.1:9",
        "rolled_back",
        variables=gate(prometheus=[{"url": "http://127.0.0.1:9", "query": "up", "minimum": 1}]),
    ),
    "the disk is full": Accident("No space left on device. Make room there and run again", "failed", FILL, f"rm {FOLDER}/ballast"),
    "the disk fills up in the middle": Accident(
        "No space left on device. Make room there and run again", "failed", f"{FILL}; truncate -s -256K {FOLDER}/ballast", f"rm {FOLDER}/ballast"
    ),
    "the registry is gone": Accident("{ip}:{port}", "failed", f"iptables -I {REGISTRY}", f"iptables -D {REGISTRY}"),
    "the proxy's socket is gone": Accident(
        "HAProxy does not answer on /run/haproxy/admin.sock",
        "rolled_back",
        "mv /run/haproxy/admin.sock /run/haproxy/away",
        "mv /run/haproxy/away /run/haproxy/admin.sock",
    ),
    "the engine is gone": Accident("Run again: that takes it back", "failed", "mv /run/docker.sock /run/away.sock", "mv /run/away.sock /run/docker.sock"),
    "the engine's client is gone": Accident("Cannot run docker", "failed", "mv /usr/bin/docker /usr/bin/away", "mv /usr/bin/away /usr/bin/docker"),
}


@pytest.fixture(scope="module")
def options(cloud: Any, host: ReleaseHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What serves before: the application in a folder on a disk of sixteen MiB, of which each release takes a half."""
    files = tmp_path_factory.mktemp("accidents") / "compose.yml"
    files.write_text((APP / "compose.api.yml").read_text() + f"# {'a release takes room ' * 25000}\n")
    push = f"{cloud.env['GROUNDCREW_LOCAL_REGISTRY_PUSH']}/rude"
    for tag, command in (("missing", ["/missing"]), ("ended", ["false"])):
        recipe = f"FROM {push}:1.0.0\nCMD {str(command).replace(chr(39), chr(34))}\n"
        subprocess.run(["docker", "build", "-q", "-t", f"{push}:{tag}", "-"], input=recipe, text=True, check=True, capture_output=True)
        subprocess.run(["docker", "push", "-q", f"{push}:{tag}"], check=True, capture_output=True)
    host.run("remove")
    host.ssh(f"mkdir -p {FOLDER} && mount -t tmpfs -o size=16m tmpfs {FOLDER}")
    made: dict[str, Any] = {
        "compose_app_free_space": 0,
        "compose_app_bake_seconds": 0,
        "compose_app_keep": 2,
        "compose_app_files": [str(files)],
        "compose_app_services": [{"name": "api", "kind": "web", "port": 3000, "stop_grace": 5}],
        "compose_app_health": {"timeout": 6.0},
    }
    first = host.play(PROXY, APPLICATION, compose_app_version="1.0.0", **made)
    assert not first.failed, first.message
    yield made
    host.run("remove", **made)
    host.ssh(f"umount {FOLDER}")


@pytest.mark.parametrize("name", ACCIDENTS)
def test_an_accident_is_told_and_what_served_serves_on(cloud: Any, host: ReleaseHost, options: dict[str, Any], name: str) -> None:
    accident, before = ACCIDENTS[name], host.serves()
    ip, _colon, port = cloud.env["GROUNDCREW_LOCAL_REGISTRY"].partition(":")
    wanted = {**options, "compose_app_version": "1.1.0", "compose_app_environment": environment(ACCIDENT=name)}
    with host.load() as report:
        host.ssh(accident.begin.format(ip=ip, port=port))
        try:
            failed = host.run("main", **{**wanted, **accident.variables})
        finally:
            host.ssh(accident.end.format(ip=ip, port=port))
        assert failed.failed and accident.says.format(ip=ip, port=port) in failed.message, failed.message
        assert failed.result["verdict"] == accident.verdict, failed.result
        assert "exception" not in failed.result and "Traceback" not in failed.message
        assert host.serves() == before
        assert host.ssh("docker ps -q --filter label=com.docker.compose.oneoff=True") == ""
        # The control: without the accident the same is released.
        mended = host.run("main", **wanted)
    assert not mended.failed and host.serves() == mended.result["release"] != before, mended.message
    assert report.failed == 0, report.as_dict()
    assert set(report.releases) == {before, mended.result["release"]}


def test_steps_of_the_clock_in_a_release_change_nothing_but_what_its_journal_says(host: ReleaseHost, options: dict[str, Any]) -> None:
    """The clock that the module sees is set an hour forward and then two back, as somebody would set a host's: monotonic time goes on."""
    host.ssh("DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends libfaketime")
    library = host.ssh("dpkg -L libfaketime | grep '/libfaketimeMT.so.1$'").strip()
    settings = f"LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE=/root/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1"
    before, seen = host.serves(), len(host.journal())
    changed = {**options, "compose_app_environment": environment(ACCIDENT="the clock"), "compose_app_bake_seconds": 6}
    with host.load() as report:
        host.ssh("echo +0 > /root/clock")
        release = host.start("main", under=settings, **changed, compose_app_version="1.1.0")
        for state, step in (("STARTED", "+3600"), ("BAKING", "-3600")):
            host.wait_for("intent", state, after=seen)
            host.ssh(f"echo {step} > /root/clock")
        released = host.ended(release)
    assert not released.failed and host.serves() == released.result["release"] != before, released.message
    assert report.failed == 0, report.as_dict()
    assert 6 <= released.result["seconds"]["BAKING"] < 60 and sum(released.result["seconds"].values()) < 300, released.result["seconds"]
    assert host.run("main", **changed, compose_app_version="1.1.0").changed == 0
    # The control: the clock was set.
    at = [entry["at"] for entry in host.journal()[seen:]]
    assert max(at) - min(at) > 7000 and at != sorted(at), at
