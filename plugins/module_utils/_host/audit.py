# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host against the security checklists. Pure: what was read on it in, findings out. How each fact is read: ``audit_facts``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, nothing_of

CATALOG = Catalog("host")
check = CATALOG.check

ROLE = "Run the role host."
SSH = f"{ROLE} Where host_sshd_options says otherwise, correct it."
UPDATES = "Run playbooks/patch.yml, or install the security updates with apt."
Sshd = Mapping[str, str]
# What cryptographers call broken; OpenSSH 9 offers none of it by itself.
WEAK_CIPHERS = ("3des", "arcfour", "blowfish", "cast128", "-cbc")
WEAK_MACS = ("md5", "-96", "ripemd")
WEAK_KEX = ("group1-sha1", "group14-sha1", "group-exchange-sha1")
FIREWALLS = ("groundcrew-firewall.service", "nftables.service", "ufw.service", "firewalld.service")
CLOCKS = ("systemd-timesyncd.service", "chrony.service", "chronyd.service", "ntp.service", "ntpsec.service")


def _is(sshd: Sshd, keyword: str, *allowed: str) -> Told:
    value = sshd.get(keyword, "not set")
    return value in allowed, f"{keyword} is {value}."


def _offers(sshd: Sshd, keyword: str, weak: Sequence[str]) -> Told:
    offered = sshd[keyword].split(",") if keyword in sshd else []
    bad = [name for name in offered if any(word in name for word in weak)]
    return nothing_of(bad, f"{len(offered)} are offered, none of them weak.")


@check("high", "Root does not log in over SSH with a password", SSH)
def ssh_root_login(sshd: Sshd) -> Told:
    return _is(sshd, "permitrootlogin", "no", "prohibit-password", "without-password", "forced-commands-only")


@check("critical", "Nobody logs in over SSH with a password", SSH)
def ssh_password(sshd: Sshd) -> Told:
    return _is(sshd, "passwordauthentication", "no")


@check("high", "Nobody is asked for a password by way of PAM", SSH)
def ssh_keyboard_interactive(sshd: Sshd) -> Told:
    return _is(sshd, "kbdinteractiveauthentication", "no")


@check("critical", "SSH takes no empty password", SSH)
def ssh_empty_passwords(sshd: Sshd) -> Told:
    return _is(sshd, "permitemptypasswords", "no")


@check("medium", "SSH offers no weak cipher", "Take it out of Ciphers in host_sshd_options and run the role host.")
def ssh_ciphers(sshd: Sshd) -> Told:
    return _offers(sshd, "ciphers", WEAK_CIPHERS)


@check("medium", "SSH offers no weak message authentication", "Take it out of MACs in host_sshd_options and run the role host.")
def ssh_macs(sshd: Sshd) -> Told:
    return _offers(sshd, "macs", WEAK_MACS)


@check("medium", "SSH offers no weak key exchange", "Take it out of KexAlgorithms in host_sshd_options and run the role host.")
def ssh_key_exchange(sshd: Sshd) -> Told:
    return _offers(sshd, "kexalgorithms", WEAK_KEX)


@check("low", "SSH forwards no X11", SSH)
def ssh_x11_forwarding(sshd: Sshd) -> Told:
    return _is(sshd, "x11forwarding", "no")


@check("low", "SSH forwards no agent, whose keys others on the host could use", SSH)
def ssh_agent_forwarding(sshd: Sshd) -> Told:
    return _is(sshd, "allowagentforwarding", "no")


@check("low", "Who connects over SSH has to log in within a minute", SSH)
def ssh_login_grace(sshd: Sshd) -> Told:
    seconds = int(sshd["logingracetime"])
    return 0 < seconds <= 60, f"logingracetime is {seconds} s."


@check("low", "A connection over SSH has at most 6 tries", SSH)
def ssh_tries(sshd: Sshd) -> Told:
    tries = int(sshd["maxauthtries"])
    return tries <= 6, f"maxauthtries is {tries}."


@check("low", "A dead SSH session ends", SSH)
def ssh_dead_sessions(sshd: Sshd) -> Told:
    interval, count = int(sshd["clientaliveinterval"]), int(sshd["clientalivecountmax"])
    return interval > 0 and count > 0, f"clientaliveinterval is {interval} s, clientalivecountmax {count}."


@check("critical", "No account has an empty password", "Lock it: passwd --lock NAME.")
def empty_passwords(shadow: Mapping[str, str]) -> Told:
    return nothing_of([f"{name} has an empty password" for name, field in shadow.items() if field == ""], f"None of {len(shadow)} accounts.")


@check("critical", "Only root is root", "Remove the account, or give it a number of its own.")
def only_one_root(accounts: Sequence[Mapping[str, object]]) -> Told:
    return nothing_of([f"{each['name']} has uid 0" for each in accounts if each["uid"] == 0 and each["name"] != "root"], "root alone has uid 0.")


