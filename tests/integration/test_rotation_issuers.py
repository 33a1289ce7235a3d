# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that their issuer makes, at issuers that answer: IAM (moto), Spaces and the users of a database cluster (the stand-in's API)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ReadTimeoutError

from ansible_collections.groundcrew.ops.plugins.action.secret import ActionModule
from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account, client
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_credential import DualCredential
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.iam import IamKeys
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.managed_user import ClusterUsers, ManagedUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.spaces import SpacesKeys
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from tests.integration.do_inprocess import Account as DigitalOcean
from tests.integration.key_issuers import Space, iam
from tests.integration.rotation_world import Place, found_in
from tests.integration.test_do_database_modules import ORDER
from tests.unit.plugins.module_utils._rotation.worlds import Base64Cipher, Database, Killed, Saw

NAME = "shop/key"
CALLS = ("listed", "create", "accepted", "used", "block", "delete", "names", "ensure", "look")
PAIR = ("shop_a", "shop_b")


class World:
    """Something that is issued, and the store beside it. ``provider`` makes the one of a run, each of whose calls passes a saw."""

    def __init__(self, folder: Path, kind: str, first: dict[str, str], provider: Callable[[Saw], Provider]) -> None:
        self.store = FileStore(folder, Base64Cipher())
        self.records = FileRecords(folder)
        self._provider = provider
        recipe = policy.recipe(kind, 192, policy.ALPHABET, PAIR if kind == "managed_user" else ())
        self.store.create(Secret(NAME, recipe, policy.version(first, "first", 1.0, "salt")))

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def machine(self, saw: Saw | None = None) -> Machine:
        return Machine(NAME, self.store, self.records, self._provider(saw or Saw()), Patience(grace=0, quiet=0, observe=0))

    def begin(self, saw: Saw | None = None) -> None:
        self.machine(saw).begin(["web"])

    def rotate(self, saw: Saw | None = None) -> None:
        machine = self.machine(saw)
        machine.begin(["web"])
        machine.go_on("finish", [("web", self.secret.current.fingerprint)])

    def live(self) -> bool:
        rotation = self.records.rotation(NAME)
        return rotation is None or rotation.live


def killed_everywhere(world: World, issued: Callable[[], list[str]], accepts: Callable[[Version], bool], step: int) -> int:
    """Kill a rotation at every step-th call of its issuer; whoever continues it leaves one credential, which works. Returns the points."""
    whole = Saw()
    world.rotate(whole)
    walked = range(1, len(whole.points) + 1, step)
    for at in walked:
        with pytest.raises(Killed):
            world.rotate(Saw(at))
        assert accepts(world.secret.current), whole.points[at - 1]
        assert len(issued()) <= 2
        if world.live():
            world.rotate()
        assert accepts(world.secret.current), whole.points[at - 1]
        assert issued() == [next(iter(world.secret.current.parts.values()))], whole.points[at - 1]
        assert world.secret.pending is None
    return len(walked)


STEPS = [7, pytest.param(1, marks=pytest.mark.slow)]


# IAM


@pytest.fixture(scope="module")
def aws() -> Iterator[Account]:
    with iam() as account:
        yield account


class IamWorld(World):
    def __init__(self, folder: Path, account: Account, user: str) -> None:
        self.account, self.user = account, user
        self.iam = client("iam", account)
        self.iam.create_user(UserName=user)
        self.keys = IamKeys(account, user)
        super().__init__(folder, "access_key", self.keys.create("", ""), lambda saw: DualCredential(saw.wrap("issuer", self.keys, CALLS)))

    def issued(self) -> dict[str, str]:
        return {key["AccessKeyId"]: key["Status"] for key in self.iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]}

    def accepts(self, version: Version) -> bool:
        return self.keys.accepted(version.parts)


@pytest.fixture
def iam_world(aws: Account, tmp_path: Path) -> IamWorld:
    return IamWorld(tmp_path, aws, f"user-of-{tmp_path.name}"[:64])


