# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of droplets and database servers, built from Debian's packages when they are missing or their recipe changed."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localcloud import docker
from localcloud.mirror import apt_settings, mirrors
from localcloud.shell import CloudError, run, step

LOCAL_CAS = Path("/usr/local/share/ca-certificates")
# Small, and quick: these hosts are made anew after a crash, so packages need not be on the disk before dpkg goes on.
DPKG = [
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
]
HOST_PACKAGES = "systemd systemd-sysv dbus udev kmod openssh-server python3 python3-apt sudo ca-certificates iproute2 iputils-ping procps curl gpg cron"
DATABASE_PACKAGES = "postgresql-17 valkey-server redis-server openssl iptables ca-certificates iproute2"
# Units that wait for hardware, a console or a mirror: nothing a droplet does depends on them.
MASKED = (
    "getty.target console-getty.service systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service systemd-logind.service "
    "systemd-networkd-wait-online.service systemd-firstboot.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer"
)
FILES = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Recipe:
    """How an image is made. ``hooks`` are shell lines with the new root in ``$1``, ``changes`` what docker import sets."""

    tag: str
    suite: str
    packages: str
    hooks: tuple[str, ...]
    changes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Changes with all that goes into the image; Debian's own updates wait for the next change."""
        parts = [
            repr(self).replace(str(FILES), ""),
            *mirrors().lines(self.suite),
            apt_settings(),
            *(path.read_text() for path in _certificates()),
            *(path.read_text() for path in sorted(FILES.iterdir())),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def host(suite: str, slug: str) -> Recipe:
    """A droplet's image: systemd, sshd with keys of its own per host, Python."""
    return Recipe(
        f"groundcrew/droplet:{slug}",
        suite,
        HOST_PACKAGES,
        (
            'rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1"/etc/ssh/ssh_host_*',
            ': > "$1/etc/machine-id"',
            f'install -D -m 644 {FILES}/host-keys.conf "$1/etc/systemd/system/ssh.service.d/host-keys.conf"',
            f'install -m 644 {FILES}/user-data.service "$1/etc/systemd/system/user-data.service"',
            'chroot "$1" systemctl enable ssh.service user-data.service',
            f'chroot "$1" systemctl mask {MASKED}',
        ),
        ("ENV container=docker", "EXPOSE 22", 'CMD ["/lib/systemd/systemd"]'),
    )


def database() -> Recipe:
    """The image of a managed database: PostgreSQL, Valkey and Redis, one of which runs."""
    return Recipe(
        "groundcrew/database:debian-13",
        "trixie",
        DATABASE_PACKAGES,
        ('rm -f "$1/etc/hostname" "$1/etc/resolv.conf"', f'install -m 755 {FILES}/database-server "$1/usr/local/bin/database-server"'),
        ("EXPOSE 25060 25061", 'CMD ["/usr/local/bin/database-server"]'),
    )


DROPLETS = {"debian-13-x64": "trixie", "debian-12-x64": "bookworm"}
# Built by `up`; others at their first use.
DEFAULT = "debian-13-x64"


def recipes(slugs: list[str]) -> list[Recipe]:
    """The recipes of droplet images by slug."""
    return [host(DROPLETS[slug], slug) for slug in slugs]


def ensure(wanted: list[Recipe]) -> None:
    """Build those that are missing or out of date, side by side."""
    missing = [recipe for recipe in wanted if docker.label("image", recipe.tag, "groundcrew.recipe") != recipe.digest]
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in [pool.submit(_build, recipe) for recipe in missing]:
            future.result()


def _build(recipe: Recipe) -> None:
    with step(f"image {recipe.tag}"), tempfile.TemporaryDirectory(prefix="localcloud-image-") as work:
        # mmdebstrap writes a pipe that docker reads; either's failure is ours.
        log = Path(work) / "log"
        with log.open("w") as errors:
            tree = subprocess.Popen(mmdebstrap(recipe, Path(work)), stdout=subprocess.PIPE, stderr=errors)
            changes = [word for change in (*recipe.changes, f"LABEL groundcrew.recipe={recipe.digest}") for word in ("--change", change)]
            imported = subprocess.run(["docker", "import", *changes, "-", f"{recipe.tag}-new"], stdin=tree.stdout, capture_output=True, text=True, check=False)
            failed = tree.wait() or imported.returncode
        if failed:
            docker.quietly("rmi", f"{recipe.tag}-new")
            raise CloudError(f"Building {recipe.tag} from {mirrors().main} failed: {(log.read_text()[-1500:] + imported.stderr).strip()}")
        # The name moves only when the image is whole.
        run(["docker", "tag", f"{recipe.tag}-new", recipe.tag])
        run(["docker", "rmi", f"{recipe.tag}-new"])


def mmdebstrap(recipe: Recipe, work: Path, target: str = "-") -> list[str]:
    """The command that makes a recipe's tree in the target: a folder, or the standard output as an archive. What the command reads is in work."""
    settings = work / "apt.conf"
    settings.write_text(apt_settings())
    hooks = [
        f'cp {settings} "$1/etc/apt/apt.conf.d/90machine"',
        *(f'cp {shlex.quote(str(path))} "$1/usr/local/share/ca-certificates/"' for path in _certificates()),
        'chroot "$1" update-ca-certificates',
        *recipe.hooks,
        # An empty, old folder of lists: apt's callers then know that they have to update first.
        'chroot "$1" apt-get clean; rm -rf "$1"/var/lib/apt/lists/*; mkdir "$1/var/lib/apt/lists/partial"; touch -d 2000-01-01 "$1/var/lib/apt/lists"',
    ]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--skip=cleanup/apt",
        f"--include={recipe.packages.replace(' ', ',')}",
        *(f"--dpkgopt={option}" for option in DPKG),
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={line}" for line in apt_settings().splitlines()),
        *(f"--customize-hook={hook}" for hook in hooks),
        recipe.suite,
        target,
        *mirrors().lines(recipe.suite),
    ]


def _certificates() -> list[Path]:
    return sorted(LOCAL_CAS.glob("**/*.crt"))
