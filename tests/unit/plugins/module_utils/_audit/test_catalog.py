# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of every catalog: facts that pass it, facts that fail it, and what cannot be read is neither."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._audit import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Rule, Unread, declared, gather
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import ID, SEVERITIES, Check
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import inspection, overview
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit as host
from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit_engine
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import audit as postgresql
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import audit as redis
from ansible_collections.groundcrew.ops.plugins.module_utils._release import audit as release
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import audit as rotation
from ansible_collections.groundcrew.ops.plugins.module_utils._web import audit as web
from tests import figures

ROOT = Path(__file__).resolve().parents[5]
CATALOGS = (
    host.CATALOG,
    audit_engine.CATALOG,
    release.CONTAINERS,
    release.APPLICATION,
    web.CATALOG,
    postgresql.CATALOG,
    redis.CATALOG,
    rotation.CATALOG,
    rotation.STORE,
)
RULES = {rule.check.id: rule for catalog in CATALOGS for rule in catalog.rules}
Facts = dict[str, Any]


def sshd(**changed: str) -> Facts:
    good = {
        "permitrootlogin": "prohibit-password",
        "passwordauthentication": "no",
        "kbdinteractiveauthentication": "no",
        "permitemptypasswords": "no",
        "ciphers": "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com",
        "macs": "umac-128-etm@openssh.com,hmac-sha2-512",
        "kexalgorithms": "curve25519-sha256,diffie-hellman-group16-sha512",
        "x11forwarding": "no",
        "allowagentforwarding": "no",
        "logingracetime": "30",
        "maxauthtries": "6",
        "clientaliveinterval": "60",
        "clientalivecountmax": "5",
    }
    return {"sshd": {**good, **changed}}


def file_system(**changed: Any) -> Facts:
    return {"file_systems": [{"mount": "/", "used_percent": 40, "inodes_percent": 10, **changed}], "max_percent": 85}


def container(config: Facts | None = None, mounts: list[Facts] | None = None, **host_config: Any) -> Facts:
    good: Facts = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "Memory": 2**28,
        "PidsLimit": 100,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
        "RestartPolicy": {"Name": "unless-stopped"},
        "PortBindings": {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "20000"}]},
        "NetworkMode": "shop_default",
    }
    plain = {"User": "10001", "Image": "r/shop@sha256:0", "Healthcheck": {"Test": ["CMD", "true"]}, **(config or {})}
    return {"config": {"Config": plain, "HostConfig": {**good, **host_config}, "Mounts": mounts or []}}


def bind(source: str, destination: str, *, writable: bool) -> Facts:
    return {"Type": "bind", "Source": source, "Destination": destination, "RW": writable}


def headers(**given: str) -> Facts:
    return {"headers": {name.replace("_", "-"): value for name, value in given.items()}}


def setting(**changed: str) -> Facts:
    good = {
        "ssl_min_protocol_version": "TLSv1.2",
        "password_encryption": "scram-sha-256",
        "log_connections": "on",
        "log_disconnections": "on",
        "idle_in_transaction_session_timeout": "600000",
        "max_connections": "100",
    }
    return {"settings": {**good, **changed}}


def hba(**changed: Any) -> Facts:
    return {"rules": [{"line": 1, "type": "hostssl", "address": "10.0.0.0", "method": "scram-sha-256", **changed}]}


def roles(**changed: Any) -> Facts:
    app = {"name": "shop", "superuser": False, "login": True, "bypassrls": False, "replication": False, **changed}
    return {"roles": [{**app, "name": "postgres", "superuser": True}, app], "declared_superusers": ["postgres"]}


def info(**changed: Any) -> Facts:
    return {"info": {"used_memory": 2**20, "maxmemory": 2**28, "connected_clients": 5, "maxclients": 100, "redis_version": "8.0.2", **changed}}


def secrets(*names: str) -> Facts:
    return {"secrets": [{"name": name} for name in names], "declared_names": ["shop/jwt"]}


