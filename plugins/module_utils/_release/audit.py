# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application and its containers against the security checklists. Pure. How facts are read: ``audit_facts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Decide, Told, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._release.environment import RULES

CONTAINERS = Catalog("container")
check = CONTAINERS.check
Config = Mapping[str, Any]
FILE = "Correct the service in the Compose file, and deploy it"
MAY_ADD = ("NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE")
SYSTEM_FOLDERS = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var", "/var/run", "/var/lib/docker")


@check("high", "It does not run as root", f'{FILE}: user: "10001", or USER in the Dockerfile.')
def not_root(config: Config) -> Told:
    user = config["Config"].get("User") or "root"
    return user.partition(":")[0] not in ("root", "0"), f"It runs as {user}."


@check("critical", "It is not privileged", f"{FILE} without privileged: true.")
def privileged(config: Config) -> Told:
    return not config["HostConfig"].get("Privileged"), f"Privileged is {bool(config['HostConfig'].get('Privileged'))}."


@check("medium", "It has given up the capabilities of root", f"{FILE}: cap_drop: [ALL].")
def capabilities(config: Config) -> Told:
    dropped, added = (config["HostConfig"].get(key) or [] for key in ("CapDrop", "CapAdd"))
    strange = [f"has {each}" for each in added if each not in MAY_ADD]
    return nothing_of([*([] if "ALL" in dropped else ["drops not all"]), *strange], "It drops all.")


@check("medium", "It cannot gain rights", f'{FILE}: security_opt: ["no-new-privileges:true"].')
def no_new_privileges(config: Config) -> Told:
    options = config["HostConfig"].get("SecurityOpt") or []
    return any(each.startswith("no-new-privileges") and not each.endswith("false") for each in options), f"security_opt: {', '.join(options) or 'none'}."


@check("high", "Its system calls are filtered", f"{FILE} without seccomp=unconfined and apparmor=unconfined.")
def confined(config: Config) -> Told:
    return nothing_of([each for each in config["HostConfig"].get("SecurityOpt") or [] if "unconfined" in each], "Nothing switches the filters off.")


@check("low", "It cannot change its own files", f"{FILE}: read_only: true, with tmpfs for what it writes.")
def read_only(config: Config) -> Told:
    fixed = bool(config["HostConfig"].get("ReadonlyRootfs"))
    return fixed, f"Its file system is {'read-only' if fixed else 'writable'}."


@check("critical", "It cannot command the engine", f"{FILE} without the mount of docker.sock.")
def docker_socket(config: Config) -> Told:
    mounted = [each["Source"] for each in config.get("Mounts") or [] if str(each.get("Source", "")).endswith("docker.sock")]
    return nothing_of(mounted, "The engine's socket is not in it.")


@check("high", "It cannot write folders of the host's system", f"{FILE}: a volume, or the mount with :ro.")
def host_folders(config: Config) -> Told:
    binds = [each for each in config.get("Mounts") or [] if each.get("Type") == "bind" and each.get("RW")]
    return nothing_of([each["Source"] for each in binds if each["Source"].rstrip("/") in {name.rstrip("/") for name in SYSTEM_FOLDERS}], "It writes none.")


@check("high", "It cannot change its secrets", "Deploy it with the role compose_app, which mounts them read-only.")
def secrets_read_only(config: Config) -> Told:
    mounts = [each for each in config.get("Mounts") or [] if str(each.get("Destination", "")).startswith("/run/secrets")]
    return nothing_of([each["Destination"] for each in mounts if each.get("RW")], f"{len(mounts)} mounts, all read-only.")


@check("medium", "No secret is in its environment, which docker inspect shows", "Pass it as a file: NAME_FILE=/run/secrets/name, with compose_app_secrets.")
def secret_environment(secret_names: Sequence[str]) -> Told:
    return nothing_of(list(secret_names), "None of its variables looks like a secret.")


@check("high", "Others reach it through the proxy alone", f"{FILE} with ports on 127.0.0.1, or with expose.")
def published_ports(config: Config) -> Told:
    published = [
        f"{inner} at {each.get('HostIp') or '0.0.0.0'}:{each.get('HostPort')}"
        for inner, places in (config["HostConfig"].get("PortBindings") or {}).items()
        for each in places or []
        if not str(each.get("HostIp", "")).startswith("127.")
    ]
    return nothing_of(published, "It is published on loopback or not at all.")


@check("high", "It has a network, processes and memory of its own", f"{FILE} without network_mode, pid and ipc of the host.")
def namespaces(config: Config) -> Told:
    shared = [f"{key} of the host" for key in ("NetworkMode", "PidMode", "IpcMode", "UTSMode") if config["HostConfig"].get(key) == "host"]
    return nothing_of(shared, "It shares none with the host.")