@check("medium", "Everybody who can log in is declared", "Declare the account in host_users, or remove it.")
def undeclared_users(people: Sequence[str], declared_users: Sequence[str]) -> Told:
    return nothing_of([f"{name} is not declared" for name in people if name not in declared_users], f"Declared: {', '.join(people) or 'nobody'}.")


@check("medium", "Everybody who can log in has a key", "Give the account keys in host_users, or remove it.")
def users_without_keys(people: Sequence[str], keys: Mapping[str, int]) -> Told:
    return nothing_of([f"{name} has no key" for name in people if not keys.get(name)], f"{len(people)} accounts, each with a key.")


@check("high", "Nobody else can write whose keys let in", "chmod go-w on what the evidence names, and see that its owner is the account or root.")
def authorized_keys_modes(key_files: Sequence[str]) -> Told:
    return nothing_of(list(key_files), "The files and their folders are their owners' alone.")


@check("high", "Only those who are declared become root without a password", "Declare it in host_users with sudo: true, or remove the line.")
def sudo_without_password(sudoers: Sequence[tuple[str, str]], declared_sudoers: Sequence[str]) -> Told:
    who = sorted({name for name, line in sudoers if re.search(r"NOPASSWD|^Defaults.*!\s*authenticate", line)})
    return nothing_of([f"{name} may, and is not declared" for name in who if name not in declared_sudoers], f"Declared: {', '.join(who) or 'nobody'}.")


@check("high", "sudo's files are not open to others", "chmod 0440 on what the evidence names; chown root:root.")
def sudoers_modes(sudoers_files: Sequence[str]) -> Told:
    return nothing_of(list(sudoers_files), "They are root's, and nobody else writes or reads them.")


@check("critical", "What no rule lets in stays out", "Run the role host with host_firewall: true.")
def firewall(filters: Sequence[tuple[str, bool]]) -> Told:
    closing = [name for name, drops in filters if drops]
    return bool(closing), f"{', '.join(closing)} drops the rest." if closing else f"None of {len(filters)} filters of what arrives drops the rest."


@check("high", "The firewall's rules in force are exactly the declared ones", f"{ROLE} Find out who changed them.")
def firewall_rules(firewall_drift: Sequence[str]) -> Told:
    return nothing_of(list(firewall_drift), "In force, and after a reboot, is what is declared.")


@check("critical", "The firewall comes back with the host", "Run the role host with host_firewall: true.")
def firewall_at_boot(firewall_units: Mapping[str, str]) -> Told:
    enabled = [name for name, state in firewall_units.items() if state == "enabled"]
    return bool(enabled), f"{', '.join(enabled)} is enabled." if enabled else f"None of {', '.join(firewall_units)} is enabled."


@check("high", "The host listens where it is declared to, and nowhere else", "Stop the service, bind it to 127.0.0.1, or declare the port in host_audit_ports.")
def listening_ports(listening: Sequence[str], declared_ports: Sequence[str]) -> Told:
    strange = [each for each in listening if each.split(" ")[0] not in declared_ports]
    return nothing_of([f"{each} is not declared" for each in strange], f"Open: {', '.join(listening) or 'nothing'}.")


@check("high", "Security updates install themselves", f"{ROLE} host_security_upgrades has to be true.")
def unattended_upgrades(apt_periodic: Mapping[str, str]) -> Told:
    lists, upgrade = (apt_periodic.get(name, "0") for name in ("Update-Package-Lists", "Unattended-Upgrade"))
    return lists != "0" and upgrade != "0", f"APT::Periodic: Update-Package-Lists {lists}, Unattended-Upgrade {upgrade}."


@check("high", "The timers that install updates run", "systemctl unmask apt-daily.timer apt-daily-upgrade.timer; run the role host.")
def upgrade_timers(timers: Mapping[str, str]) -> Told:
    return nothing_of([f"{name} is {state}" for name, state in timers.items() if state != "active"], f"{', '.join(timers)} are active.")


@check("high", "No security update waits", UPDATES)
def security_updates(pending_security: Sequence[str]) -> Told:
    return nothing_of([f"{name} waits" for name in pending_security], "None waits, by the host's own lists.")


@check("medium", "The lists of packages are fresh", "apt-get update; look why apt-daily.timer does not.")
def package_lists(lists_age_days: float, max_lists_days: float) -> Told:
    return lists_age_days <= max_lists_days, f"They are {lists_age_days:.1f} days old; the limit is {max_lists_days:g}."


@check("medium", "No reboot waits", "Run playbooks/patch.yml: hosts are drained and rebooted one after the other.")
def reboot(reboot_packages: Sequence[str] | None) -> Told:
    return reboot_packages is None, f"A reboot waits for {', '.join(reboot_packages) or 'unnamed packages'}." if reboot_packages is not None else "None waits."


