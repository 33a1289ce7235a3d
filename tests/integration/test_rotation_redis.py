# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis credential is rotated under load: nobody is refused, nothing is shown, and the old one is gone, also after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.acl import AclUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from tests.integration.rotation_world import ADMIN_PASSWORD, RULES, CachePlace, Consumers, found_in, process_list, redis_server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CachePlace]:
    with redis_server(tmp_path_factory.mktemp("cache") / "redis") as place:
        made = place.play("main")
        assert made.rc == 0, made.output
        assert made.changed
        yield place


def test_nobody_is_refused_and_nothing_is_shown(place: CachePlace) -> None:
    old = place.secret.current
    with Consumers(place).running() as consumers, process_list() as commands:
        foretold = place.begin("--check")
        assert foretold.rc == 0, foretold.output
        assert foretold.changed
        assert place.secret.current == old
        first = place.begin()
        assert first.rc == 0, first.output
        assert place.accepts(old)
        assert place.finish(acknowledged=[]).rc != 0, "it went on before its consumer had moved"
        consumers.switch(place.secret.current)
        last = place.finish(grace=1, quiet=1, observe=1)
        assert last.rc == 0, last.output
    assert consumers.refused == []
    assert consumers.accepted >= 100
    assert not place.accepts(old), "the old credential still logs in"
    again = place.play("main verify")
    assert (again.rc, again.changed) == (0, False), again.output
    control = refused_by_changing_the_live_user(place)
    assert control > 0, "the harness does not see refused logins"
    files = "".join(path.read_text() for path in place.folder.rglob("*") if path.is_file() and path.suffix in (".yml", ".jsonl", ".acl", ".log"))
    places = {"files": files, "process list": "".join(commands), "ansible -vvv": "".join(place.outputs)}
    values = [old.part("password"), place.secret.current.part("password")]
    assert {where: found for where, text in places.items() for value in values if (found := found_in(text, value))} == {}
    assert not found_in(places["ansible -vvv"], ADMIN_PASSWORD)


def refused_by_changing_the_live_user(place: CachePlace) -> int:
    """The control: one user, whose password is replaced before its consumers know the next one."""

    def set_password(password: str) -> None:
        with place.cache.open() as client:
            client.execute_command("ACL", "SETUSER", "single", "on", "resetpass", f">{password}", "~*", "+@all")

    def uses(password: str) -> None:
        consumers.switch(policy.version({"username": "single", "password": password}, "v", 0.0, "s"))

    set_password("before")
    with Consumers(place).running() as consumers:
        uses("before")
        time.sleep(0.5)
        consumers.refused.clear()
        set_password("after")
        time.sleep(0.5)
        uses("after")
    with place.cache.open() as client:
        client.execute_command("ACL", "DELUSER", "single")
    return len(consumers.refused)


@pytest.mark.slow
def test_an_open_session_of_the_old_one_holds_and_compromised_ends_it(place: CachePlace) -> None:
    old = place.secret.current
    with closing(place.connect(old)) as session:
        session.ping()
        assert place.begin().rc == 0
        held = place.finish(timeout=2)
        assert held.rc != 0
        assert "1 sessions of the old credential are open" in held.output
        assert session.ping()
        assert place.finish(compromised=True).rc == 0
        with pytest.raises(redis.RedisError):
            session.connection.retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
            session.ping()
    assert not place.accepts(old)
    assert place.accepts(place.secret.current)


@pytest.mark.slow
def test_rights_that_differ_send_the_rotation_back(place: CachePlace) -> None:
    old = place.secret.current
    with place.cache.open() as client:
        client.execute_command("ACL", "SETUSER", old.part("username"), "+flushall")
    refused = place.begin()
    assert refused.rc != 0
    assert "do not have the same rights: -flushall. Give both the same rules" in refused.output
    assert place.secret.current == old
    assert place.play("main").changed
    assert not place.play("main").changed


@pytest.mark.slow
def test_remove_takes_the_passwords_away(place: CachePlace) -> None:
    current = place.secret.current
    assert place.play("remove", names=[place.name]).rc == 0
    assert not place.accepts(current)
    assert not place.play("remove", names=[place.name]).changed


def test_rules_are_compared_by_what_they_come_to(place: CachePlace) -> None:
    def changed(rules: str) -> bool:
        user = AclUser(place.cache, "reader", "present", None, rules)
        before = user.read()
        planned = plan(before, user.desired(before))
        if planned.changed:
            user.apply(planned)
        return planned.changed

    assert changed("~shop:* +@read")
    assert not changed("~shop:* -@all +@read")
    assert not changed("+@read resetchannels ~shop:*")
    assert changed("~shop:* +@read -get")
    assert changed(RULES)
    assert not changed("~shop:* allchannels allcommands -@dangerous")


def test_users_outlive_the_server(place: CachePlace) -> None:
    user = AclUser(place.cache, "kept", "enabled", "a password", "~* +@read")
    user.apply(plan(None, user.desired(None)))
    assert "user kept on" in (place.folder / "users.acl").read_text()
    with place.cache.open() as client:
        client.execute_command("ACL", "LOAD")
    assert not plan(user.read(), user.desired(user.read())).changed


@pytest.mark.parametrize(
    ("name", "rules", "said"),
    [("default", None, "lock itself out"), ("x", "on ~*", "so on cannot"), ("x", ">secret", "so >… cannot"), ("x", "keys:*", "keys:\\* is no rule")],
)
def test_what_cannot_be_meant_is_refused_before_anything(tmp_path: Path, place: CachePlace, name: str, rules: str | None, said: str) -> None:
    with pytest.raises(OpsError, match=said):
        AclUser(place.cache, name, "present", None, rules)
