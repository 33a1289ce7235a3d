# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb audit of the roles that prepare hosts and run applications, on a real host: each check passes what is right and fails what was broken."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit, audit_engine
from ansible_collections.groundcrew.ops.plugins.module_utils._release import audit as release
from tests.integration.audit_seen import Seen, ids
from tests.integration.release_host import FOLDER, ROOT, ReleaseHost
from tests.load.patch_fleet import PUBLISH

TEMPLATES = ROOT / "roles/host/templates"

HOST = "groundcrew.ops.host"
ENGINE = "groundcrew.ops.docker_engine"
APPLICATION = "groundcrew.ops.compose_app"
PROXY = "groundcrew.ops.proxy"
NEVER: dict[str, Any] = {f"{role}_audit_fail_on": "never" for role in ("host", "docker_engine", "compose_app", "proxy")}
OLIVE = {"name": "olive", "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMJx1bRyVYkBh5Ut9HqmQm0h5XH3TSDkYgXHlPN8jBmP olive"], "sudo": True}
# A machine of its own would have to be broken for these; tests/unit has facts that pass and fail them.
ELSEWHERE = {
    "host.swap",
    "host.core_dumps",
    "docker_engine.seccomp",
    "docker_engine.tcp_socket",
    "docker_engine.packet_filter",
}

GOOD = r"""
set -e
printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'PermitEmptyPasswords no' \
  'X11Forwarding no' 'AllowAgentForwarding no' 'LoginGraceTime 30' 'MaxAuthTries 6' 'ClientAliveInterval 60' 'ClientAliveCountMax 5' \
  'Ciphers aes256-gcm@openssh.com' 'MACs hmac-sha2-512' 'KexAlgorithms curve25519-sha256' > /etc/ssh/sshd_config.d/00-audit.conf
id olive >/dev/null 2>&1 || useradd -m -s /bin/bash olive
install -d -m 700 -o olive /home/olive/.ssh; echo 'ssh-ed25519 AAAA olive' > /home/olive/.ssh/authorized_keys
chown olive /home/olive/.ssh/authorized_keys; chmod 600 /home/olive/.ssh/authorized_keys
echo 'olive ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/audit; chmod 0440 /etc/sudoers.d/audit
which nft openssl > /dev/null || apt-get -qq install --no-install-recommends nftables openssl > /dev/null
systemctl -q enable nftables.service
echo 'APT::Periodic::Update-Package-Lists "1"; APT::Periodic::Unattended-Upgrade "1";' > /etc/apt/apt.conf.d/99audit
systemctl unmask -q apt-daily.timer apt-daily-upgrade.timer; touch /var/lib/apt/daily_lock; systemctl start apt-daily.timer apt-daily-upgrade.timer
mkdir -p /var/lib/apt/periodic /etc/systemd/journald.conf.d; touch /var/lib/apt/periodic/update-success-stamp
printf '[Journal]\nStorage=persistent\nSystemMaxUse=100M\n' > /etc/systemd/journald.conf.d/99-audit.conf
for unit in chrony auditd; do printf '[Service]\nExecStart=/bin/sleep 3600\n' > /etc/systemd/system/$unit.service; done
systemctl daemon-reload; systemctl start chrony auditd
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -out /etc/audit.pem -days 100 -subj /CN=x 2>/dev/null
mkdir -p /etc/groundcrew; echo '{}' > /etc/groundcrew/audit.json; chmod 600 /etc/groundcrew/audit.json
"""
BAD = r"""
set -e
printf '%s\n' 'PermitRootLogin yes' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes' 'PermitEmptyPasswords yes' \
  'X11Forwarding yes' 'AllowAgentForwarding yes' 'LoginGraceTime 120' 'MaxAuthTries 10' 'ClientAliveInterval 0' \
  'Ciphers +aes128-cbc' 'MACs +hmac-md5' 'KexAlgorithms +diffie-hellman-group14-sha1' > /etc/ssh/sshd_config.d/00-audit.conf
useradd -m -s /bin/bash mallory; passwd -q -d mallory; useradd -M -o -u 0 toor
mkdir /home/mallory/.ssh; chmod 777 /home/mallory/.ssh
echo 'mallory ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/audit; chmod 0666 /etc/sudoers.d/audit
sed -i 's/counter drop/counter accept/' /etc/groundcrew/firewall/rules.nft
nft -f /etc/groundcrew/firewall/rules.nft; systemctl -q disable nftables.service
systemd-run -q --unit=listener python3 -m http.server 8099 --directory /etc/groundcrew/firewall
echo 'APT::Periodic::Update-Package-Lists "0"; APT::Periodic::Unattended-Upgrade "0";' > /etc/apt/apt.conf.d/99audit
systemctl -q mask --now apt-daily.timer apt-daily-upgrade.timer
touch -d '9 days ago' /var/lib/apt/periodic/update-success-stamp /var/lib/apt/lists
echo linux-image > /run/reboot-required.pkgs; touch /run/reboot-required
cp /var/lib/dpkg/status /root/status; sed -i '/^Package: tzdata$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status
systemctl stop chrony auditd; systemd-run -q --unit=broken false || true
mkdir -p /mnt/small; mount -t tmpfs -o size=1m,nr_inodes=10 tmpfs /mnt/small; touch /mnt/small/{1..9} 2>/dev/null || true
dd if=/dev/zero of=/mnt/small/1 bs=1k count=1000 2>/dev/null
touch /etc/open; chmod 666 /etc/open; chmod 644 /etc/groundcrew/audit.json
printf '[Journal]\nStorage=volatile\n' > /etc/systemd/journald.conf.d/99-audit.conf
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -out /etc/audit.pem -days 3 -subj /CN=x 2>/dev/null
cp /etc/docker/daemon.json /root/daemon.json; echo '{"insecure-registries": ["elsewhere:5000"]}' > /etc/docker/daemon.json
chmod 666 /var/run/docker.sock; usermod -aG docker olive
"""
AFTERWARDS = r"""
rm -f /etc/ssh/sshd_config.d/00-audit.conf /etc/sudoers.d/audit /etc/apt/apt.conf.d/99audit /etc/systemd/journald.conf.d/99-audit.conf
systemctl stop chrony auditd; rm -f /etc/systemd/system/chrony.service /etc/systemd/system/auditd.service
rm -f /etc/apt/apt.conf.d/98audit /etc/apt/sources.list.d/security-demo.list
rm -rf /srv/security /etc/groundcrew/firewall /etc/groundcrew/audit.json /etc/open /etc/audit.pem /run/reboot-required /run/reboot-required.pkgs
nft delete table inet groundcrew; umount /mnt/small; systemctl stop listener; systemctl daemon-reload; systemctl reset-failed
userdel -r mallory; userdel -f toor; userdel -r olive
[ -e /root/status ] && mv /root/status /var/lib/dpkg/status; [ -e /root/daemon.json ] && mv /root/daemon.json /etc/docker/daemon.json
chmod 660 /var/run/docker.sock; systemctl -q mask --now apt-daily.timer apt-daily-upgrade.timer; docker rm -f audit-good audit-bad
apt-get -qq purge gc-demo; true
"""


