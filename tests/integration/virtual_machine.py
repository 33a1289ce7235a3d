# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with a kernel, a disk and a clock of its own, for what containers share with the machine below. QEMU emulates it, so that no KVM is needed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml

from localcloud import images
from localcloud.process import Process
from localcloud.shell import run, wait_until
from tests.integration.backup_servers import free_port

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1"
PROGRAMS = ("qemu-system-x86", "mmdebstrap", "e2fsprogs", "openssh-client", "util-linux")
# Besides its kernel the machine has what the role host installs, but for what sets the clock: that packages are installed is seen in containers.
BASELINE = yaml.safe_load((ROOT / "roles" / "host" / "vars" / "main.yml").read_text())["__host_packages"]
PACKAGES = " ".join([images.HOST_PACKAGES, "linux-image-cloud-amd64 initramfs-tools zstd nftables", *BASELINE])
MEMORY_MIB = 1024
DISK = "3G"
NETWORK = "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"
# Emulation takes ten times as long as a processor, and this machine may be busy.
BOOT_SECONDS = 300


@dataclass(frozen=True)
class Machine:
    """A machine that runs, and how to get in as root."""

    key: Path
    port: int

    def says(self, command: str) -> subprocess.CompletedProcess[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=20"]
        ssh = ["ssh", "-i", str(self.key), "-p", str(self.port), *(f"-o{option}" for option in options)]
        return subprocess.run([*ssh, f"root@{ADDRESS}", command], capture_output=True, text=True, check=False, timeout=120)

    def boot(self) -> str:
        """What tells one boot from another; empty while nobody answers, or while units are still to be started."""
        done = self.says("systemctl is-system-running --wait >/dev/null; cat /proc/sys/kernel/random/boot_id")
        return done.stdout.strip() if done.returncode == 0 else ""

    def reboot(self) -> None:
        before = self.boot()
        self.says("systemctl reboot")
        wait_until("the machine's next boot", lambda: self.boot() not in ("", before), seconds=BOOT_SECONDS, pause=1)


@contextmanager
def machine(ahead: timedelta) -> Iterator[Machine]:
    """A fresh machine of Debian 13 whose clock is ahead, from packages to its first boot; nothing is left of it afterwards."""
    subprocess.run([ROOT / "tests" / "bootstrap.sh", "packages", *PROGRAMS], check=True)
    with tempfile.TemporaryDirectory(prefix="groundcrew-machine-") as folder:
        work = Path(folder)
        made = Machine(work / "key", free_port())
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made.key)])
        _build(work)
        qemu = Process("machine", work)
        qemu.start(_qemu(work, made.port, ahead))
        try:
            qemu.wait_for(lambda: made.boot() != "", BOOT_SECONDS)
            yield made
        finally:
            qemu.stop()


def _build(work: Path) -> None:
    """Kernel, first file system and disk."""
    (work / "eth0.network").write_text(NETWORK)
    recipe = images.Recipe(
        "machine",
        "trixie",
        PACKAGES,
        (
            'echo groundcrew > "$1/etc/hostname"; echo "nameserver 10.0.2.3" > "$1/etc/resolv.conf"; : > "$1/etc/machine-id"',
            'echo "/dev/vda / ext4 defaults 0 1" > "$1/etc/fstab"',
            f'install -D -m 644 {work}/eth0.network "$1/etc/systemd/network/eth0.network"',
            f'install -D -m 600 {work}/key.pub "$1/root/.ssh/authorized_keys"',
            'chroot "$1" systemctl enable ssh.service systemd-networkd.service',
            # apt would work by itself in the middle of a test. That these are started is seen; they wait for their hour then.
            'chroot "$1" systemctl disable apt-daily.timer apt-daily-upgrade.timer; mkdir -p "$1/var/lib/systemd/timers"',
            'touch "$1"/var/lib/systemd/timers/stamp-apt-daily.timer "$1"/var/lib/systemd/timers/stamp-apt-daily-upgrade.timer',
        ),
        (),
    )
    tree = work / "tree"
    run(images.mmdebstrap(recipe, work, str(tree)), timeout=900)
    for name, of in {"kernel": "vmlinuz", "initrd": "initrd.img"}.items():
        [found] = (tree / "boot").glob(f"{of}-*")
        shutil.copy(found, work / name)
    run(["truncate", "--size", DISK, str(work / "disk")])
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", str(tree), str(work / "disk")])
    shutil.rmtree(tree)


def _qemu(work: Path, port: int, ahead: timedelta) -> list[str]:
    clock = datetime.now(timezone.utc) + ahead
    return [
        # It ends with whoever started it, however that ends.
        *("setpriv", "--pdeathsig", "KILL"),
        "qemu-system-x86_64",
        # What emulates cmpxchg16b makes kernels panic.
        *("-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16", "-smp", "2", "-m", str(MEMORY_MIB), "-nographic"),
        *("-kernel", str(work / "kernel"), "-initrd", str(work / "initrd")),
        *("-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off quiet"),
        *("-drive", f"file={work / 'disk'},if=virtio,format=raw,cache=unsafe", "-device", "virtio-rng-pci"),
        *("-netdev", f"user,id=n0,hostfwd=tcp:{ADDRESS}:{port}-:22", "-device", "virtio-net-pci,netdev=n0"),
        *("-rtc", f"base={clock:%Y-%m-%dT%H:%M:%S}"),
    ]