def test_an_iam_key_is_made_used_blocked_and_deleted(iam_world: IamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    old = iam_world.secret.current
    assert not iam_world.keys.accepted({**old.parts, "secret_key": "wrong"}), "everybody is let in: there is nothing to be seen here"
    iam_world.begin()
    assert iam_world.issued() == dict.fromkeys([old.part("access_key"), iam_world.secret.current.part("access_key")], "Active")
    assert iam_world.accepts(old)
    acknowledged = [("web", iam_world.secret.current.fingerprint)]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(iam_world.keys, "delete", killed)
        iam_world.machine().go_on("finish", acknowledged)
    assert iam_world.issued()[old.part("access_key")] == "Inactive"
    assert not iam_world.accepts(old)
    iam_world.machine().back()
    assert iam_world.accepts(old)
    iam_world.machine().go_on("finish", acknowledged)
    assert iam_world.issued() == {iam_world.secret.current.part("access_key"): "Active"}
    assert not iam_world.accepts(old)
    assert old.part("secret_key") not in str(iam_world.records.entries(NAME))


def killed(*_arguments: Any) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fields": {"access_key": "AKIA1"}}, "has access_key and secret_key: correct fields"),
        ({"value": "AKIA1"}, "leave value out"),
        ({}, "made by its issuer: give its value, once"),
    ],
)
def test_a_first_key_has_to_be_given_whole(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    (tmp_path / "key").write_text("vault\n")
    store = {"store_path": str(tmp_path), "vault_password_file": str(tmp_path / "key")}
    task = Mock(args={"name": NAME, "kind": "access_key", **store, **arguments}, async_val=0, check_mode=False)
    result = ActionModule(task, *[Mock()] * 5).run(task_vars={})
    assert said in result["msg"]


def test_the_answer_of_create_access_key_gets_lost(iam_world: IamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made, and whoever asked hears nothing: AWS allows two, so a third request would be refused."""
    make, made = iam_world.keys._once.create_access_key, []

    def lost(**arguments: Any) -> Any:
        made.append(make(**arguments)["AccessKey"]["AccessKeyId"])
        if len(made) == 1:
            raise ReadTimeoutError(endpoint_url="x")
        return {"AccessKey": {"AccessKeyId": made[-1], "SecretAccessKey": "never told"}}

    monkeypatch.setattr(iam_world.keys._once, "create_access_key", lost)
    monkeypatch.setattr(Clock, "sleep", killed)  # it is listed at once, so nothing is waited for
    with pytest.raises(Killed):  # the second one's secret is not right, which takes time to be sure of
        iam_world.begin()
    assert set(iam_world.issued()) == {iam_world.secret.current.part("access_key"), made[1]}
    iam_world.machine().back()
    assert list(iam_world.issued()) == [iam_world.secret.current.part("access_key")]


def test_the_third_key_is_refused_before_it_is_asked_for(iam_world: IamWorld) -> None:
    by_hand = iam_world.iam.create_access_key(UserName=iam_world.user)["AccessKey"]["AccessKeyId"]
    with pytest.raises(OpsError, match=f"another key that no rotation made, {by_hand}.* went back"):
        iam_world.begin()
    with pytest.raises(OpsError, match="AccessKeysPerUser"):
        iam_world.keys.create("", "")
    assert by_hand in iam_world.issued()


@pytest.mark.parametrize("step", STEPS)
def test_an_iam_key_survives_a_kill_at_every_call(iam_world: IamWorld, step: int) -> None:
    killed_everywhere(iam_world, lambda: list(iam_world.issued()), iam_world.accepts, step)


def test_an_iam_that_is_down_is_named() -> None:
    keys = IamKeys(Account("http://127.0.0.1:9", "us-east-1", "testing", "testing"), "uploads")
    with pytest.raises(OpsError, match=r"Could not make an access key of the IAM user uploads: .*127\.0\.0\.1:9"):
        keys.create("", "")


class KeyPlace(Place):
    """The role, with a key that somebody made by hand. keys: who asks, in the environment of nobody else."""

    def __init__(self, folder: Path, world: IamWorld) -> None:
        super().__init__(folder, {}, folder / "none", name="shop/uploads")
        self.world = world
        self.first = dict(world.secret.current.parts)

    def given(self) -> dict[str, Any]:
        account = {name: getattr(self.world.account, name) for name in ("endpoint_url", "region", "access_key", "secret_key")}
        item = {"name": self.name, "kind": "access_key", "issuer": "iam", "holder": self.world.user}
        return {"items": [item], "supplied": {self.name: self.first}, "account": account}


@pytest.mark.slow
def test_the_role_rotates_an_iam_key_and_shows_nothing(iam_world: IamWorld, tmp_path: Path) -> None:
    (tmp_path / "role").mkdir()
    place = KeyPlace(tmp_path / "role", iam_world)
    assert place.play("main").changed
    again = place.play("main")
    assert (again.rc, again.changed) == (0, False), again.output
    old = place.secret.current
    foretold = place.begin("--check")
    assert foretold.changed
    assert list(iam_world.issued()) == [old.part("access_key")]
    begun = place.begin()
    assert begun.rc == 0, begun.output
    assert iam_world.accepts(old)
    assert iam_world.accepts(place.secret.current)
    assert place.finish(acknowledged=[]).rc != 0, "it went on before its consumer had moved"
    ended = place.finish()
    assert ended.rc == 0, ended.output
    assert list(iam_world.issued()) == [place.secret.current.part("access_key")]
    told = "".join(place.outputs) + str(place.records.entries(place.name))
    values = [old.part("secret_key"), place.secret.current.part("secret_key"), str(iam_world.account.secret_key)]
    assert not [found for value in values if (found := found_in(told, value))]
    assert old.part("access_key") in told, "the search sees what is there"


# Spaces


class SpacesWorld(World):
    def __init__(self, folder: Path, cloud: DigitalOcean, space: Space) -> None:
        self.cloud = cloud
        self.api = connect({"api_token": cloud.env["DIGITALOCEAN_TOKEN"], "api_url": cloud.env["DIGITALOCEAN_API_URL"]})
        self.keys = SpacesKeys(self.api, "uploads", Account(space.url), "shop-uploads")
        post = self.api.post

        def told(where: str, body: Any = None) -> dict[str, Any]:
            answer = post(where, body)
            space.secrets[answer["key"]["access_key"]] = answer["key"]["secret_key"]
            return answer

        self.api.post = told  # type: ignore[method-assign]
        grants = [{"bucket": "shop-uploads", "permission": "readwrite"}]
        first = self.api.post("/v2/spaces/keys", {"name": "uploads", "grants": grants})["key"]
        self.api.post("/v2/spaces/keys", {"name": "uploads-of-others", "grants": []})
        value = {name: first[name] for name in ("access_key", "secret_key")}
        super().__init__(folder, "access_key", value, lambda saw: DualCredential(saw.wrap("issuer", self.keys, CALLS)))

    def accepts(self, version: Version) -> bool:
        return self.keys.accepted(version.parts)


@pytest.fixture
def spaces_world(account: DigitalOcean, tmp_path: Path) -> Iterator[SpacesWorld]:
    space = Space(lambda key: account.world.store.get("spaces_key", key) is not None)
    yield SpacesWorld(tmp_path, account, space)
    space.close()


def test_a_spaces_key_is_made_with_the_rights_of_the_old_one(spaces_world: SpacesWorld) -> None:
    old = spaces_world.secret.current
    assert not spaces_world.keys.accepted({**old.parts, "secret_key": "wrong"})
    spaces_world.begin()
    listed = {key["name"]: key for key in spaces_world.api.list("/v2/spaces/keys", "keys")}
    version = spaces_world.secret.current.id
    assert set(listed) == {"uploads", "uploads-of-others", f"uploads-{version[:8]}"}
    assert listed[f"uploads-{version[:8]}"]["grants"] == listed["uploads"]["grants"]
    assert spaces_world.accepts(old)
    spaces_world.machine().go_on("finish", [("web", spaces_world.secret.current.fingerprint)])
    assert not spaces_world.accepts(old)
    spaces_world.rotate()
    assert len(spaces_world.keys.listed()) == 1
    assert "uploads-of-others" in [key["name"] for key in spaces_world.api.list("/v2/spaces/keys", "keys")]


def test_the_answer_of_a_new_spaces_key_gets_lost(spaces_world: SpacesWorld) -> None:
    spaces_world.cloud.control("POST", "faults", {"method": "POST", "path": "/v2/spaces/keys", "drop": True})
    spaces_world.rotate()
    assert spaces_world.keys.listed() == [spaces_world.secret.current.part("access_key")]
    assert spaces_world.accepts(spaces_world.secret.current)
    assert spaces_world.cloud.calls()["POST /v2/spaces/keys"] == 4


@pytest.mark.parametrize("step", STEPS)
def test_a_spaces_key_survives_a_kill_at_every_call(spaces_world: SpacesWorld, step: int) -> None:
    killed_everywhere(spaces_world, spaces_world.keys.listed, spaces_world.accepts, step)


# Users of a database cluster


class UserWorld(World):
    """The API's users, and logins that know of them: behind a cluster of records there is no server."""

    def __init__(self, folder: Path, cloud: DigitalOcean) -> None:
        self.api = connect({"api_token": cloud.env["DIGITALOCEAN_TOKEN"], "api_url": cloud.env["DIGITALOCEAN_API_URL"]})
        status, made = cloud.request("POST", "/v2/databases", {"name": "shop-db", **ORDER})
        assert status == 201, made
        self.users = ClusterUsers(self.api, "shop-db")
        self.database = Listed(self.users.names)
        first = {"username": PAIR[0], "password": self.users.create(PAIR[0])}
        self.database.ensure(first["username"], first["password"], "enabled")

        def provider(saw: Saw) -> Provider:
            users: Any = saw.wrap("users", self.users, CALLS)
            users.cluster = self.users.cluster
            logins: Any = saw.wrap("server", self.database, CALLS)
            logins.server = self.database.server
            return ManagedUser(users, PAIR, logins, "shop")

        super().__init__(folder, "managed_user", first, provider)

    def accepts(self, version: Version) -> bool:
        return bool(self.database.look(version.part("username"), version.part("password"))["accepted"])


class Listed(Database):
    """A server that has the users that the API lists."""

    def __init__(self, names: Callable[[], list[str]]) -> None:
        super().__init__()
        self._names = names

    def look(self, name: str, password: str | None = None, compare_with: str | None = None) -> Mapping[str, Any]:
        there = name in self._names()
        return {**super().look(name, password, compare_with), **({} if there else {"accepted": False})}


@pytest.fixture
def user_world(account: DigitalOcean, tmp_path: Path) -> UserWorld:
    return UserWorld(tmp_path, account)


def test_the_users_of_a_cluster_take_turns_and_nobodys_password_is_reset(user_world: UserWorld, account: DigitalOcean) -> None:
    names = []
    for _turn in range(3):
        old = user_world.secret.current
        user_world.begin()
        assert user_world.accepts(old)
        assert user_world.accepts(user_world.secret.current)
        user_world.machine().go_on("finish", [("web", user_world.secret.current.fingerprint)])
        assert not user_world.accepts(old)
        names.append(user_world.secret.current.part("username"))
    assert names == ["shop_b", "shop_a", "shop_b"]
    assert [name for name in user_world.users.names() if name in PAIR] == ["shop_b"]
    assert not [call for call in account.calls() if "reset_auth" in call]


def test_the_answer_of_a_new_user_gets_lost(user_world: UserWorld, account: DigitalOcean) -> None:
    account.control("POST", "faults", {"method": "POST", "path": "/v2/databases/*/users", "drop": True})
    user_world.rotate()
    assert user_world.accepts(user_world.secret.current)
    assert user_world.secret.current.part("username") == "shop_b"


def test_a_user_that_no_rotation_made_is_not_touched(user_world: UserWorld) -> None:
    user_world.users.create("shop_b")
    with pytest.raises(OpsError, match=r"has a user shop_b that no rotation made.* went back"):
        user_world.begin()
    assert "shop_b" in user_world.users.names()


@pytest.mark.parametrize("step", STEPS)
def test_a_user_of_a_cluster_survives_a_kill_at_every_call(user_world: UserWorld, step: int) -> None:
    killed_everywhere(user_world, lambda: [name for name in user_world.users.names() if name in PAIR], user_world.accepts, step)