# What apt knows of is one security archive, which has a package. Then it has an upgrade of it that needs a package more, as each new kernel of Debian's does.
ONE_ARCHIVE = """set -e
printf '%s\\n' 'Dir::Etc::sourcelist "/etc/apt/sources.list.d/security-demo.list";' 'Dir::Etc::sourceparts "-";' 'APT::Get::List-Cleanup "0";' \\
  > /etc/apt/apt.conf.d/98audit
apt-get -qq update
"""
FIREWALL: dict[str, Any] = {"host_firewall": True, "host_firewall_allow": [{"name": "web", "ports": ["80", "443"]}]}
RULES = "/etc/groundcrew/firewall/rules.nft"
# Rules that are in force and were not declared, and the reverse; membership of lines would not tell the first two.
CHANGED = {
    "add rule inet groundcrew routed ct status dnat accept": "not declared in chain routed: ct status dnat accept",
    "add rule inet groundcrew wanted counter drop": "not declared in chain wanted: counter drop",
    "flush chain inet groundcrew container": "missing in chain container: counter drop",
}


def published(host: ReleaseHost, *arguments: str) -> None:
    """The host's security archive offers gc-demo at a version, which may need a package more."""
    host.ssh(f"sh -s {' '.join(arguments)}", stdin=PUBLISH)
    host.ssh(ONE_ARCHIVE)


def firewalled(host: ReleaseHost) -> None:
    """The rules as the role writes and loads them."""
    rules = {"dest": RULES, "content": f"{{{{ lookup('ansible.builtin.template', '{TEMPLATES}/firewall.nft.j2') }}}}", "mode": "0644"}
    host.ssh(f"mkdir -p {RULES.rpartition('/')[0]}")
    written = host.play({"ansible.builtin.copy": rules}, **FIREWALL, host_firewall_ssh_from=[], host_firewall_rules=[], __host_sshd_ports=["22"])
    assert not written.failed, written.message
    host.ssh(f"nft -f {RULES}")


