# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a Redis or Valkey server cannot be reached, is slow, or why jobs in it are not worked on. Reads only; shows no value."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, Unread, gather, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.way import Way, ask_the_way, round_trip_ms, walk
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection, from_params, library

CATALOG = Catalog("diagnose.redis")
QUEUE = Catalog("diagnose.queue")
ask_the_way(CATALOG)
check = CATALOG.check
Info = Mapping[str, Any]
Queue = Mapping[str, Any]
# How many of the active, and of the finished jobs are looked at.
AT_MOST, LATEST = 1000, 100


@check("critical", "The user is let in", "See which secret the application has (playbooks/rotate.yml, verb verify of secret), and ACL LIST.")
def credentials(credentials: Told) -> Told:
    return credentials


@check("critical", "The server has read its data", "Wait; INFO persistence says how much is left (loading_eta_seconds).")
def loaded(info: Info) -> Told:
    return not info.get("loading"), "It is still loading." if info.get("loading") else "It has."


@check("high", "The server takes writes", "Connect to the primary. When a snapshot failed, free disk space or memory, and run BGSAVE.")
def writes(info: Info) -> Told:
    wrong = ["it is a replica"] * (info.get("role") == "slave") + ["its last snapshot failed"] * (info.get("rdb_last_bgsave_status") == "err")
    return nothing_of([f"It takes none: {each}" for each in wrong], "It does.")


@check(
    "high", "There is room for further data", "Remove finished jobs (removeOnComplete), or make the server larger; with noeviction a full one refuses writes."
)
def memory(info: Info) -> Told:
    used, most = info["used_memory"], info.get("maxmemory", 0)
    return not most or used < 0.9 * most, f"{used >> 20} MiB are used, {f'of {most >> 20} MiB' if most else 'without a limit'}."


@check("high", "There is room for further connections", "Look for a leak of connections in the application, or raise maxclients.")
def connections(info: Info) -> Told:
    used, allowed = info["connected_clients"], info.get("maxclients", 0)
    return not allowed or used < 0.9 * allowed, f"{used} of {allowed or 'any number of'} connections are used."


@check("medium", "It answers quickly", "Look at the load of the server and of this host, and whether both are in one region and private network.")
def latency(round_trip_ms: float, max_latency_ms: float) -> Told:
    return round_trip_ms <= max_latency_ms, f"PING takes {round_trip_ms:.1f} ms; the limit is {max_latency_ms:g} ms."


@QUEUE.check("high", "The queue is not paused", "queue.resume(), if nobody paused it on purpose.")
def running(queue: Queue) -> Told:
    return not queue["paused"], "It is paused." if queue["paused"] else "It runs."


@QUEUE.check(
    "high", "A worker is there for the jobs that wait", "Look at the workers' containers (verb diagnose of compose_app): do they run, with what mode and log?"
)
def workers(queue: Queue, clients: Sequence[str]) -> Told:
    mine = base64.b64encode(queue["name"].encode()).decode()
    known = [f"{queue['prefix']}:{mine}", f"{queue['prefix']}:{mine}:w:"]
    there = [each for each in clients if each == known[0] or each.startswith(known[1])]
    return bool(there) or not queue["waiting"], f"{queue['waiting']} jobs wait, {len(there)} connections are workers'."


@QUEUE.check("high", "No job is stalled", "A worker was killed, or its event loop is blocked, while it had the job; a worker that lives takes it up again.")
def stalled(queue: Queue) -> Told:
    return nothing_of([f"nobody holds job {each}" for each in queue["stalled"]], f"{queue['active']} are worked on, and each is held.")


@QUEUE.check("medium", "Jobs do not wait long", "Scale the workers (playbooks/scale.yml).")
def waits(queue: Queue, max_wait_seconds: float) -> Told:
    return queue["oldest"] <= max_wait_seconds, f"The oldest waits since {queue['oldest']:.0f} s; the limit is {max_wait_seconds:g} s."


@QUEUE.check(
    "medium",
    "No job is worked on for long",
    "Look at the log of the worker that holds it, and at what the job waits for; a job of its own for each part of the work, or a timeout in it.",
)
def overdue(queue: Queue, max_job_seconds: float) -> Told:
    late = {job: seconds for job, seconds in queue["working"].items() if seconds > max_job_seconds}
    said = [f"job {job} is worked on since {seconds:.0f} s" for job, seconds in sorted(late.items(), key=lambda each: -each[1])]
    return nothing_of(said, f"None takes longer than {max_job_seconds:g} s.")


