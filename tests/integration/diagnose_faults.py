# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a host and an application on it ill for real, within seconds, and harms nobody beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.release_host import ReleaseHost
from tests.integration.remote_modules import FOLDER

# A unit that fails, one that is started anew for ever, one of whose processes wants more memory than it may have, one that has nearly all it may have, and
# one with nearly all the files open that it may; a file system that should be writable and is not, and one without room, for bytes and for inodes.
ILL = r"""
set -e
systemd-run -q --unit=broken false || true
systemd-run -q --unit=again -p Restart=always -p RestartSec=50ms -p StartLimitIntervalSec=0 sh -c 'exit 1'
systemd-run -q --unit=hungry -p MemoryMax=30M -p OOMPolicy=continue sh -c 'python3 -c "x = bytearray(200 << 20)"; sleep 600'
systemd-run -q --unit=fat -p MemoryMax=64M python3 -c 'import time; x = bytearray(b"x") * (59 << 20); time.sleep(600)'
systemd-run -q --unit=greedy -p LimitNOFILE=64 python3 -c 'import time; x = [open("/dev/null") for _ in range(58)]; time.sleep(600)'
mkdir -p /mnt/fixed /mnt/small
cp /etc/fstab /root/fstab; echo 'tmpfs /mnt/fixed tmpfs size=1m 0 0' >> /etc/fstab; mount /mnt/fixed; mount -o remount,ro /mnt/fixed
mount -t tmpfs -o size=1m,nr_inodes=10 tmpfs /mnt/small; touch /mnt/small/{1..9} 2>/dev/null || true
dd if=/dev/zero of=/mnt/small/1 bs=1k count=1000 2>/dev/null
sleep 3
"""
WELL = r"""
systemctl stop again hungry fat greedy load; rm -f /run/load; systemctl reset-failed
umount /mnt/fixed /mnt/small /mnt/filling; [ -e /root/fstab ] && mv /root/fstab /etc/fstab; systemctl daemon-reload
rm -f /var/lib/groundcrew/disk.jsonl; [ -e /root/disk.jsonl ] && mv /root/disk.jsonl /var/lib/groundcrew/; true
"""
# Each of these processes waits as for a disk that does not answer, which the kernel counts as load and which costs nobody a processor: a process that starts
# another one stands still until that one begins, and that one waits for the other end of a pipe.
LOAD = """
import os
path = "/run/load"
os.mkfifo(path)
for _number in range(300):
    if os.fork() == 0:
        os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, path, os.O_RDONLY, 0)])
        os._exit(0)
"""
# A file system that is filled, and a sample of it after each step; what a real one does within three days takes the clock alone here.
FILLING = f"""
import os, subprocess, sys, time
sys.path.insert(0, {FOLDER!r})
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._host.audit_facts import Host
from ansible_collections.groundcrew.ops.plugins.module_utils._host.forecast import SAMPLES, Sampling
class Then(Clock):
    def now(self):
        return time.time() - 86400 * days
if SAMPLES.exists():
    os.rename(SAMPLES, "/root/disk.jsonl")
os.makedirs("/mnt/filling", exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", "/mnt/filling"], check=True)
for days in (3, 2, 1, 0):
    with open(f"/mnt/filling/{{days}}", "wb") as file:
        file.write(bytes(1 << 20))
    sampling = Sampling({{}}, [each for each in Host().file_systems() if each["mount"] == "/mnt/filling"], Then())
    try:
        sampling.apply(sampling.plan())
    except OpsError as error:
        print(error)
"""

# Beside a worker that runs as a web server: one whose container is killed by its limit of memory again and again, and one that ends with an error. They begin
# with it when they are told to, since a release whose workers end at once is refused.
UNTIL_TOLD = "import os, time; [time.sleep(0.5) for _ in iter(lambda: os.path.exists('/tmp/told'), True)]; time.sleep(0.5)"
WORKERS = """
services:
  worker:
    image: ${RUDE_IMAGE:?}
    env_file: .env
    environment: {MODE: api}
  hungry:
    image: ${RUDE_IMAGE:?}
    mem_limit: 30m
    command: [python3, -c, "UNTIL_TOLD; x = bytearray(200 << 20); time.sleep(600)"]
  failing:
    image: ${RUDE_IMAGE:?}
    command: [python3, -c, "UNTIL_TOLD; raise ConnectionError('queue')"]
""".replace("UNTIL_TOLD", UNTIL_TOLD)
TOLD = "for each in hungry failing; do docker exec $(docker ps -q --filter label=groundcrew.service=$each) touch /tmp/told; done; sleep 6"


@contextmanager
def ill(host: ReleaseHost) -> Iterator[float]:
    """Everything on the host is wrong; the limit of the load that it is above."""
    try:
        host.ssh("bash -s", stdin=ILL)
        before = float(host.ssh("cut -d' ' -f2 /proc/loadavg"))
        assert "no room left" in host.ssh("python3 -", stdin=FILLING)
        host.ssh("cat > /run/load.py && systemd-run -q --unit=load -p Type=oneshot -p RemainAfterExit=yes python3 /run/load.py && sleep 8", stdin=LOAD)
        yield (before + 1) / int(host.ssh("nproc"))
    finally:
        host.ssh("bash -s", stdin=WELL, check=False)


def tell_proxy(host: ReleaseHost, command: str) -> None:
    program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); s.sendall(b'{command}\\n'); print(s.recv(99))"
    host.ssh(f'python3 -c "{program}"')
