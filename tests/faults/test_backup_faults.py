# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around a backup. Each fault is survived, or the run fails with a reason and makes no backup; either way nothing of it is left after
the next run, and after all of them the first backup restores as before.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import botocore.auth
import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import backup, dump, lease, linux, policy, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests import figures
from tests.faults import s3_proxy
from tests.faults.backup_world import ENVIRONMENT, OUTCOMES, World, foreign_lease, outcome
from tests.faults.s3_proxy import Rule
from tests.integration import backup_servers


@dataclass(frozen=True)
class Fault:
    """said: what the error says; None for a fault that is survived. more: options of the run. begun: whether the run gets as far as to leave a
    record, and may still write one. held: whether somebody has the lease in the end, be it another host or this run, which could not give it back."""

    name: str
    said: str | None
    inject: Callable[[World, pytest.MonkeyPatch], Any]
    slow: bool = False
    more: tuple[tuple[str, Any], ...] = ()
    begun: bool = True
    held: bool = False


def store_does(*rules: tuple[str, Callable[[str], bool], str, int | None], **more: Any) -> Callable[[World, pytest.MonkeyPatch], None]:
    def inject(world: World, _patch: pytest.MonkeyPatch) -> None:
        world.proxy.rules = [Rule(method, matches, act, times, **more) for method, matches, act, times in rules]

    return inject


def once_dumping(act: Callable[[World, dump.Child], None]) -> Callable[[World, pytest.MonkeyPatch], None]:
    """Do something when pg_dump copies a table. Once: an attempt that follows is left alone."""

    def inject(world: World, patch: pytest.MonkeyPatch) -> None:
        start = dump.start_dump

        def started(*arguments: Any, **more: Any) -> dump.Child:
            patch.setattr(dump, "start_dump", start)
            child = start(*arguments, **more)
            threading.Thread(target=when_copying, args=(child,), daemon=True).start()
            return child

        def when_copying(child: dump.Child) -> None:
            with Session(settings.database(world.params)) as watch:
                # It works in the moments between two looks only, so that none comes too late.
                while not child.ended:
                    child.pause()
                    if copying := watch.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%'"):
                        act(world, child)
                    child.resume()
                    if copying:
                        return
                    time.sleep(0.005)

        patch.setattr(dump, "start_dump", started)

    return inject


def kill_dump(_world: World, child: dump.Child) -> None:
    os.kill(child._process.pid, signal.SIGKILL)


def end_backends(world: World, _child: dump.Child) -> None:
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")


def restart_server(world: World, _child: dump.Child) -> None:
    """As after a crash: at once, with no word to anybody who is connected."""
    [(data,)] = world.sql("SHOW data_directory")
    control = [backup_servers.server_folder() / "pg_ctl", "-D", data, "-m", "immediate", "-w", "-l", f"{data}/log", "restart"]
    subprocess.run(control, user="postgres", cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def change_tables(world: World, _child: dump.Child) -> None:
    """A migration that waits for its lock, a table that is new, and one that goes."""
    world.sql("CREATE TABLE public.gone (n int)")

    def migrate() -> None:
        world.sql("ALTER TABLE public.orders ADD COLUMN IF NOT EXISTS note text DEFAULT 'new'; DROP TABLE public.gone")

    threading.Thread(target=migrate, daemon=True).start()
    while not world.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
        time.sleep(0.01)


def an_hour_ahead(_world: World, patch: pytest.MonkeyPatch) -> None:
    """The clock of this host, from when the dump begins on; the store compares it with its own."""
    start, now = dump.start_dump, botocore.auth.get_current_datetime

    def started(*arguments: Any, **more: Any) -> dump.Child:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *given, **named: now(*given, **named) + timedelta(hours=1))
        return start(*arguments, **more)

    patch.setattr(dump, "start_dump", started)


def ignores_conditions(world: World, _patch: pytest.MonkeyPatch) -> None:
    """The second write of the probe is the one on a condition, which this store says yes to."""
    seen: list[str] = []

    def second_probe(path: str) -> bool:
        seen.extend([path] if path.endswith("/probe") else [])
        return path.endswith("/probe") and len(seen) == 2

    world.proxy.rules = [Rule("PUT", second_probe, "accept", 1)]


def end_truth(world: World, patch: pytest.MonkeyPatch) -> None:
    start = dump.start_dump

    def started(*arguments: Any, **more: Any) -> dump.Child:
        world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%pg_export_snapshot%%' AND pid <> pg_backend_pid()")
        return start(*arguments, **more)

    patch.setattr(dump, "start_dump", started)


