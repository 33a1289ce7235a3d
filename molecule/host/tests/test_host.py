# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host left on the hosts."""

from __future__ import annotations

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
    assert not host.file("/etc/ssh/groundcrew-sshd.former").exists, "the way back is still armed"
    assert host.run("systemctl is-active groundcrew-sshd-restore.timer").stdout.strip() == "inactive"


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


def test_kernel_parameters_are_in_force(host: Host) -> None:
    assert host.check_output("cat /proc/sys/net/ipv4/tcp_fin_timeout") == "45"
    assert not host.file("/etc/sysctl.d/90-groundcrew.conf").contains("vm.swappiness"), "a container must leave the shared kernel alone"