@QUEUE.check(
    "medium",
    "Jobs are done quickly",
    "Look at what they wait for (diagnose.postgresql.slow, locks, latency; another service), at the load of the workers' host, or split them.",
)
def slow(durations: Sequence[float], max_job_seconds: float) -> Told:
    usual = median(durations)
    return (
        usual <= max_job_seconds,
        f"The last {len(durations)} took {usual:.1f} s as a rule, {max(durations):.1f} s at most; the limit is {max_job_seconds:g} s.",
    )


def look_at_queue(client: Any, name: str, prefix: str) -> dict[str, Any]:
    """BullMQ's keys. An active job without a lock is held by nobody; the next worker's check takes it up again."""
    key = f"{prefix}:{name}"

    def of_each(jobs: Sequence[str], ask: Callable[[Any, str], object]) -> dict[str, Any]:
        """One way there and back for all of them."""
        pipeline = client.pipeline(transaction=False)
        for job in jobs:
            ask(pipeline, f"{key}:{job}")
        return dict(zip(jobs, pipeline.execute() if jobs else [], strict=True))

    active = client.lrange(f"{key}:active", 0, AT_MOST - 1)
    finished = client.zrevrange(f"{key}:completed", 0, LATEST - 1)
    ends = [*client.lrange(f"{key}:wait", -1, -1), *client.lrange(f"{key}:paused", -1, -1), *client.zrange(f"{key}:prioritized", 0, 0)]
    added = [float(told) / 1000 for told in of_each(ends, lambda pipeline, job: pipeline.hget(job, "timestamp")).values() if told]
    times = of_each([*active, *finished], lambda pipeline, job: pipeline.hmget(job, "processedOn", "finishedOn"))
    locked = of_each(active, lambda pipeline, job: pipeline.exists(f"{job}:lock"))
    seconds, micros = client.time()
    now = seconds + micros / 1e6
    return {
        "name": name,
        "prefix": prefix,
        "paused": client.hget(f"{key}:meta", "paused") == "1",
        "waiting": client.llen(f"{key}:wait") + client.llen(f"{key}:paused") + client.zcard(f"{key}:prioritized"),
        "active": len(active),
        "stalled": [job for job in active if not locked[job]],
        "oldest": max((now - each for each in added), default=0.0),
        "working": {job: now - float(times[job][0]) / 1000 for job in active if times[job][0]},
        "durations": [(float(times[job][1]) - float(times[job][0])) / 1000 for job in finished if all(times[job])],
    }


def facts(connection: Connection, params: Mapping[str, Any]) -> dict[str, Any]:
    way = Way(connection.host, connection.port)

    def tls() -> str:
        if connection.ssl_mode == "disable":
            return "None was asked for."
        try:
            with way.connect() as plain, connection.context().wrap_socket(plain, server_hostname=connection.host) as secured:
                return f"{secured.version()}, {connection.ssl_mode}."
        except (ssl.SSLError, OSError) as error:
            raise OpsError(f"TLS with {connection.host} failed: {error}.") from error

    def credentials() -> str:
        with connection.open():
            return f"{connection.user} logs in."

    walked = walk({**way.steps(), "tls": tls, "credentials": credentials})
    limits = {name: params[name] for name in ("max_latency_ms", "max_wait_seconds", "max_job_seconds")}
    arrived = isinstance(walked["credentials"], tuple) and walked["credentials"][0]
    if not arrived:
        return {**walked, **limits}
    with connection.open() as client:
        readers: dict[str, Callable[[], Any]] = {
            "info": client.info,
            "round_trip_ms": partial(round_trip_ms, client.ping),
            "clients": lambda: [each["name"] for each in client.client_list()],
            **{f"queue {name}": partial(look_at_queue, client, name, params["queue_prefix"]) for name in params["queues"]},
        }
        return {**walked, **limits, **gather({name: _translated(reader) for name, reader in readers.items()}, side_by_side=1)}


def _translated(reader: Callable[[], Any]) -> Callable[[], Any]:
    """What one command may not read hides nothing of the others."""

    def read() -> Any:
        try:
            return reader()
        except library().exceptions.ResponseError as error:
            raise OpsError(f"The server refused: {error}") from error

    return read


def diagnose_redis(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module redis_diagnose answers."""
    known = facts(from_params(params), params)
    found = CATALOG.examine(params["subject"], known)
    for name in params["queues"]:
        queue = known.get(f"queue {name}", Unread("nobody could log in"))
        durations = queue if isinstance(queue, Unread) else queue["durations"] or Unread("no job that is done is kept (removeOnComplete)")
        found += QUEUE.examine(f"{params['subject']} {name}", {**known, "queue": queue, "durations": durations})
    return {"findings": [each.as_dict() for each in found]}