def no_holes(_world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(linux, "can_punch", lambda _folder: False)


def no_holes_and_little_room(world: World, patch: pytest.MonkeyPatch) -> None:
    no_holes(world, patch)
    patch.setattr(backup.Limits, "require", lambda *_arguments: None)
    world.proxy.rules = [Rule("PUT", s3_proxy.part, "slow", seconds=2.0)]


def lease_elsewhere(world: World, _patch: pytest.MonkeyPatch) -> None:
    foreign_lease(world, released=False)


def lease_lost(world: World, patch: pytest.MonkeyPatch) -> None:
    """As if this run had been paused for longer than its lease lasts, and another had begun meanwhile, just before the manifest."""
    require, seen = lease.Lease.require, list[lease.Lease]()

    def taken_over(self: lease.Lease) -> None:
        if not seen:
            seen.append(self)
            lease_elsewhere(world, patch)
        require(self)

    patch.setattr(lease.Lease, "require", taken_over)


def lease_lost_after(world: World, patch: pytest.MonkeyPatch) -> None:
    """The same between the manifest and the look that follows it."""
    require, seen = lease.Lease.require, list[lease.Lease]()

    def taken_over(self: lease.Lease) -> None:
        seen.append(self)
        if len(seen) == 2:
            lease_elsewhere(world, patch)
        require(self)

    patch.setattr(lease.Lease, "require", taken_over)


@contextmanager
def locked(world: World, statement: str) -> Iterator[None]:
    with Session(settings.database(world.params)) as session:
        session.rows("BEGIN")
        session.rows(statement)
        yield
        session.rows("ROLLBACK")


def migration(statement: str) -> Callable[[World, pytest.MonkeyPatch], Any]:
    return lambda world, _patch: locked(world, statement)


FAULTS = (
    Fault("the store is busy twice", None, store_does(("PUT", s3_proxy.data, "error", 2)), slow=True),
    Fault("a connection is reset in a part", None, store_does(("PUT", s3_proxy.part, "reset", 1))),
    Fault("the answer to a part is lost", None, store_does(("PUT", s3_proxy.part, "lost", 1)), slow=True),
    Fault("the answer to the beginning of an upload is lost", None, store_does(("POST", s3_proxy.begin, "lost", 1)), slow=True),
    Fault("the answer to the end of an upload is lost", None, store_does(("POST", s3_proxy.completion, "lost", 1))),
    Fault("the answer to the manifest is lost", None, store_does(("PUT", s3_proxy.manifest, "lost", 1))),
    Fault("200 with an error body once", None, store_does(("POST", s3_proxy.completion, "error", 1), status=200, code="InternalError")),
    Fault("a file system without holes", None, no_holes, slow=True),
    Fault("a migration, a new table and one that goes meanwhile", None, once_dumping(change_tables)),
    Fault("the store stays busy", "SlowDown", store_does(("PUT", s3_proxy.part, "error", None)), slow=True),
    Fault(
        "200 with an error body, always", "InternalError", store_does(("POST", s3_proxy.completion, "error", None), status=200, code="InternalError"), slow=True
    ),
    Fault("the credentials expire", "renew them", store_does(("PUT", s3_proxy.part, "error", None), status=400, code="ExpiredToken")),
    Fault("the bucket goes away", "Create the bucket", store_does(("PUT", s3_proxy.data, "error", None), status=404, code="NoSuchBucket"), slow=True),
    Fault("the manifest is refused", "AccessDenied", store_does(("PUT", s3_proxy.manifest, "error", None), status=403, code="AccessDenied")),
    Fault("the store does not answer", "Nothing moved for", store_does(("PUT", s3_proxy.part, "slow", None), seconds=30.0), slow=True),
    Fault("1 KiB/s", "Nothing moved for", store_does(("PUT", s3_proxy.part, "trickle", None)), slow=True),
    Fault("the clock of this host is wrong", "Correct the clock of this host", an_hour_ahead, begun=False, held=True),
    Fault("the store knows no conditions", "ignores If-None-Match", ignores_conditions, begun=False),
    Fault("the server restarts", "terminat|closed|shut|reset", once_dumping(restart_server)),
    Fault("pg_dump is killed", "exit code -9", once_dumping(kill_dump)),
    Fault("pg_dump's server processes are ended", "terminating connection|server closed", once_dumping(end_backends), slow=True),
    Fault("the session with the snapshot is ended", "terminat|closed|snapshot", end_truth),
    Fault("a migration that does not end", "lock timeout", migration("LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE")),
    Fault("another host has the lease", "Another run holds", lease_elsewhere, held=True, slow=True, begun=False),
    Fault("the lease was lost before the manifest", "it is given up", lease_lost, held=True, slow=True),
    Fault("the lease was lost after the manifest", "it is given up", lease_lost_after, held=True),
    Fault("no holes and little room", "gives no space back", no_holes_and_little_room, more=(("staging_mib", 4),)),
)


def check(world: World, fault: Fault) -> None:
    before = world.backups()
    with pytest.MonkeyPatch.context() as patch:
        held = fault.inject(world, patch)
        try:
            with held if held is not None else nullcontext():
                if fault.said is None:
                    world.back_up(**dict(fault.more))
                else:
                    with pytest.raises(OpsError, match=fault.said) as caught:
                        world.back_up(**dict(fault.more))
                    assert "Traceback" not in caught.value.message
        finally:
            world.proxy.rules = []
    made = [backup_id for backup_id in world.backups() if backup_id not in before]
    if fault.said is None:
        assert world.restore(made[0])["verdict"] == "equal"
        assert not world.left()
        return
    assert not made, "a run that failed made a backup"
    if fault.begun:
        assert re.search(fault.said, world.reasons()), "the reason is not on record"
    if fault.held:
        foreign_lease(world, released=True)  # whoever it is has ended
    newer = world.back_up()["backup_id"]
    assert not world.left()
    assert world.backups() == [*before, newer]


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.slow else []) for one in FAULTS])
def test_fault(world: World, fault: Fault) -> None:
    with outcome(fault.name):
        check(world, fault)


