# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host left on the hosts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from testinfra.host import Host


def test_packages_zone_and_locale(host: Host) -> None:
    assert host.package("tree").is_installed
    assert host.file("/etc/localtime").linked_to == "/usr/share/zoneinfo/Europe/Berlin"
    assert host.check_output("date +%Z") in ("CET", "CEST")
    assert host.file("/etc/default/locale").content_string == "LANG=C.UTF-8\n"


def test_user_may_log_in_and_use_sudo(host: Host) -> None:
    keys = host.file("/home/olive/.ssh/authorized_keys")
    assert keys.user == "olive" and keys.mode == 0o600 and keys.contains("ssh-ed25519 AAAAC3")
    assert host.check_output("su olive -c 'sudo -n id -u'") == "0"


def test_sshd_is_hardened(host: Host) -> None:
    in_force = host.check_output("sshd -T")
    for line in ("passwordauthentication no", "permitrootlogin without-password", "x11forwarding no", "maxauthtries 5"):
        assert f"\n{line}\n" in f"\n{in_force}\n"


def test_no_way_back_is_armed_any_more(host: Host) -> None:
    for name in ("sshd", "firewall"):
        assert not host.file(f"/var/lib/groundcrew/{name}.former").exists
        assert host.run(f"systemctl is-active groundcrew-{name}-restore.timer").stdout.strip() == "inactive"


def test_upgrades_are_of_security_only(host: Host) -> None:
    settings = host.check_output("apt-config dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    origins = [line for line in settings.splitlines() if line.startswith("Unattended-Upgrade::Origins-Pattern:: ")]
    assert origins and all("security" in line.lower() for line in origins)
    assert 'Unattended-Upgrade::Package-Blacklist:: "^linux-image";' in settings
    assert host.run("unattended-upgrade --dry-run").rc == 0


def test_logs_are_limited(host: Host) -> None:
    assert host.check_output("systemd-analyze cat-config systemd/journald.conf | grep ^SystemMaxUse") == "SystemMaxUse=500M"
    assert host.run("logrotate --debug /etc/logrotate.d/groundcrew-shop").rc == 0


def test_clock_and_swap_belong_to_the_machine_below(host: Host) -> None:
    assert host.file("/etc/systemd/timesyncd.conf.d/10-groundcrew-timesyncd.conf").contains("NTP=192.0.2.1")
    assert not host.file("/swapfile").exists


def reachable(host: Host, port: int) -> bool:
    """From outside, by a new connection."""
    with contextlib.suppress(OSError), socket.create_connection((host.ansible.get_variables()["ansible_host"], port), timeout=1.5):
        return True
    return False


@pytest.fixture
def listening(host: Host) -> Iterator[None]:
    """Programs of the host itself on an allowed and on another port."""
    for port in (8097, 9005, 9011):
        host.check_output(f"systemd-run --quiet --collect --unit=listen-{port} python3 -m http.server {port}")
    host.check_output('for port in 8097 9005 9011; do timeout 10 sh -c "until ss -ltn | grep -q :$port; do sleep 0.1; done"; done')
    yield
    host.check_output("systemctl stop listen-8097 listen-9005 listen-9011")


@pytest.mark.usefixtures("listening")
def test_only_what_is_named_is_let_in(host: Host) -> None:
    assert host.check_output("systemctl is-enabled groundcrew-firewall.service") == "enabled"
    found = {port: reachable(host, port) for port in (22, 9005, 9011, 8097)}
    assert found == {22: True, 9005: True, 9011: False, 8097: False}
    host.check_output("systemctl stop groundcrew-firewall.service")
    try:
        assert reachable(host, 9011), "the control: without the firewall the port is open"
    finally:
        host.check_output("systemctl start groundcrew-firewall.service")


def test_published_ports_do_not_bypass_it(host: Host, image: str) -> None:
    run = f"docker run --detach {{}} {image} /busybox httpd -f -p 80"
    names = [host.check_output(run.format(f"--publish {port}:80")) for port in (8098, 8099)]
    try:
        assert host.run("timeout 10 sh -c 'until curl -so /dev/null http://127.0.0.1:8099; do sleep 0.2; done'").rc == 0, "the host itself gets there"
        assert (reachable(host, 8098), reachable(host, 8099)) == (True, False)
        host.check_output("systemctl restart docker")
        assert (reachable(host, 8098), reachable(host, 8099)) == (True, False), "after Docker has made its rules anew"
    finally:
        host.check_output(f"docker rm --force {' '.join(names)}")


def test_kernel_parameters_are_in_force(host: Host) -> None:
    assert host.check_output("cat /proc/sys/net/ipv4/tcp_fin_timeout") == "45"
    assert not host.file("/etc/sysctl.d/90-groundcrew.conf").contains("vm.swappiness"), "a container must leave the shared kernel alone"
