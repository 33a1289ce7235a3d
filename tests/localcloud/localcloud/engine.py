# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine on this machine: installed from Debian when missing, started when it does not run."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path

from localcloud import docker
from localcloud.mirror import KEYRING, apt_settings, mirrors
from localcloud.process import Process, alive
from localcloud.shell import CloudError, run, step, succeeds

# A daemon started here serves every local cloud of the machine, so what is known of it is the machine's as well.
RUNTIME = Path("/run/groundcrew-dockerd")
START_SECONDS = 60
PLUGINS = [Path(folder) / "cli-plugins" for folder in ("/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker", "/usr/local/libexec/docker")]


def up() -> None:
    """Docker answers, with Compose v2 and buildx; images and a registry can be made."""
    missing = _missing_packages()
    if missing:
        _require_root("install Docker Engine")
        with step(f"packages {' '.join(missing)}"):
            _install(missing)
    if not answers():
        _require_root("start Docker Engine")
        with step("Docker Engine"):
            _start()


def answers() -> bool:
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20)


def down() -> None:
    """Stop the daemon if a local cloud started it and nothing is in it any more."""
    daemon = Process("dockerd", RUNTIME)
    if daemon.pid is None or docker.docker("ps", "-aq").strip() or docker.docker("network", "ls", "-q", "--filter", "type=custom").strip():
        return
    with step("Docker Engine stopped"):
        daemon.stop(60)
        # What it made in the kernel and in /run would stay.
        succeeds(["ip", "link", "delete", "docker0"])
        for folder in (RUNTIME, Path("/run/docker")):
            shutil.rmtree(folder, ignore_errors=True)


def _missing_packages() -> list[str]:
    release = _release()
    programs = {
        "docker.io": "dockerd",
        "iptables": "iptables",
        "mmdebstrap": "mmdebstrap",
        "docker-registry": "docker-registry",
        "openssh-client": "ssh-keygen",
        "docker-cli": "docker",
    }
    if release == "bookworm":
        del programs["docker-cli"]  # part of docker.io there; the package of that name would remove it
        programs["docker.io"] = "dockerd docker"
    missing = [package for package, needed in programs.items() if not all(shutil.which(program, path=_path()) for program in needed.split())]
    missing += [
        package
        for package, plugin in {"docker-compose": "docker-compose", "docker-buildx": "docker-buildx"}.items()
        if not any((folder / plugin).exists() for folder in PLUGINS)
    ]
    return missing


def _release() -> str:
    release = platform.freedesktop_os_release()
    name = release.get("VERSION_CODENAME", "")
    if name not in ("bookworm", "trixie"):
        raise CloudError(f"The local cloud runs on Debian 12 and 13; this is {release.get('PRETTY_NAME', 'something else')}.")
    return name


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"


def _require_root(what: str) -> None:
    if os.geteuid() != 0:
        raise CloudError(f"Only root can {what}: run this as root.")


def _install(packages: list[str]) -> None:
    """From the machine's own Debian mirrors, through a view of apt's that leaves its sources, lists and pins as they are.

    Debian 12's docker-compose is version 1, which is another program: there both plugins come from Debian 13, and nothing else does.
    """
    release = _release()
    with tempfile.TemporaryDirectory(prefix="localcloud-apt-") as work:
        view = Path(work)
        for folder in ("lists/partial", "none"):
            (view / folder).mkdir(parents=True)
        plugins = [package for package in packages if package in ("docker-compose", "docker-buildx")]
        suites = [release, *(["trixie"] if plugins and release != "trixie" else [])]
        (view / "sources.list").write_text("".join(f"{line}\n" for suite in suites for line in mirrors().lines(suite)))
        pins = "Package: *\nPin: release n=trixie*\nPin-Priority: 50\n\nPackage: docker-compose docker-buildx\nPin: release n=trixie\nPin-Priority: 600\n"
        (view / "preferences").write_text(pins if release == "bookworm" else "")
        (view / "apt.conf").write_text(apt_settings())
        options = {
            "Dir::Etc::SourceList": view / "sources.list",
            "Dir::Etc::SourceParts": view / "none",
            "Dir::Etc::Preferences": view / "preferences",
            "Dir::Etc::PreferencesParts": view / "none",
            "Dir::State::Lists": view / "lists",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root",
            "DPkg::Lock::Timeout": 300,
        }
        command = ["apt-get", *(f"-o{key}={value}" for key, value in options.items())]
        env = {"DEBIAN_FRONTEND": "noninteractive", "PATH": _path()}
        if not KEYRING.exists():
            raise CloudError(f"{KEYRING} is missing: install the package debian-archive-keyring.")
        run([*command, "update", "-q"], env=env)
        # Whatever has to go for these to come is more important than a local cloud.
        run([*command, "install", "-q", "-y", "--no-install-recommends", "--no-remove", *packages], env=env, timeout=900)
    if "docker-registry" in packages and _systemd():
        # Debian starts one on every address; each cloud runs its own.
        run(["systemctl", "disable", "--now", "docker-registry"])


def _start() -> None:
    if _systemd():
        run(["systemctl", "start", "docker"])
        return
    RUNTIME.mkdir(mode=0o755, exist_ok=True)
    daemon = Process("dockerd", RUNTIME)
    if daemon.pid is None:
        # Left by a daemon that was killed; the next one would refuse to start.
        left = Path("/run/docker.pid")
        if left.exists() and not alive(int(left.read_text())):
            left.unlink()
        daemon.start(["dockerd"], {"PATH": _path()})
    daemon.wait_for(answers, START_SECONDS)


def _systemd() -> bool:
    return Path("/run/systemd/system").is_dir()