Damage = Callable[[bytes], bytes]
DAMAGE: dict[str, Damage] = {
    "flipped": lambda content: content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 4]) + content[len(content) // 2 + 1 :],
    "cut": lambda content: content[: len(content) // 2],
    "reversed": lambda content: bytes(reversed(content)),
}


@pytest.mark.parametrize("kind", ["flipped", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("cut", "reversed"))])
def test_damage_is_named_before_anything_is_restored(world: World, kind: str) -> None:
    with outcome(f"an object is {kind}"):
        s3 = backup_servers.client(world.params)
        for key in world.keys(world.older):
            whole = s3.get_object(Bucket="backups", Key=key)["Body"].read()
            s3.put_object(Bucket="backups", Key=key, Body=DAMAGE[kind](whole))
            try:
                with pytest.raises(OpsError, match=r"damaged|tampered|has \d+ bytes|cannot be restored"):
                    world.restore(world.older)
            finally:
                s3.put_object(Bucket="backups", Key=key, Body=whole)
            assert not world.sql("SELECT 1 FROM pg_database WHERE datname = 'restored'")
        assert world.restore(world.older)["verdict"] == "equal"


def test_what_arrives_cut_is_not_restored(world: World) -> None:
    with outcome("an answer cut short"):
        for act in ("cut", "flip"):
            world.proxy.rules = [Rule("GET", s3_proxy.data, act)]
            try:
                with pytest.raises(OpsError):
                    world.restore(world.older)
            finally:
                world.proxy.rules = []
        assert world.restore(world.older)["verdict"] == "equal"


def kill_at_random(world: World, seed: int) -> None:
    """The whole run ends by SIGKILL at some moment; the next one cleans up."""
    before = world.backups()
    program = "import json, sys; from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings\n"
    program += "operation = settings.backup(json.load(sys.stdin)); planned = operation.plan(); print('go', flush=True); operation.apply(planned)"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(world.params))
    process.stdin.close()
    assert process.stdout.readline() == "go\n"
    time.sleep(random.Random(seed).uniform(0.1, 2.5))
    process.kill()
    process.wait()
    process.stdout.close()
    made = [one for one in world.backups() if one not in before]
    for backup_id in made:  # it was killed after its manifest
        assert world.restore(backup_id)["verdict"] == "equal"
    deadline = time.monotonic() + 15
    while world.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") and time.monotonic() < deadline:
        time.sleep(0.1)
    newer = world.back_up()["backup_id"]
    assert world.backups() == [*before, *made, newer]
    assert not world.left()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 16))])
def test_a_kill_at_any_moment_leaves_nothing_behind(world: World, seed: int) -> None:
    with outcome(f"kill {seed}"):
        kill_at_random(world, seed)


def test_the_controls_are_red_and_the_figure_is_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the comparison with the manifest a changed object reaches the database; without the lease a run that lost it makes a backup."""
    started = time.monotonic()
    before = world.backups()
    with monkeypatch.context() as patch:
        patch.setattr(lease.Lease, "require", lambda _self: lease_elsewhere(world, patch))
        world.back_up()
    foreign_lease(world, released=True)
    silent = len(world.backups()) - len(before)
    with monkeypatch.context() as patch:
        patch.setattr(policy, "check_object", lambda *_arguments: None)
        s3 = backup_servers.client(world.params)
        [key] = [key for key in world.keys(world.older) if key.endswith(policy.GLOBALS)]
        whole = s3.get_object(Bucket="backups", Key=key)["Body"].read()
        s3.put_object(Bucket="backups", Key=key, Body=whole.replace(b"CREATE ROLE", b"CREATE R0LE"))
        silent += world.restore(world.older)["verdict"] == "equal"
        s3.put_object(Bucket="backups", Key=key, Body=whole)
    assert silent == 2
    assert world.restore(world.older)["verdict"] == "equal", "after all of it the first backup is what it was"
    broken = [name for name, held in OUTCOMES.items() if not held]
    control = {"what": "without the manifest's hashes and without the lease, faults that pass unseen", "value": silent, "red": silent > 0}
    figures.record(
        "backup.faults", len(broken), of=len(OUTCOMES), unit="faults", target="== 0", seconds=time.monotonic() - started, command="make faults", control=control
    )
    assert not broken