def audited(host: ReleaseHost, *roles: str, **variables: Any) -> dict[str, set[str]]:
    """The checks by verdict, over all roles. An audit changes nothing, and a dry run says the same."""
    ran = host.play(*roles, verb="audit", **NEVER, **variables)
    assert not ran.failed and ran.changed == 0, ran.message
    results = [facts for task in ran.tasks for name, facts in task.get("ansible_facts", {}).items() if name.endswith("_result")]
    assert len(results) == len(roles)
    found = [each for result in results for each in result["findings"]]
    return {verdict: {each["id"] for each in found if each["verdict"] == verdict} for verdict in ("pass", "fail", "unknown")}


def ahead(host: ReleaseHost, seconds: float) -> str:
    """What is said of the host's clock when the control node's is ahead of it."""
    ran = host.play({"groundcrew.ops.host_audit": {"subject": "host", "now": time.time() + seconds}})
    return next(each["verdict"] for each in ran.tasks[-1]["findings"] if each["id"] == "host.clock_skew")


def test_every_check_of_a_host_sees_what_is_right_and_what_was_broken(host: ReleaseHost, checks: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = {
        "docker_engine_insecure_registries": json.loads(host.ssh("cat /etc/docker/daemon.json"))["insecure-registries"],
        "host_audit_certificates": ["/etc/audit.pem"],
    }
    somaxconn = host.ssh("cat /proc/sys/net/core/somaxconn").strip()
    # What the test's host listens on is what is declared here.
    ports = sorted({line.split()[0] for line in host.ssh('ss -Hltun | awk \'{n=split($5,a,":"); print $1"/"a[n]}\'').splitlines()})
    # Operators are where they are; a host's clock is compared with the time there, whatever the zone.
    monkeypatch.setitem(host.env, "TZ", "Asia/Tokyo")
    try:
        host.ssh(GOOD)
        firewalled(host)
        published(host, "1")
        host.ssh("apt-get -qq install gc-demo=1 > /dev/null; rm -f /run/reboot-required /run/reboot-required.pkgs")
        host.ssh("systemctl reset-failed")
        good = audited(host, HOST, ENGINE, host_users=[OLIVE], host_audit_ports=ports, host_sysctl={"net.core.somaxconn": somaxconn}, **engine, **FIREWALL)
        published(host, "2", "gc-demo-more")
        host.ssh(f"bash -c {_quoted(BAD)}")
        bad = audited(host, HOST, ENGINE, host_users=[OLIVE], host_audit_ports=ports, host_sysctl={"net.core.somaxconn": "1"}, **engine, **FIREWALL)
        symptoms = host.play(HOST, verb="diagnose")
        bad["fail"] |= {"host.clock_skew"} if ahead(host, 120) == "fail" else set()
    finally:
        host.ssh(AFTERWARDS, check=False)
    checks.add(good, bad)
    every = ids(audit.CATALOG, audit_engine.CATALOG) - ELSEWHERE
    # The kernel of a container is the machine's: what the role's baseline wants of it need not be so here.
    assert every - good["pass"] - {"host.kernel_parameters", "docker_engine.live_restore", "docker_engine.log_limits"} == set()
    assert every - bad["fail"] == set()
    found = {each["id"]: each for task in symptoms.tasks for each in task.get("ansible_facts", {}).get("host_result", {}).get("findings", [])}
    named = {name for name, each in found.items() if each["verdict"] == "fail"}
    assert not symptoms.failed and {"diagnose.host.disk", "diagnose.host.inodes", "diagnose.host.units"} <= named
    assert "broken.service" in found["diagnose.host.units"]["evidence"] and "/mnt/small" in found["diagnose.host.inodes"]["evidence"]


def test_rules_that_were_changed_are_named_with_their_chain(host: ReleaseHost) -> None:
    """An accept in another chain, a line that is there twice, a drop that is gone; a file that was edited, and one that is loaded."""
    host.ssh("which nft > /dev/null || apt-get -qq install --no-install-recommends nftables > /dev/null")

    def told() -> str:
        ran = host.play(HOST, verb="audit", **NEVER, **FIREWALL)
        assert not ran.failed, ran.message
        found = next(task["ansible_facts"]["host_result"]["findings"] for task in ran.tasks if "host_result" in task.get("ansible_facts", {}))
        rules = next(each for each in found if each["id"] == "host.firewall_rules")
        assert (rules["verdict"] == "pass") is (rules["evidence"] == "In force, and after a reboot, is what is declared."), rules
        return str(rules["evidence"])

    try:
        firewalled(host)
        assert told().startswith("In force")
        host.ssh("".join(f"nft {_quoted(command)};" for command in CHANGED))
        said = told()
        assert [each for each in CHANGED.values() if each not in said] == [], said
        host.ssh(f"nft -f {RULES}; sed -i 's/443/8443/' {RULES}")
        assert "after a reboot, not declared in chain wanted: tcp dport { 80, 8443 } accept" in told()
        host.ssh(f"nft -f {RULES}")
        assert told().startswith("missing in chain wanted: tcp dport { 80, 443 } accept")
    finally:
        host.ssh(AFTERWARDS, check=False)


GOOD_FLAGS = (
    "--user 10001 --cap-drop ALL --security-opt no-new-privileges --read-only --memory 64m --pids-limit 50 --log-opt max-size=1m"
    " --restart unless-stopped --health-cmd true -p 127.0.0.1:29999:3000"
)
BAD_FLAGS = (
    "--user 0 --privileged --security-opt seccomp=unconfined --network host --pid host -v /var/run/docker.sock:/var/run/docker.sock"
    " -v /etc:/host -v /root:/run/secrets -e API_TOKEN=not-a-real-one --no-healthcheck"
)


@pytest.mark.slow
def test_every_check_of_an_application_sees_what_is_right_and_what_was_broken(host: ReleaseHost, checks: Seen) -> None:
    host.play(PROXY)
    for version in ("1.0.0", "1.1.0"):
        assert not host.deploy(version).failed
    digest = host.ssh("docker inspect --format '{{.Config.Image}}' $(docker ps -q --filter label=groundcrew.service=api | head -1)").strip()
    label = "--label groundcrew.application=audited --label groundcrew.service=api --label groundcrew.release=none"
    tag = digest.partition("@")[0] + ":1.1.0"
    broken = {
        "JWT_SECRET": "short",
        "CORS_ORIGIN": "*",
        "DATABASE_URL": "postgresql://u:password@db/x",
        "REDIS_URL": "redis://cache",
        "DATABASE_SSL": "false",
        "NODE_TLS_REJECT_UNAUTHORIZED": "0",
        "SWAGGER_ENABLED": "true",
        "RATE_LIMIT_ENABLED": "false",
        "DISABLE_RATE_LIMIT": "true",
        "ADMIN_PASSWORD": "admin",
    }
    try:
        good = audited(host, APPLICATION)
        host.ssh(f"docker tag {digest} {tag}; docker run -d --name audit-good {label} {GOOD_FLAGS} {digest} sleep 600")
        host.ssh(f"docker run -d --name audit-bad {label} {BAD_FLAGS} {tag} sleep 600")
        host.ssh("docker run -d --name audit-open --label groundcrew.application=audited --log-driver json-file -p 29998:3000 " + f"{tag} sleep 600")
        # The same folder with another environment, which no deployment would have let through, and with one release alone.
        edit = f"""
import json, os, shutil
state = json.load(open("{FOLDER}/state.json"))
root = "/opt/groundcrew/audited"
shutil.rmtree(root, ignore_errors=True)
shutil.copytree("{FOLDER}", root)
name = state["active"]["release"]
record = json.load(open(f"{{root}}/releases/{{name}}/release.json"))
record["environment"].update({broken!r})
json.dump(record, open(f"{{root}}/releases/{{name}}/release.json", "w"))
state["committed"] = [name]
state["pending"] = dict(run="x", state="starting", target=state["active"], since=0)
json.dump(state, open(f"{{root}}/state.json", "w"))
os.chmod(f"{{root}}/releases/{{name}}/.env", 0o644)
"""
        host.ssh(f"python3 -c {_quoted(edit)}")
        bad = audited(host, APPLICATION, compose_app_name="audited", compose_app_audit_image_max_age_days=-1)
    finally:
        host.ssh("docker rm -f audit-good audit-bad audit-open; rm -rf /opt/groundcrew/audited", check=False)
    # The broken application has a container that is as it should be as well.
    checks.add({**good, "pass": good["pass"] | bad["pass"]}, bad)
    application, containers = ids(release.APPLICATION), ids(release.CONTAINERS)
    assert application - good["pass"] == set()
    assert application - bad["fail"] == set()
    assert containers - bad["pass"] - {"container.image_age"} == set()
    assert containers - bad["fail"] == set()
    assert "container.image_age" in good["pass"]


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"
