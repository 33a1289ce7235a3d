# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database credential is rotated under load: nobody is refused, nothing is shown, and the old one is gone."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import State
from localcloud.shell import wait_until
from tests import figures
from tests.integration import backup_servers
from tests.integration.rotation_world import ADMIN_PASSWORD, NAME, ROOT, Consumers, DirectLogins, Place, found_in, process_list
from tests.integration.written import Written
from tests.unit.plugins.module_utils._rotation.worlds import Killed, Saw

LOGINS = 200


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with backup_servers.folder() as folder, backup_servers.postgres(folder) as server:
        [log] = folder.glob("pg-*/log")
        (folder / "written").mkdir()
        place = Place(folder, server, log, environment=Written(folder / "written").environment())
        options = {"host": "127.0.0.1", "port": server["login_port"], "user": server["login_user"], "password": server["login_password"], "dbname": "postgres"}
        with closing(psycopg2.connect(**options)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
            cursor.execute("SELECT pg_reload_conf()")
            wait_until("the server to log statements", lambda: shown(cursor, "log_statement") == "all", seconds=10, pause=0.05)
            cursor.execute("CREATE ROLE doadmin LOGIN CREATEDB CREATEROLE PASSWORD %s", (ADMIN_PASSWORD,))
            cursor.execute("CREATE DATABASE shop OWNER doadmin")
        made = place.play("main")
        assert made.rc == 0, made.output
        assert made.changed
        with closing(place.connect(place.secret.current)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE orders (id serial PRIMARY KEY, item text, login text DEFAULT session_user)")
        yield place


def shown(cursor: Any, setting: str) -> Any:
    cursor.execute(f"SHOW {setting}")
    return cursor.fetchone()[0]


def test_a_second_run_a_look_and_a_removal_of_nothing_change_nothing(place: Place) -> None:
    """The role groundcrew.ops.secret: verify logs in, audit lists, remove takes only what is named."""
    before = place.secret
    again = place.play("main verify audit remove")
    assert (again.rc, again.changed) == (0, False), again.output
    assert "next_due" in again.output
    assert place.secret == before
    assert place.accepts(before.current)


@pytest.mark.parametrize("rotations", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nobody_is_refused_in_a_rotation_and_nothing_is_shown(place: Place, rotations: int) -> None:
    values, begun = [place.secret.current.part("password")], time.monotonic()
    with Consumers(place).running() as consumers, process_list() as commands:
        for rotation in range(rotations):
            old = place.secret.current
            if rotation == 0:
                foretold = place.begin("--check")
                assert foretold.rc == 0, foretold.output
                assert foretold.changed
                assert place.secret.current == old
            first = place.begin()
            assert first.rc == 0, first.output
            assert place.accepts(old)
            if rotations > 1:
                assert not place.begin().changed, "a second rotation began before consumers had moved"
            if rotation == 0:
                assert place.finish(acknowledged=[]).rc != 0, "it went on before its consumer had moved"
                assert place.accepts(old)
            consumers.switch(place.secret.current)
            last = place.finish(grace=1, quiet=1, observe=1)
            assert last.rc == 0, last.output
            assert not place.accepts(old), "the old credential still logs in"
            values.append(place.secret.current.part("password"))
    if rotations > 1:
        assert not place.finish().changed
    control = refused_by_changing_the_live_role(place)
    figures.record(
        "rotation.logins_refused",
        len(consumers.refused),
        unit="logins",
        of=consumers.accepted + len(consumers.refused),
        target="== 0",
        command="make integration",
        control={"what": "ALTER ROLE … PASSWORD on the live role, consumers follow 0.5 s later", "value": control, "red": control > 0},
        seconds=time.monotonic() - begun,
    )
    assert consumers.refused == []
    assert consumers.accepted >= LOGINS
    assert control > 0, "the harness does not see refused logins"

    journal = (place.folder / "secrets" / "rotations" / "shop" / "database.jsonl").read_text()
    stored = "".join(path.read_text() for path in (place.folder / "secrets").rglob("*.yml"))
    places = {"server log": place.log.read_text(), "journal": journal, "store": stored, "process list": "".join(commands)}
    places["ansible -vvv"] = "".join(place.outputs)
    places |= {f"written: {path}": content for path, content in Written(place.folder / "written").files()}
    leaks = {where: found for where, text in places.items() for value in values if (found := found_in(text, value))}
    assert not found_in(places["ansible -vvv"], ADMIN_PASSWORD)
    planted = found_in(place.log.read_text(), ADMIN_PASSWORD)
    figures.record(
        "rotation.leaks",
        len(leaks),
        unit="places",
        of=len(places),
        target="== 0",
        seconds=time.monotonic() - begun,
        command="make integration",
        control={"what": "a role made with its password in clear text is found in the server's log", "value": len(planted), "red": bool(planted)},
    )
    assert leaks == {}
    assert "SCRAM-SHA-256$" in places["server log"], "the log did not record the statements"
    assert "ansible-playbook" in places["process list"]
    assert [path for path in places if path.endswith("database.jsonl")], "the files written were not seen"
    assert planted


def refused_by_changing_the_live_role(place: Place) -> int:
    """The control: what a rotation with a single user does to its consumers."""
    with place.superuser.open() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE single LOGIN IN ROLE shop PASSWORD 'before'")
        cursor.execute("ALTER ROLE single SET role = 'shop'")
    salt: dict[str, Any] = {"salt": "s", "version_id": "v", "now": 0.0}
    with Consumers(place).running() as consumers:
        consumers.switch(policy.version({"username": "single", "password": "before"}, **salt))
        time.sleep(0.5)
        with place.superuser.open() as connection, connection.cursor() as cursor:
            cursor.execute("ALTER ROLE single PASSWORD 'after'")
        time.sleep(0.5)
        consumers.switch(policy.version({"username": "single", "password": "after"}, **salt))
        time.sleep(0.5)
    with place.superuser.open() as connection, connection.cursor() as cursor:
        cursor.execute("DROP ROLE single")
    return len(consumers.refused)


def test_a_search_finds_every_encoding() -> None:
    value = 'k"y/with+signs=&'
    for text in (value, "a5a" + value.encode().hex(), '"k\\"y/with+signs=&"', "x=k%22y%2Fwith%2Bsigns%3D%26&"):
        assert found_in(text, value)
    options = json.dumps({"password": value})
    assert "json in json" in found_in(json.dumps({"args": options}), value)
    assert "json in a program" in found_in(f"ARGS = {options!r}", value)
    for prefix in ("", "a", "ab"):
        assert "base64" in found_in(base64.b64encode(f"{prefix}{value} and more".encode()).decode(), value)


def test_both_users_own_nothing_and_do_the_same(place: Place) -> None:
    with closing(place.connect(place.secret.current)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT session_user, current_user, (SELECT tableowner FROM pg_tables WHERE tablename = 'orders')")
        assert cursor.fetchone() == (place.secret.current.part("username"), "shop", "shop")
        cursor.execute("ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text")


def test_rights_that_differ_send_the_rotation_back(place: Place) -> None:
    old = place.secret.current
    grant = sql.SQL("GRANT SELECT ON orders TO {}").format(sql.Identifier(old.part("username")))
    revoke = sql.SQL("REVOKE SELECT ON orders FROM {}").format(sql.Identifier(old.part("username")))
    with closing(place.connect(old)) as connection, connection.cursor() as cursor:
        cursor.execute(grant)
        with pytest.raises(OpsError, match=r"do not have the same rights.* went back; the current credential is untouched"):
            machine(place).begin(["shop"])
        cursor.execute(revoke)
    assert place.secret.current == old
    assert place.secret.pending is None
    assert place.accepts(old)


def test_an_open_session_of_the_old_one_holds_and_compromised_ends_it(place: Place) -> None:
    old = place.secret.current
    with closing(place.connect(old)) as session, session.cursor() as cursor:
        machine(place).begin(["shop"])
        acknowledged = [("shop", place.secret.current.fingerprint)]
        with pytest.raises(OpsError, match="1 sessions of the old credential are open"):
            machine(place, timeout=0).go_on("finish", acknowledged)
        cursor.execute("SELECT 1")
        assert place.accepts(old)
        machine(place, compromised=True).go_on("finish", acknowledged)
        with pytest.raises(psycopg2.Error):
            cursor.execute("SELECT 1")
    assert not place.accepts(old)
    assert place.accepts(place.secret.current)


@pytest.mark.parametrize("state", [State.SET, pytest.param(State.PUBLISHED, marks=pytest.mark.slow)])
def test_a_play_that_was_killed_is_continued(place: Place, state: State) -> None:
    old = place.secret.current
    before = len(place.records.entries(NAME))
    with (place.folder / "killed.log").open("w") as log:
        process = subprocess.Popen(
            place.command("rotate", phase="begin", force=True, consumers=["shop"]), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + 60
    while not [entry for entry in place.records.entries(NAME)[before:] if entry.get("state") == state.value]:
        assert process.poll() is None, (place.folder / "killed.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    wait_until("the rest of the killed play to be gone", lambda: not held(place), seconds=10, pause=0.05)
    assert place.accepts(place.secret.current)
    assert place.accepts(old)
    rotate(place, Saw())
    assert place.accepts(place.secret.current)
    assert not place.accepts(old)


def held(place: Place) -> bool:
    """Whether a process is at work on the rotation: of a play the one that does a task, not the one that was waited for."""
    try:
        with place.records.hold(NAME):
            return False
    except OpsError:
        return True


def machine(place: Place, saw: Saw | None = None, **patience: Any) -> Machine:
    """A run without Ansible around it."""
    saw = saw or Saw()
    logins = saw.wrap("database", DirectLogins(place), ("ensure", "look"))
    store = saw.wrap("store", place.store, ("stage", "promote", "drop_pending"))
    records = saw.wrap("records", place.records, ("write",))
    return Machine(NAME, store, records, DualUser(logins, "shop"), Patience(**{"grace": 0, "quiet": 0, "observe": 0, "timeout": 5, **patience}))


def rotate(place: Place, saw: Saw) -> None:
    run = machine(place, saw)
    run.begin(["shop"])
    run.go_on("finish", [("shop", place.secret.current.fingerprint)])


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_every_point_leaves_no_orphan(place: Place, step: int) -> None:
    """Every ninth point on a real server; the unit tests walk all of them, and so does the slow form."""
    begun, whole = time.monotonic(), Saw()
    rotate(place, whole)
    points = len(whole.points)
    broken = {whole.points[at - 1]: wrong for at in range(1, points + 1, step) if (wrong := wrong_after_a_kill(place, at))}
    red = [wrong_without_a_journal(place, whole.points.index(name) + 1) for name in ("after store.stage", "after store.promote")]
    if step == 1:
        figures.record(
            "rotation.kill_points",
            points - len(broken),
            unit="points survived",
            of=points,
            target=f"== {points}",
            control={"what": "points not survived of 2 where the journal is lost with the run", "value": sum(map(bool, red)), "red": all(red)},
            seconds=time.monotonic() - begun,
            command="make test-full",
        )
    assert broken == {}
    assert all(red), "the harness does not see what a kill leaves behind"


def wrong_after_a_kill(place: Place, at: int) -> list[str]:
    """What is not as it has to be when a rotation is killed at a point, and continued."""
    old = place.secret.current
    with pytest.raises(Killed):
        rotate(place, Saw(at))
    rotation = place.records.rotation(NAME)
    wrong = [] if place.accepts(place.secret.current) else ["what is current is refused after the kill"]
    if (rotation is None or rotation.state.order < State.GRACE.order) and not place.accepts(old):
        wrong.append("the old one is refused before its consumers have moved")
    try:
        if rotation is None or rotation.live:
            rotate(place, Saw())
    except OpsError as error:
        wrong.append(error.message)
    if not place.accepts(place.secret.current):
        wrong.append("what is current is refused")
    if able_to_log_in(place) != [place.secret.current.part("username")]:
        wrong.append(f"these can log in: {able_to_log_in(place)}")
    if place.secret.pending is not None:
        wrong.append("a version is pending")
    return wrong


def wrong_without_a_journal(place: Place, at: int) -> list[str]:
    """The control: the run that follows knows nothing of the one that was killed. Afterwards all is well again."""
    journal = place.folder / "secrets" / "rotations" / f"{NAME}.jsonl"
    before, old, wrong = journal.read_bytes(), place.secret.current, []
    with pytest.raises(Killed):
        rotate(place, Saw(at))
    journal.write_bytes(before)
    try:
        machine(place).begin(["shop"])
    except OpsError as error:
        wrong.append(error.message)
    if not place.accepts(old):
        wrong.append("the old one is refused before its consumers have moved")
    if place.secret.pending is not None:
        place.store.drop_pending(NAME, place.secret.pending.id)
    rotate(place, Saw())
    return wrong


def able_to_log_in(place: Place) -> list[str]:
    """Which of the two users could log in with any password, as only a superuser may see."""
    with place.superuser.open() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_authid WHERE rolname IN ('shop_a', 'shop_b') AND (rolcanlogin OR rolpassword IS NOT NULL)")
        return [row[0] for row in cursor.fetchall()]


def test_verify_and_audit_tell_what_is_wrong(place: Place) -> None:
    """The role groundcrew.ops.secret: verify logs in, audit fails when one is late."""
    late = place.play("audit", max_age_days=0)
    assert late.rc != 0
    assert "secret.age" in late.output
    assert "the limit is 0" in late.output
    current = place.secret.current
    DirectLogins(place).ensure(current.part("username"), current.part("password"), "disabled")
    assert place.play("verify").rc != 0
    mended = place.play("main verify")
    assert (mended.rc, mended.changed) == (0, True), mended.output


def test_remove_takes_the_passwords_away(place: Place) -> None:
    current = place.secret.current
    assert place.play("remove", names=[NAME]).rc == 0
    assert not place.accepts(current)
    assert place.store.get(NAME) is None
