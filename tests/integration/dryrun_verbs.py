# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that walks run, with the variables that each may be given: drawn anew at each step, so what was there before differs from what is asked for."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.integration.dryrun_walk import Verb
from tests.integration.release_host import SLOTS, environment


def some(chance: Random, values: list[Any]) -> list[Any]:
    return chance.sample(values, chance.randrange(len(values) + 1))


def maybe(chance: Random, **values: list[Any]) -> dict[str, Any]:
    """Some of these variables with one of their values; the others keep the role's default."""
    return {name: chance.choice(each) for name, each in values.items() if chance.random() < 0.6}


def proxy(chance: Random) -> dict[str, Any]:
    rude = {"name": "rude", "slots": SLOTS, "replicas": 3}
    other = {"name": "other", "slots": {"a": 20200, "b": 20300}, "domains": ["other.example.com"]}
    return {
        "proxy_applications": [rude, *some(chance, [other])],
        **maybe(chance, proxy_timeout_server=[30, 90], proxy_maximum_connections=[1000, 2000], proxy_timeout_client=[20]),
    }


def release(version: str) -> Callable[[Random], dict[str, Any]]:
    def variables(chance: Random) -> dict[str, Any]:
        said = maybe(chance, compose_app_environment=[environment(GREETING="hello"), environment(GREETING="good day")])
        return {"compose_app_version": version, "compose_app_bake_seconds": 0, **said}

    return variables


def scale(chance: Random) -> dict[str, Any]:
    rules = [{"service": name, "replicas": chance.randrange(1, 4)} for name in ("api", "worker")]
    return {"compose_app_scale_rules": some(chance, rules) or rules, "compose_app_scale_every": chance.choice(["", "1h", "2h"])}


def nothing(_chance: Random) -> dict[str, Any]:
    return {}


def never(role: str) -> Callable[[Random], dict[str, Any]]:
    return lambda _chance: {f"{role}_audit_fail_on": "never"}


DOCKER, PROXY, APP, TWO = frozenset({"docker"}), frozenset({"proxy"}), frozenset({"app"}), frozenset({"two releases"})

# On a host with Docker Engine, an application and the proxy before it.
APPLICATION_VERBS = [
    Verb(
        "docker_engine",
        "main",
        lambda chance: maybe(
            chance,
            docker_engine_log_max_size=["10m", "20m"],
            docker_engine_log_max_files=[2, 3],
            docker_engine_address_pools=[[{"base": "10.210.0.0/16", "size": 24}]],
            docker_engine_daemon_options=[{"debug": True}, {"max-concurrent-downloads": 2}],
        ),
        gives=DOCKER,
    ),
    Verb(
        "docker_engine",
        "maintain",
        lambda chance: maybe(chance, docker_engine_prune_images=["unused", "unnamed"], docker_engine_prune_hours=[0, 24], docker_engine_prune_volumes=[True]),
        needs=DOCKER,
    ),
    Verb("docker_engine", "audit", never("docker_engine"), needs=DOCKER),
    # A droplet of the local cloud has a volume at /var/lib/docker, so its data cannot be removed.
    Verb("docker_engine", "remove", nothing, takes=DOCKER | APP | TWO),
    Verb("proxy", "main", proxy, gives=PROXY),
    Verb("proxy", "audit", never("proxy"), needs=PROXY),
    Verb("proxy", "remove", nothing, takes=PROXY | APP | TWO),
    Verb("compose_app", "main", release("1.0.0"), needs=DOCKER | PROXY, gives=APP),
    Verb("compose_app", "main", release("1.1.0"), needs=DOCKER | PROXY | APP, gives=TWO),
    Verb("compose_app", "scale", scale, needs=DOCKER | PROXY | APP),
    Verb("compose_app", "maintain", nothing, needs=DOCKER | PROXY | APP),
    Verb("compose_app", "rollback", nothing, needs=DOCKER | PROXY | TWO),
    Verb("compose_app", "audit", never("compose_app"), needs=DOCKER | PROXY | APP),
    Verb("compose_app", "diagnose", nothing, needs=DOCKER | PROXY | APP),
    Verb("compose_app", "remove", nothing, needs=DOCKER | PROXY | APP, takes=APP | TWO),
]

BUCKET, FLEET, CLUSTERS, SECRETS = (frozenset({each}) for each in ("bucket", "fleet", "clusters", "secrets"))
OPEN: dict[str, Any] = {"protocol": "tcp", "sources": {"addresses": ["0.0.0.0/0"]}}


def droplets(chance: Random) -> dict[str, Any]:
    return {
        "droplet_count": chance.randrange(1, 3),
        "droplet_tags": some(chance, ["dryrun-app", "dryrun-web"]),
        "droplet_firewall_inbound_rules": [{**OPEN, "ports": "22"}, *some(chance, [{**OPEN, "ports": "80"}, {**OPEN, "ports": "443"}])],
        "droplet_max_delete": 2,
    }


def clusters(chance: Random) -> dict[str, Any]:
    cluster = {"name": "dryrun-cache", "engine": "valkey", "version": "8", "size": "db-s-1vcpu-1gb", "region": "fra1"}
    return {"managed_database_clusters": [{**cluster, **maybe(chance, trusted_sources=[[{"ip_addr": "192.0.2.1"}], [{"ip_addr": "192.0.2.2"}]])}]}


def secrets(chance: Random) -> dict[str, Any]:
    items = [{"name": "dryrun/jwt", "entropy_bits": 512}, {"name": "dryrun/key", "entropy_bits": 256}]
    return {"secret_items": items[: chance.randrange(1, 3)], "secret_force": chance.random() < 0.5}


CONTROL_VERBS = [
    Verb(
        "backup_repository", "main", lambda chance: maybe(chance, backup_repository_noncurrent_days=[3, 9], backup_repository_unfinished_days=[1]), gives=BUCKET
    ),
    Verb("backup_repository", "verify", nothing, needs=BUCKET),
    Verb("backup_repository", "maintain", nothing, needs=BUCKET),
    Verb("backup_repository", "audit", nothing, needs=BUCKET),
    Verb("backup_repository", "audit", never("backup_repository"), needs=BUCKET),
    Verb("droplet", "main", droplets, gives=FLEET),
    Verb("droplet", "audit", lambda chance: {**droplets(chance), "droplet_audit_fail_on": "never"}),
    Verb("droplet", "remove", nothing, takes=FLEET),
    Verb("managed_database", "main", clusters, gives=CLUSTERS),
    Verb("managed_database", "audit", lambda chance: {**clusters(chance), "managed_database_audit_fail_on": "never"}, needs=CLUSTERS),
    Verb("managed_database", "diagnose", clusters),
    Verb("managed_database", "remove", clusters, takes=CLUSTERS),
    # On any other host it is refused, as to a run that is limited to that.
    Verb("findings", "verify", lambda _chance: {"findings_named_by": "audit_hosts"}),
    Verb("secret", "main", secrets, gives=SECRETS),
    Verb("secret", "rotate", lambda chance: {**secrets(chance), "secret_phase": chance.choice(["begin", "publish", "finish", "close"])}, needs=SECRETS),
    Verb("secret", "verify", secrets, needs=SECRETS),
    Verb("secret", "audit", lambda chance: {**secrets(chance), "secret_audit_fail_on": "never"}, needs=SECRETS),
    Verb("secret", "remove", lambda chance: {"secret_names": some(chance, ["dryrun/jwt", "dryrun/key"])}, takes=SECRETS),
]