@check("high", "Every package is installed whole", "dpkg --configure -a, then apt-get --fix-broken install.")
def packages_whole(dpkg_audit: str) -> Told:
    return not dpkg_audit, dpkg_audit[:300] or "dpkg --audit names none."


@check("medium", "Something keeps the clock", "Enable systemd-timesyncd or chrony.")
def clock_kept(clocks: Mapping[str, str]) -> Told:
    active = [name for name, state in clocks.items() if state == "active"]
    return bool(active), f"{', '.join(active)} is active." if active else f"None of {', '.join(clocks)} is active."


@check("high", "The clock agrees with the control node's", "Look at the service that keeps the clock, and at UDP port 123.")
def clock_skew(skew_seconds: float, max_skew_seconds: float) -> Told:
    return abs(skew_seconds) <= max_skew_seconds, f"It differs by {skew_seconds:.0f} s; the limit is {max_skew_seconds:g} s."


@check("low", "A small host has swap", "Add a swap file of the memory's size.")
def swap(memory_mib: int, swap_mib: int) -> Told:
    return memory_mib >= 4096 or swap_mib > 0, f"{memory_mib} MiB of memory and {swap_mib} MiB of swap."


@check("high", "No file system runs full", "Run the verb maintain, or grow the volume.")
def disk_space(file_systems: Sequence[Mapping[str, object]], max_percent: int) -> Told:
    full = [f"{each['mount']} is {each['used_percent']} % full" for each in file_systems if int(str(each["used_percent"])) > max_percent]
    return nothing_of(full, f"None of {len(file_systems)} is more than {max_percent} % full.")


@check("high", "No file system runs out of inodes", "Find the folder with the many small files: du --inodes -d 2 /.")
def disk_inodes(file_systems: Sequence[Mapping[str, object]], max_percent: int) -> Told:
    full = [f"{each['mount']} has used {each['inodes_percent']} %" for each in file_systems if int(str(each["inodes_percent"])) > max_percent]
    return nothing_of(full, f"None of {len(file_systems)} has used more than {max_percent} %.")


@check("high", "Nobody but root writes what root runs and reads", "chmod o-w on what the evidence names.")
def world_writable(writable_files: Sequence[str]) -> Told:
    return nothing_of([f"everybody writes {name}" for name in writable_files], "No file of the system is open to everybody.")


@check("critical", "Credentials are their owners' alone", "chmod go= on what the evidence names, and renew what it holds.")
def credential_files(open_credentials: Sequence[str]) -> Told:
    return nothing_of(list(open_credentials), "None of the files with credentials is open to others.")


@check("medium", "The kernel is set as declared", ROLE)
def kernel_parameters(kernel: Mapping[str, str], declared_kernel: Mapping[str, str]) -> Told:
    wrong = [f"{name} is {kernel.get(name, 'not there')}, not {value}" for name, value in declared_kernel.items() if kernel.get(name) != value]
    return nothing_of(wrong, f"{len(declared_kernel)} parameters are.")


@check("low", "No program that changes its user leaves a core dump", "Set fs.suid_dumpable to 0 in host_sysctl.")
def core_dumps(suid_dumpable: str) -> Told:
    return suid_dumpable == "0", f"fs.suid_dumpable is {suid_dumpable}."


@check("medium", "The journal has a limit", ROLE)
def journal_limit(journald: Mapping[str, str]) -> Told:
    return "SystemMaxUse" in journald, f"SystemMaxUse is {journald.get('SystemMaxUse', 'not set')}."


@check("low", "The journal outlives a reboot", ROLE)
def journal_kept(journald: Mapping[str, str]) -> Told:
    return journald.get("Storage") == "persistent", f"Storage is {journald.get('Storage', 'not set')}."


@check("medium", "Logins and changes of rights are recorded", "Install auditd, or enable systemd-journald-audit.socket.")
def audit_log(recorders: Mapping[str, str]) -> Told:
    active = [name for name, state in recorders.items() if state == "active"]
    return bool(active), f"{', '.join(active)} is active." if active else f"Neither {' nor '.join(recorders)} is active."


@check("medium", "No unit has failed", "systemctl status UNIT; journalctl --unit UNIT. The verb diagnose says more.")
def failed_units(units_failed: Sequence[str]) -> Told:
    return nothing_of([f"{name} has failed" for name in units_failed], "None has.")


@check("high", "No certificate on the host expires soon", "Renew it, and look why nothing else did.")
def certificates(certificate_days: Mapping[str, float], min_certificate_days: float) -> Told:
    late = [f"{name} ends in {days:.0f} days" for name, days in certificate_days.items() if days < min_certificate_days]
    return nothing_of(late, f"{len(certificate_days)} files, each good for {min_certificate_days:g} days and more.")
