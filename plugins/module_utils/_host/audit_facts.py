# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of ``audit`` need to know, read on the host. Reads only; needs root."""

from __future__ import annotations

import json
import os
import pwd
import re
import ssl
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import declared, gather
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit
from ansible_collections.groundcrew.ops.plugins.module_utils._host.firewall import filters, rules_changed

DAY = 86400.0
TIMEOUT = 20.0
SHELLS = ("nologin", "false", "sync", "halt", "shutdown")
# A user's processes run what lies here, or root reads it.
SYSTEM = ("etc", "usr/local", "opt", "root", "var/spool/cron")
RULES = "/etc/groundcrew/firewall/rules.nft"
LIST_RULES = "nft --stateless list table inet groundcrew"
FILES_AT_MOST = 50000
CREDENTIALS = (
    "etc/shadow",
    "etc/gshadow",
    "etc/ssh/ssh_host_*_key",
    "etc/ssl/private/*",
    "etc/groundcrew/**/*.json",
    "etc/groundcrew/**/*.env",
    "etc/groundcrew/**/*.key",
    "etc/groundcrew/**/*password*",
    "opt/groundcrew/*/releases/*/secrets/*",
    "opt/groundcrew/*/releases/*/.env",
    "root/.ssh/id_*",
    "root/.pgpass",
    "root/.aws/credentials",
    "root/.docker/config.json",
)
PSEUDO = ("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "mqueue", "overlay", "squashfs", "fuse", "nsfs", "ramfs", "iso9660")


class Host:
    """This machine. root: where its file system begins, which a test moves."""

    def __init__(self, runner: Runner | None = None, root: str = "/", clock: Clock | None = None) -> None:
        self._runner = runner or Runner()
        self._root = Path(root)
        self._clock = clock or Clock()

    def facts(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Everything that the checks need; params: what is declared."""
        readers: dict[str, Callable[[], Any]] = {
            "sshd": self.sshd,
            "shadow": self.shadow,
            "accounts": self.accounts,
            "people": lambda: [each["name"] for each in self.accounts() if _person(each)],
            "keys": self.keys,
            "key_files": self.key_files,
            "sudoers": lambda: list(self.sudoers()),
            "sudoers_files": lambda: self.loose(["etc/sudoers", "etc/sudoers.d/*"], 0o337),
            "filters": lambda: filters(json.loads(self.say("nft", "--json", "list", "ruleset"))["nftables"]),
            "firewall_drift": lambda: self.firewall_drift(params["firewall"]),
            "firewall_units": lambda: {unit: self.word("systemctl", "is-enabled", unit) for unit in audit.FIREWALLS},
            "listening": self.listening,
            "apt_periodic": self.apt_periodic,
            "timers": lambda: self.states("apt-daily.timer", "apt-daily-upgrade.timer"),
            "pending_security": self.pending_security,
            "lists_age_days": self.lists_age_days,
            "reboot_packages": self.reboot_packages,
            "dpkg_audit": lambda: self.say("dpkg", "--audit").strip(),
            "clocks": lambda: self.states(*audit.CLOCKS),
            "skew_seconds": lambda: self._clock.now() - float(params["now"]),
            "memory_mib": lambda: self.memory("MemTotal"),
            "swap_mib": lambda: self.memory("SwapTotal"),
            "file_systems": lambda: list(self.file_systems()),
            "writable_files": lambda: list(self.writable_files()),
            "open_credentials": lambda: self.loose(CREDENTIALS, 0o007),
            "kernel": lambda: {name: self.parameter(name) for name in params["sysctl"] or ()},
            "suid_dumpable": lambda: self.parameter("fs.suid_dumpable"),
            "journald": self.journald,
            "recorders": lambda: self.states("auditd.service", "systemd-journald-audit.socket"),
            "units_failed": self.units_failed,
            "certificate_days": lambda: {name: self.certificate_days(name) for name in params["certificates"]},
        }
        limits = ("max_percent", "max_lists_days", "max_skew_seconds", "min_certificate_days")
        told = gather(readers)
        return {
            **told,
            "firewall_drift": declared(told["firewall_drift"], "host_firewall"),
            **{name: params[name] for name in limits},
            "declared_users": declared(params["users"], "host_users"),
            "declared_sudoers": declared(params["sudoers"], "host_users"),
            "declared_ports": declared(_ports(params), "host_audit_ports"),
            "declared_kernel": declared(params["sysctl"], "host_sysctl"),
        }

    def say(self, *argv: str) -> str:
        return self._runner.run(list(argv), timeout=TIMEOUT).stdout

    def word(self, *argv: str) -> str:
        """The answer of a program whose exit code only repeats it."""
        done = self._runner.run(list(argv), timeout=TIMEOUT, check=False)
        said = (done.stdout.strip() or done.stderr.strip()).splitlines()
        return said[-1] if said else "not there"

    def states(self, *units: str) -> dict[str, str]:
        said = self._runner.run(["systemctl", "is-active", *units], timeout=TIMEOUT, check=False).stdout.split()
        if len(said) != len(units):
            raise OpsError(f"systemctl says {said} about {', '.join(units)}.")
        return dict(zip(units, said, strict=True))

    def units_failed(self) -> list[str]:
        said = self.say("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--full")
        return [line.split()[0] for line in said.splitlines() if line.strip()]

    def sshd(self) -> dict[str, str]:
        """The configuration in force, for a connection that no Match block is about."""
        lines = (line.partition(" ")[::2] for line in self.say("sshd", "-T").splitlines())
        return {keyword.lower(): value.strip() for keyword, value in lines}

    def text(self, name: str) -> str:
        return (self._root / name).read_text(encoding="utf-8", errors="replace")

    def shadow(self) -> dict[str, str]:
        """By account: empty, locked (! or *), or set. No hash leaves this function."""
        fields = (line.split(":") for line in self.text("etc/shadow").splitlines() if ":" in line)
        return {each[0]: "" if each[1] == "" else "locked" if each[1][0] in "!*" else "set" for each in fields}

    def accounts(self) -> list[dict[str, Any]]:
        fields = (line.split(":") for line in self.text("etc/passwd").splitlines() if line.count(":") == 6)
        return [{"name": each[0], "uid": int(each[2]), "home": each[5], "shell": each[6]} for each in fields]

    def keys(self) -> dict[str, int]:
        counts = {}
        for each in self.accounts():
            if _person(each):
                path = self._root / each["home"].lstrip("/") / ".ssh/authorized_keys"
                counts[each["name"]] = len([line for line in path.read_text().splitlines() if line.strip() and line[0] != "#"]) if path.exists() else 0
        return counts

    def key_files(self) -> list[str]:
        """What others could change of the files that say whose keys let in."""
        wrong = []
        for each in self.accounts():
            if not (_person(each) or each["name"] == "root"):
                continue
            for part in (".ssh", ".ssh/authorized_keys"):
                path = self._root / each["home"].lstrip("/") / part
                if path.exists():
                    seen = path.stat()
                    if seen.st_mode & 0o022 or seen.st_uid not in (0, each["uid"]):
                        wrong.append(f"{self._named(path)} has mode {stat.S_IMODE(seen.st_mode):04o} and is {_owner(seen.st_uid)}'s")
        return wrong

    def sudoers(self) -> Iterator[tuple[str, str]]:
        """Whom each line is about; a default that is not bound to names is everybody's."""
        for path in [self._root / "etc/sudoers", *sorted(self._root.glob("etc/sudoers.d/*"))]:
            for line in path.read_text(errors="replace").replace("\\\n", " ").splitlines() if path.is_file() else ():
                default = re.match(r"\s*Defaults(?::(\S+))?", line)
                if default:
                    yield from ((name, line.strip()) for name in (default[1] or "everybody").split(",") if name != "root")
                found = re.match(r"\s*([%+]?[\w.-]+)\s+\S.*=", line)
                if found and found[1] not in ("Defaults", "root"):
                    yield found[1], line.strip()

    def loose(self, patterns: Iterable[str], forbidden: int) -> list[str]:
        """Files with permissions that they should not have."""
        found = []
        for path in sorted({path for pattern in patterns for path in self._root.glob(pattern)}):
            seen = path.lstat()
            if stat.S_ISREG(seen.st_mode) and seen.st_mode & forbidden and path.suffix not in (".pub", ".crt") and not _public(path):
                found.append(f"{self._named(path)} has mode {stat.S_IMODE(seen.st_mode):04o}")
        return found

    def firewall_drift(self, declared_rules: str | None) -> list[str] | None:
        """What is in force, and what a reboot would load, beside what is declared; None when nothing is."""
        if declared_rules is None:
            return None
        should = self._loaded("-", declared_rules)
        drift = rules_changed(should, self._runner.run(LIST_RULES.split(), timeout=TIMEOUT, check=False).stdout)
        at_boot = rules_changed(should, self._loaded(RULES) if (self._root / RULES.lstrip("/")).exists() else "")
        return drift + [f"after a reboot, {each}" for each in at_boot if each not in drift]

    def _loaded(self, file: str, rules: str | None = None) -> str:
        """Rules as nft lists them, loaded into a network of its own that nobody uses and that ends with the command."""
        return self._runner.run(["unshare", "--net", "sh", "-c", f"nft --file {file} && {LIST_RULES}"], stdin=rules, timeout=TIMEOUT).stdout

    def listening(self) -> list[str]:
        """Ports that others reach: ``tcp/22 (sshd)``. Docker's published ports are a process of its own, or a rule that is the engine's."""
        found = set()
        for line in self.say("ss", "--no-header", "--listening", "--numeric", "--processes", "--tcp", "--udp").splitlines():
            words = line.split()
            address, _colon, port = words[4].rpartition(":")
            address = address.partition("%")[0].strip("[]")
            if not (address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")):
                program = re.search(r'\(\("([^"]+)"', line)
                found.add(f"{words[0]}/{port} ({program[1] if program else 'unknown'})")
        return sorted(found)

    def apt_periodic(self) -> dict[str, str]:
        found = re.findall(r'^APT::Periodic::([\w-]+) "([^"]*)";', self.say("apt-config", "dump"), re.M)
        return dict(found)

    def pending_security(self) -> list[str]:
        """Of what is installed. A simulation takes no lock. A new kernel is a package more, and kept back unless apt-get is told otherwise."""
        lines = self.say("apt-get", "--simulate", "--quiet", "--option", "Debug::NoLocking=1", "--with-new-pkgs", "upgrade").splitlines()
        return [line.split()[1] for line in lines if re.match(r"Inst \S+ \[.*(-security|Debian-Security)", line)]

    def lists_age_days(self) -> float:
        lists = [path.stat().st_mtime for path in self._root.glob("var/lib/apt/lists/*Release")]
        if not lists:
            raise OpsError("apt has no list of packages; apt-get update was never run.")
        updated = self._root / "var/lib/apt/periodic/update-success-stamp"
        newest = max([(self._root / "var/lib/apt/lists").stat().st_mtime, *([updated.stat().st_mtime] if updated.exists() else [])])
        return (self._clock.now() - newest) / DAY

    def reboot_packages(self) -> list[str] | None:
        run = self._root / "run"
        if not (run / "reboot-required").exists():
            return None
        named = run / "reboot-required.pkgs"
        return sorted(set(named.read_text().split())) if named.exists() else []

    def memory(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", self.text("proc/meminfo"), re.M)
        if not found:
            raise OpsError(f"/proc/meminfo has no {name}.")
        return int(found[1]) // 1024

    def file_systems(self) -> Iterator[dict[str, Any]]:
        """The root, and each file system that has a device of its own."""
        seen = set()
        for line in self.text("proc/mounts").splitlines():
            mount, kind = line.split()[1:3]
            path = mount.replace("\\040", " ")
            if (path != "/" and (kind.split(".")[0] in PSEUDO or path.startswith(("/dev", "/proc", "/sys")))) or not os.path.isdir(path):
                continue
            have = os.statvfs(path)
            if have.f_blocks and have.f_fsid not in seen:
                seen.add(have.f_fsid)
                usable = have.f_blocks - have.f_bfree + have.f_bavail
                used, inodes_used = usable - have.f_bavail, have.f_files - have.f_ffree
                yield {
                    "mount": path,
                    "used_percent": 100 * used // max(usable, 1),
                    "inodes_percent": 100 * inodes_used // max(have.f_files, 1),
                    "used": used * have.f_frsize,
                    "size": usable * have.f_frsize,
                    "inodes_used": inodes_used,
                    "inodes": have.f_files,
                }

    def writable_files(self) -> Iterator[str]:
        looked = 0
        for top in SYSTEM:
            for folder, folders, files in os.walk(self._root / top):
                for name in [*folders, *files]:
                    looked += 1
                    mode = os.lstat(os.path.join(folder, name)).st_mode
                    if mode & stat.S_IWOTH and not stat.S_ISLNK(mode) and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
                        yield self._named(Path(folder, name))
                if looked > FILES_AT_MOST:
                    raise OpsError(f"/{top} has more than {FILES_AT_MOST} files, which is more than an audit looks at.")

    def parameter(self, name: str) -> str:
        return " ".join(self.text(f"proc/sys/{name.replace('.', '/')}").split())

    def journald(self) -> dict[str, str]:
        """The last value of a key is in force."""
        said = self.say("systemd-analyze", "cat-config", "systemd/journald.conf")
        return {key.strip(): value.strip() for key, sign, value in (line.partition("=") for line in said.splitlines()) if sign and not key.startswith("#")}

    def certificate_days(self, name: str) -> float:
        """The earliest end among the certificates of a file."""
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", self.text(name.lstrip("/")), re.S)
        if not blocks:
            raise OpsError(f"{name} holds no certificate.")
        ends = [self._runner.run(["openssl", "x509", "-noout", "-enddate"], stdin=block, timeout=TIMEOUT).stdout.strip().partition("=")[2] for block in blocks]
        return (min(ssl.cert_time_to_seconds(end) for end in ends) - self._clock.now()) / DAY

    def _named(self, path: Path) -> str:
        return f"/{path.relative_to(self._root)}"


def audit_host(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module host_audit answers."""
    return {"findings": [each.as_dict() for each in audit.CATALOG.examine(params["subject"], Host().facts(params))]}


def _ports(params: Mapping[str, Any]) -> list[str] | None:
    """What may be listened on."""
    if params["ports"] is None:
        return None
    return params["ports"] + [f"{each.get('protocol') or 'tcp'}/{port}" for each in params["firewall_allow"] for port in each["ports"]]


def _person(account: Mapping[str, Any]) -> bool:
    return 1000 <= account["uid"] < 60000 and account["shell"].rpartition("/")[2] not in SHELLS


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _public(path: Path) -> bool:
    """What is beside credentials and is none."""
    return path.name in ("ca.pem", "ca.crt") or path.name.endswith(".cer")