TODAY = {"today": dt.date(2026, 11, 21), "warn_days": 90}
OLIVE = {"people": ["olive"], "keys": {"olive": 1}, "declared_users": ["olive"]}
BROKEN_RULES = {rule.replace("-", "_"): rule for rule in release.TITLES}

# Of each check: facts that pass it, and facts that fail it.
CASES: dict[str, tuple[Facts, Facts]] = {
    "host.ssh_root_login": (sshd(), sshd(permitrootlogin="yes")),
    "host.ssh_password": (sshd(), sshd(passwordauthentication="yes")),
    "host.ssh_keyboard_interactive": (sshd(), sshd(kbdinteractiveauthentication="yes")),
    "host.ssh_empty_passwords": (sshd(), sshd(permitemptypasswords="yes")),
    "host.ssh_ciphers": (sshd(), sshd(ciphers="aes256-ctr,aes128-cbc")),
    "host.ssh_macs": (sshd(), sshd(macs="hmac-md5")),
    "host.ssh_key_exchange": (sshd(), sshd(kexalgorithms="diffie-hellman-group14-sha1")),
    "host.ssh_x11_forwarding": (sshd(), sshd(x11forwarding="yes")),
    "host.ssh_agent_forwarding": (sshd(), sshd(allowagentforwarding="yes")),
    "host.ssh_login_grace": (sshd(), sshd(logingracetime="120")),
    "host.ssh_tries": (sshd(), sshd(maxauthtries="10")),
    "host.ssh_dead_sessions": (sshd(), sshd(clientaliveinterval="0")),
    "host.empty_passwords": ({"shadow": {"root": "locked", "olive": "set"}}, {"shadow": {"root": "locked", "olive": ""}}),
    "host.only_one_root": ({"accounts": [{"name": "root", "uid": 0}]}, {"accounts": [{"name": "root", "uid": 0}, {"name": "toor", "uid": 0}]}),
    "host.undeclared_users": (OLIVE, {**OLIVE, "declared_users": []}),
    "host.users_without_keys": (OLIVE, {**OLIVE, "keys": {"olive": 0}}),
    "host.authorized_keys_modes": ({"key_files": []}, {"key_files": ["/home/olive/.ssh has mode 0777 and is olive's"]}),
    "host.sudo_without_password": (
        {"sudoers": [("olive", "olive ALL=(ALL) NOPASSWD: ALL"), ("%sudo", "%sudo ALL=(ALL:ALL) ALL")], "declared_sudoers": ["olive"]},
        {"sudoers": [("mallory", "mallory ALL=(ALL) NOPASSWD: ALL")], "declared_sudoers": ["olive"]},
    ),
    "host.sudoers_modes": ({"sudoers_files": []}, {"sudoers_files": ["/etc/sudoers.d/x has mode 0666"]}),
    "host.firewall": ({"filters": [("filter INPUT", False), ("groundcrew arriving", True)]}, {"filters": [("filter INPUT", False)]}),
    "host.firewall_rules": ({"firewall_drift": []}, {"firewall_drift": ["not declared in chain wanted: tcp dport 6379 accept"]}),
    "host.firewall_at_boot": ({"firewall_units": {"nftables.service": "enabled"}}, {"firewall_units": {"nftables.service": "disabled"}}),
    "host.listening_ports": (
        {"listening": ["tcp/22 (sshd)"], "declared_ports": ["tcp/22"]},
        {"listening": ["tcp/22 (sshd)", "tcp/6379 (redis-server)"], "declared_ports": ["tcp/22"]},
    ),
    "host.unattended_upgrades": (
        {"apt_periodic": {"Update-Package-Lists": "1", "Unattended-Upgrade": "1"}},
        {"apt_periodic": {"Update-Package-Lists": "1"}},
    ),
    "host.upgrade_timers": ({"timers": {"apt-daily.timer": "active"}}, {"timers": {"apt-daily.timer": "inactive"}}),
    "host.security_updates": ({"pending_security": []}, {"pending_security": ["openssl"]}),
    "host.package_lists": ({"lists_age_days": 1.0, "max_lists_days": 3.0}, {"lists_age_days": 9.0, "max_lists_days": 3.0}),
    "host.reboot": ({"reboot_packages": None}, {"reboot_packages": ["linux-image-amd64"]}),
    "host.packages_whole": ({"dpkg_audit": ""}, {"dpkg_audit": "The following packages are only half configured: x"}),
    "host.clock_kept": ({"clocks": {"chrony.service": "active"}}, {"clocks": {"chrony.service": "inactive"}}),
    "host.clock_skew": ({"skew_seconds": 1.2, "max_skew_seconds": 30.0}, {"skew_seconds": -3600.0, "max_skew_seconds": 30.0}),
    "host.swap": ({"memory_mib": 2048, "swap_mib": 2048}, {"memory_mib": 2048, "swap_mib": 0}),
    "host.disk_space": (file_system(), file_system(used_percent=97)),
    "host.disk_inodes": (file_system(), file_system(inodes_percent=99)),
    "host.world_writable": ({"writable_files": []}, {"writable_files": ["/etc/cron.d/x"]}),
    "host.credential_files": ({"open_credentials": []}, {"open_credentials": ["/etc/shadow has mode 0644"]}),
    "host.kernel_parameters": (
        {"kernel": {"net.ipv4.tcp_syncookies": "1"}, "declared_kernel": {"net.ipv4.tcp_syncookies": "1"}},
        {"kernel": {}, "declared_kernel": {"net.ipv4.tcp_syncookies": "1"}},
    ),
    "host.core_dumps": ({"suid_dumpable": "0"}, {"suid_dumpable": "2"}),
    "host.journal_limit": ({"journald": {"SystemMaxUse": "500M"}}, {"journald": {}}),
    "host.journal_kept": ({"journald": {"Storage": "persistent"}}, {"journald": {"Storage": "volatile"}}),
    "host.audit_log": ({"recorders": {"auditd.service": "active"}}, {"recorders": {"auditd.service": "inactive"}}),
    "host.failed_units": ({"units_failed": []}, {"units_failed": ["backup.service"]}),
    "host.certificates": (
        {"certificate_days": {"/etc/x.pem": 60.0}, "min_certificate_days": 21.0},
        {"certificate_days": {"/etc/x.pem": 3.0}, "min_certificate_days": 21.0},
    ),
    "docker_engine.tcp_socket": ({"arguments": ["dockerd"], "daemon": {}}, {"arguments": ["dockerd"], "daemon": {"hosts": ["tcp://0.0.0.0:2375"]}}),
    "docker_engine.socket_mode": ({"socket_mode_octal": "0660"}, {"socket_mode_octal": "0666"}),
    "docker_engine.group_members": ({"docker_group": [], "declared_group": []}, {"docker_group": ["olive"], "declared_group": []}),
    "docker_engine.live_restore": ({"info": {"LiveRestoreEnabled": True}}, {"info": {"LiveRestoreEnabled": False}}),
    "docker_engine.log_limits": (
        {"info": {"LoggingDriver": "json-file"}, "daemon": {"log-opts": {"max-size": "50m"}}},
        {"info": {"LoggingDriver": "json-file"}, "daemon": {}},
    ),
    "docker_engine.seccomp": (
        {"info": {"SecurityOptions": ["name=seccomp,profile=builtin"]}},
        {"info": {"SecurityOptions": ["name=seccomp,profile=unconfined"]}},
    ),
    "docker_engine.insecure_registries": (
        {"daemon": {"insecure-registries": ["r:5000"]}, "declared_registries": ["r:5000"]},
        {"daemon": {"insecure-registries": ["r:5000"]}, "declared_registries": []},
    ),
    "docker_engine.packet_filter": ({"daemon": {}}, {"daemon": {"iptables": False}}),
    "container.not_root": (container(), container({"User": "0:0"})),
    "container.privileged": (container(), container(Privileged=True)),
    "container.capabilities": (container(CapAdd=["NET_BIND_SERVICE"]), container(CapAdd=["SYS_ADMIN"])),
    "container.no_new_privileges": (container(), container(SecurityOpt=[])),
    "container.confined": (container(), container(SecurityOpt=["seccomp=unconfined"])),
    "container.read_only": (container(), container(ReadonlyRootfs=False)),
    "container.docker_socket": (container(), container(mounts=[bind("/var/run/docker.sock", "/docker.sock", writable=False)])),
    "container.host_folders": (container(mounts=[bind("/etc", "/x", writable=False)]), container(mounts=[bind("/etc", "/x", writable=True)])),
    "container.secrets_read_only": (
        container(mounts=[bind("/opt/s", "/run/secrets/jwt", writable=False)]),
        container(mounts=[bind("/opt/s", "/run/secrets/jwt", writable=True)]),
    ),
    "container.secret_environment": ({"secret_names": []}, {"secret_names": ["DATABASE_URL"]}),
    "container.published_ports": (container(), container(PortBindings={"3000/tcp": [{"HostIp": "", "HostPort": "3000"}]})),
    "container.namespaces": (container(), container(NetworkMode="host")),
    "container.pinned_image": (container(), container({"Image": "r/shop:latest"})),
    "container.image_age": ({"image_days": 10.0, "max_image_days": 90.0}, {"image_days": 400.0, "max_image_days": 90.0}),
    "container.memory_limit": (container(), container(Memory=0)),
    "container.process_limit": (container(), container(PidsLimit=None)),
    "container.log_limit": (container(), container(LogConfig={"Type": "json-file", "Config": {}})),
    "container.restart_policy": (container(), container(RestartPolicy={"Name": "no"})),
    "container.health_check": (container(), container({"Healthcheck": {"Test": ["NONE"]}})),
    **{
        f"compose_app.{name}": ({"broken": {rule: []}, "switched_off": {}}, {"broken": {rule: [f"environment: X (rule {rule})"]}, "switched_off": {}})
        for name, rule in BROKEN_RULES.items()
    },
    "compose_app.active": ({"running": {"release": "r1", "missing": []}}, {"running": {"release": "r1", "missing": ["0 of 2 containers of api run"]}}),
    "compose_app.rollback_target": ({"rollback_releases": ["r0"]}, {"rollback_releases": []}),
    "compose_app.unfinished": ({"pending_minutes": None, "max_pending_minutes": 60.0}, {"pending_minutes": 90.0, "max_pending_minutes": 60.0}),
    "compose_app.secret_files": ({"open_secrets": []}, {"open_secrets": ["/opt/x has mode 0644"]}),
    "web.https": ({"scheme": "https", "plain": {"status": 301, "location": "https://x/"}}, {"scheme": "https", "plain": {"status": 200, "location": ""}}),
    "web.certificate": ({"tls": {"problem": "", "protocol": "TLSv1.3"}}, {"tls": {"problem": "self-signed certificate", "protocol": None}}),
    "web.certificate_expiry": ({"certificate_days": 60.0, "min_certificate_days": 21.0}, {"certificate_days": 5.0, "min_certificate_days": 21.0}),
    "web.tls_versions": ({"old_protocols": []}, {"old_protocols": ["TLS 1.0"]}),
    "web.hsts": (headers(strict_transport_security="max-age=31536000"), headers(strict_transport_security="max-age=60")),
    "web.nosniff": (headers(x_content_type_options="nosniff"), headers()),
    "web.framing": (headers(content_security_policy="frame-ancestors 'none'"), headers(x_frame_options="ALLOW-FROM x")),
    "web.content_policy": (headers(content_security_policy="default-src 'self'"), headers(content_security_policy="script-src 'unsafe-eval'")),
    "web.referrer": (headers(referrer_policy="no-referrer"), headers(referrer_policy="unsafe-url")),
    "web.versions_named": (headers(server="nginx"), headers(x_powered_by="Express")),
    "web.cookies": ({"set_cookies": ["a=1; Secure; HttpOnly; SameSite=Lax"]}, {"set_cookies": ["a=1; HttpOnly"]}),
    "web.cors": ({"allowed_origin": "", "strange_origin": "https://e"}, {"allowed_origin": "https://e", "strange_origin": "https://e"}),
    "web.documentation": ({"shown_documentation": []}, {"shown_documentation": ["/api-docs"]}),
    "web.trace": ({"trace_status": 405}, {"trace_status": 200}),
    "web.rate_limit": ({"answered": {200: 10, 429: 1}}, {"answered": {200: 50}}),
    "web.error_page": ({"error_text": "not found"}, {"error_text": "Error: x\n    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)"}),
    "web.health": ({"health_statuses": {"/health/live": 200}}, {"health_statuses": {"/health/live": 200, "/health/ready": 503}}),
    "postgresql.tls": ({"session": {"ssl": True, "version": "TLSv1.3"}}, {"session": {"ssl": False, "version": None}}),
    "postgresql.tls_enforced": (hba(), hba(type="host")),
    "postgresql.tls_versions": (setting(), setting(ssl_min_protocol_version="TLSv1")),
    "postgresql.trust": (hba(), hba(method="trust")),
    "postgresql.password_encryption": (setting(), setting(password_encryption="md5")),
    "postgresql.superusers": (roles(), roles(superuser=True)),
    "postgresql.role_rights": (roles(), roles(bypassrls=True)),
    "postgresql.public_schema": ({"public_create": False}, {"public_create": True}),
    "postgresql.connection_log": (setting(), setting(log_connections="off")),
    "postgresql.version": ({"major": 17, **TODAY}, {"major": 13, **TODAY}),
    "postgresql.wraparound": ({"oldest_transactions": 5_000_000}, {"oldest_transactions": 1_900_000_000}),
    "postgresql.idle_transactions": (setting(), setting(idle_in_transaction_session_timeout="0")),
    "postgresql.connections": ({"used_connections": 10, **setting()}, {"used_connections": 95, **setting()}),
    "redis.tls": ({"encrypted": True}, {"encrypted": False}),
    "redis.plain_port": ({"config": {"port": "0"}}, {"config": {"port": "6379"}}),
    "redis.passwords": ({"users": {"shop": "on ~* +@all"}}, {"users": {"default": "on nopass ~* +@all"}}),
    "redis.dangerous_commands": (
        {"users": {"shop": "on ~* +@all -@admin -@dangerous", "default": "on ~* +@all"}, "declared_admins": ["default"]},
        {"users": {"shop": "on ~* +@all"}, "declared_admins": ["default"]},
    ),
    "redis.eviction": (info(maxmemory_policy="noeviction"), info(maxmemory_policy="allkeys-lru")),
    "redis.memory": (info(), info(used_memory=2**28)),
    "redis.saved": (info(rdb_last_bgsave_status="ok"), info(rdb_last_bgsave_status="err")),
    "redis.connections": (info(), info(connected_clients=99)),
    "redis.version": (info(), info(redis_version="5.0.3")),
    "secret.age": (
        {"secret": {"age_days": 3.0, "late": False, "max_age_days": 30.0}},
        {"secret": {"age_days": 31.0, "late": True, "max_age_days": 30.0}},
    ),
    "secret.rotation": ({"secret": {"state": "STEADY"}}, {"secret": {"state": "BOTH_VALID"}}),
    "secret_store.complete": (secrets("shop/jwt"), secrets()),
    "secret_store.undeclared": (secrets("shop/jwt"), secrets("shop/jwt", "shop/old")),
    "secret_store.files": ({"open_files": []}, {"open_files": ["/x has mode 0644"]}),
}