@check("high", "Its image is pinned by digest", "Deploy it with the role compose_app, which resolves the tag to a digest.")
def pinned_image(config: Config) -> Told:
    image = config["Config"]["Image"]
    return "@sha256:" in image, f"It was started from {image}."


@check("medium", "Its image is not old", "Build it anew on a current base image, and deploy it.")
def image_age(image_days: float, max_image_days: float) -> Told:
    return image_days <= max_image_days, f"It is {image_days:.0f} days old; the limit is {max_image_days:g}."


@check("medium", "Its memory has a limit", f"{FILE}: deploy.resources.limits.memory, or mem_limit.")
def memory_limit(config: Config) -> Told:
    limit = config["HostConfig"].get("Memory") or 0
    return limit > 0, f"The limit is {limit // 2**20} MiB." if limit else "There is no limit."


@check("low", "The number of its processes has a limit", f"{FILE}: pids_limit.")
def process_limit(config: Config) -> Told:
    limit = config["HostConfig"].get("PidsLimit") or 0
    return limit > 0, f"The limit is {limit}." if limit > 0 else "There is no limit."


@check("medium", "Its log has a limit", f"{FILE}: logging.options.max-size, or let the role docker_engine set a default.")
def log_limit(config: Config) -> Told:
    log = config["HostConfig"].get("LogConfig") or {}
    size = (log.get("Config") or {}).get("max-size")
    return log.get("Type") != "json-file" or bool(size), f"The driver is {log.get('Type')}, max-size {size or 'not set'}."


@check("medium", "It starts again by itself", f"{FILE}: restart: unless-stopped.")
def restart_policy(config: Config) -> Told:
    policy = (config["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no"
    return policy in ("always", "unless-stopped", "on-failure"), f"The policy is {policy}."


@check("medium", "It is asked for its health", f"{FILE}: healthcheck, or HEALTHCHECK in the Dockerfile.")
def health_check(config: Config) -> Told:
    test = (config["Config"].get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test[0] != "NONE", f"It has {'a' if test and test[0] != 'NONE' else 'no'} health check."


APPLICATION = Catalog("compose_app")
TITLES = {
    "jwt-secret": ("critical", "The key that signs tokens is long enough"),
    "cors-origin": ("high", "Not every site may call the application"),
    "database-tls": ("critical", "The connection to the database is encrypted"),
    "redis-tls": ("critical", "The connection to the cache is encrypted"),
    "tls-off": ("critical", "No variable switches TLS off"),
    "tls-unchecked": ("critical", "Certificates are checked"),
    "swagger-off": ("medium", "The API's documentation is not shown to everybody"),
    "rate-limit-on": ("high", "The rate limit is on"),
    "rate-limit-off": ("high", "Nothing switches the rate limit off"),
    "default-password": ("critical", "No password is one that everybody knows"),
    "default-password-in-url": ("critical", "No address holds a password that everybody knows"),
}


def _of_environment(rule: str) -> Decide:
    def decide(broken: Mapping[str, Sequence[str]], switched_off: Mapping[str, str]) -> Told:
        if rule in switched_off:
            return True, f"The rule is switched off: {switched_off[rule]}"
        return nothing_of(list(broken.get(rule, ())), "No variable and no secret of the release breaks the rule.")

    return decide


# The same rules refuse a release; here they judge the one that runs, which may be older than a rule.
for each in RULES:
    APPLICATION.add(each.id.replace("-", "_"), *TITLES[each.id], "Correct the variable that the evidence names, and deploy.", _of_environment(each.id))


@APPLICATION.check("high", "A release is active, and its containers run", "Run playbooks/deploy.yml; the verb diagnose says more.")
def active(running: Mapping[str, Any]) -> Told:
    if not running["release"]:
        return False, "No release is active."
    return nothing_of(list(running["missing"]), f"Release {running['release']} runs.")


@APPLICATION.check("medium", "A rollback has somewhere to go", "Right after the first deployment: nothing. Else raise compose_app_keep.")
def rollback_target(rollback_releases: Sequence[str]) -> Told:
    return bool(rollback_releases), f"Stored: {', '.join(rollback_releases)}." if rollback_releases else "There is no earlier release."


@APPLICATION.check("high", "No release is stuck halfway", "Run playbooks/deploy.yml again: it ends what was begun.")
def unfinished(pending_minutes: float | None, max_pending_minutes: float) -> Told:
    if pending_minutes is None:
        return True, "None is in progress."
    return pending_minutes <= max_pending_minutes, f"One has been in progress for {pending_minutes:.0f} minutes; the limit is {max_pending_minutes:g}."


@APPLICATION.check("critical", "The release's secrets are its user's alone", "Deploy again: files of secrets have mode 0400.")
def secret_files(open_secrets: Sequence[str]) -> Told:
    return nothing_of(list(open_secrets), "None of them is open to others.")