def uncovered(rules: dict[str, Rule], cases: dict[str, tuple[Facts, Facts]]) -> list[str]:
    """Checks that lack a case that passes, or one that fails."""
    wrong = []
    for name, rule in rules.items():
        seen = [rule.judge("x", facts).verdict for facts in cases.get(name, ())]
        if seen != ["pass", "fail"]:
            wrong.append(f"{name}: {seen}")
    return wrong


def test_every_check_passes_what_is_right_and_fails_what_is_wrong() -> None:
    started = time.monotonic()
    assert uncovered(RULES, CASES) == []
    assert set(CASES) == set(RULES), "a case without a check"
    assert len(RULES) == sum(len(catalog.rules) for catalog in CATALOGS), "two checks have one id"
    blind = Catalog("control")
    blind.add("always_green", "high", "It passes whatever there is", "Nothing", lambda anything: (True, str(anything)))
    lax = uncovered({rule.check.id: rule for rule in blind.rules}, {"control.always_green": ({"anything": 1}, {"anything": 2})})
    assert lax == ["control.always_green: ['pass', 'pass']"]
    assert figures.record(
        "audit.checks",
        len(RULES) - len(uncovered(RULES, CASES)),
        unit="checks",
        target=">= 60",
        seconds=time.monotonic() - started,
        command="make unit",
        control={"what": "a check that passes whatever there is", "value": 1 - len(lax), "red": bool(lax)},
    )


@pytest.mark.parametrize("name", RULES)
def test_what_cannot_be_read_is_unknown(name: str) -> None:
    rule = RULES[name]
    good = CASES[name][0]
    for lost in rule.needs:
        found = rule.judge("x", {**good, lost: Unread("it hides")})
        assert (found.verdict, "it hides" in found.evidence) == ("unknown", True)
        assert policy.report([found], [], rule.check.severity, dt.date(2026, 11, 21)).failing, "it could look at nothing, and is green"
    assert rule.judge("x", {}).verdict == "unknown"


def test_what_nothing_was_declared_for_is_not_judged_and_what_cannot_be_read_beside_it_is_unknown() -> None:
    rule, good = RULES["host.undeclared_users"], CASES["host.undeclared_users"][0]
    undeclared = {**good, "declared_users": declared(None, "host_users")}
    assert (rule.judge("x", undeclared).verdict, rule.judge("x", undeclared).evidence) == ("unjudged", "Not judged: host_users is not declared")
    assert rule.judge("x", {**undeclared, "people": Unread("it hides")}).verdict == "unknown"


def test_every_check_is_presentable() -> None:
    for name, rule in RULES.items():
        assert ID.fullmatch(name) and rule.check.severity in SEVERITIES
        assert rule.check.title and not rule.check.title.endswith("."), name
        assert rule.check.remedy, name


def test_the_documentation_names_every_check_with_its_severity() -> None:
    said = re.findall(r"^\| `([a-z0-9_.]+)` \| (\w+) \| (.+) \|$", (ROOT / "docs" / "operations" / "checks.md").read_text(), re.M)
    backups = [each for module in (inspection, overview) for each in vars(module).values() if isinstance(each, Check)]
    checks = [*(rule.check for rule in RULES.values()), *backups]
    assert backups and {name: (severity, title) for name, severity, title in said} == {each.id: (each.severity, each.title) for each in checks}


def test_a_reader_that_fails_hides_nothing_of_the_others() -> None:
    def refuses() -> None:
        raise OpsError("sshd is not installed")

    def breaks() -> None:
        raise PermissionError(13, "Permission denied")

    facts = gather({"one": lambda: 1, "two": refuses, "three": breaks})
    assert facts["one"] == 1
    assert facts["two"] == Unread("sshd is not installed")
    assert "Permission denied" in facts["three"].reason


def test_a_long_list_stays_readable() -> None:
    found = host.CATALOG.examine("web-1", {"writable_files": [f"/etc/{number}" for number in range(30)]})
    evidence = next(each.evidence for each in found if each.id == "host.world_writable")
    assert evidence.endswith("and 22 more.")
