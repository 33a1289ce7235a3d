# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL, a store, plays that rotate, and consumers that log in all the time."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import redis

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import Connection
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.login import Login, look
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection as RedisConnection
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary
from localcloud.shell import wait_until
from tests.integration import backup_servers

ROOT = Path(__file__).resolve().parents[2]
NAME = "shop/database"
ADMIN_PASSWORD = "the-administrator"

RULES = "~shop:* &* +@all -@dangerous"

PLAY = """
- name: Run verbs of the role
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Run the verbs
      ansible.builtin.include_role:
        name: groundcrew.ops.secret
        tasks_from: "{{ verb }}"
      loop: "{{ verbs }}"
      loop_control:
        loop_var: verb
    - name: Show what it tells
      ansible.builtin.debug:
        var: secret_result
"""


@dataclass(frozen=True)
class Played:
    rc: int
    output: str

    @property
    def changed(self) -> bool:
        return "changed=0" not in self.output


@dataclass
class Place:
    """A database ``shop`` with an administrator who is no superuser, and a store beside it."""

    folder: Path
    server: Mapping[str, Any]
    log: Path
    outputs: list[str] = field(default_factory=list)
    name: str = NAME
    environment: dict[str, str] = field(default_factory=dict)  # of the plays, beside this process's
    playbook: str = PLAY

    @property
    def admin(self) -> Connection:
        return Connection("127.0.0.1", self.server["login_port"], "doadmin", ADMIN_PASSWORD, "shop", "disable")

    @property
    def superuser(self) -> Connection:
        return Connection("127.0.0.1", self.server["login_port"], self.server["login_user"], self.server["login_password"], "shop", "disable")

    @property
    def store(self) -> FileStore:
        return FileStore(self.folder / "secrets", VaultLibrary(str(self.folder / "key")))

    @property
    def records(self) -> FileRecords:
        return FileRecords(self.folder / "secrets")

    @property
    def secret(self) -> Secret:
        secret = self.store.get(self.name)
        assert secret is not None
        return secret

    def accepts(self, version: Version | None) -> bool:
        assert version is not None
        return not self.admin.login_as(version.part("username"), version.part("password")).refused()

    def connect(self, version: Version) -> Any:
        options = {"host": "127.0.0.1", "port": self.server["login_port"], "dbname": "shop", "sslmode": "disable"}
        connection = psycopg2.connect(user=version.part("username"), password=version.part("password"), **options)
        connection.autocommit = True
        return connection

    def work(self, version: Version) -> None:
        """One job of a consumer, on a connection of its own."""
        with closing(self.connect(version)) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO orders (item) VALUES ('anvil')")

    def given(self) -> dict[str, Any]:
        """The role's variables, without its prefix, that say what is rotated and where."""
        return {
            "items": [{"name": NAME, "kind": "database_user", "users": ["shop_a", "shop_b"], "owner": "shop", "database": "shop"}],
            "login_host": "127.0.0.1",
            "login_port": self.server["login_port"],
            "login_user": "doadmin",
            "login_password": ADMIN_PASSWORD,
            "ssl_mode": "disable",
        }

    def command(self, verbs: str, *arguments: str, **variables: Any) -> list[str]:
        """verbs: main, rotate, verify, audit or remove, or several of them; variables: the role's, without its prefix."""
        (self.folder / "key").write_text("vault\n")
        (self.folder / "key").chmod(0o600)
        playbook = self.folder / "play.yml"
        playbook.write_text(self.playbook)
        given = {
            "store_path": str(self.folder / "secrets"),
            "vault_password_file": str(self.folder / "key"),
            **self.given(),
            "grace": 0,
            "quiet": 0,
            "observe": 0,
            "timeout": 20,
            **variables,
        }
        extra = self.folder / f"variables-{len(self.outputs)}.json"
        extra.write_text(json.dumps({"verbs": verbs.split(), **{f"secret_{name}": value for name, value in given.items()}}))
        ansible = Path(sys.executable).with_name("ansible-playbook")
        return [str(ansible), "-vvv", *arguments, "-i", "localhost,", "-e", f"@{extra}", str(playbook)]

    def play(self, verbs: str, *arguments: str, **variables: Any) -> Played:
        argv = self.command(verbs, *arguments, **variables)
        done = subprocess.run(
            argv, cwd=ROOT, env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", **self.environment}, capture_output=True, text=True, timeout=300, check=False
        )
        self.outputs.append(done.stdout + done.stderr)
        return Played(done.returncode, self.outputs[-1])

    def begin(self, *arguments: str, **variables: Any) -> Played:
        return self.play("rotate", *arguments, **{"phase": "begin", "force": True, "consumers": ["shop"], **variables})

    def finish(self, **variables: Any) -> Played:
        acknowledged = [{"consumer": "shop", "fingerprint": self.secret.current.fingerprint}]
        return self.play("rotate", **{"phase": "finish", "acknowledged": acknowledged, **variables})


@dataclass
class CachePlace(Place):
    """A Redis server instead; its users are kept in a file of its own."""

    name: str = "shop/cache"

    @property
    def cache(self) -> RedisConnection:
        return RedisConnection("127.0.0.1", self.server["port"], "default", ADMIN_PASSWORD, "disable")

    def accepts(self, version: Version | None) -> bool:
        assert version is not None
        return not self.cache.login_as(version.part("username"), version.part("password")).refused()

    def connect(self, version: Version) -> Any:
        username, password = version.part("username"), version.part("password")
        return redis.Redis("127.0.0.1", self.server["port"], username=username, password=password, single_connection_client=True)

    def work(self, version: Version) -> None:
        with closing(self.connect(version)) as client:
            client.lpush("shop:orders", "anvil")

    def given(self) -> dict[str, Any]:
        return {
            "items": [{"name": self.name, "kind": "redis_user", "users": ["shop_a", "shop_b"], "rules": RULES}],
            "redis_host": "127.0.0.1",
            "redis_port": self.server["port"],
            "redis_password": ADMIN_PASSWORD,
            "redis_ssl_mode": "disable",
        }


@contextmanager
def redis_server(folder: Path) -> Iterator[CachePlace]:
    """A Redis server of the test's own, with an administrator's password and an ACL file."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    acl = folder / "users.acl"
    acl.write_text(f"user default on >{ADMIN_PASSWORD} ~* &* +@all\n")
    log = folder / "redis.log"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--aclfile", str(acl), "--logfile", str(log)]
    process = subprocess.Popen(["redis-server", *options], executable=backup_servers.redis_program())
    place = CachePlace(folder, {"port": port}, log)
    try:
        wait_until("Redis to answer", lambda: not place.cache.refused() if accepting(port) else False, seconds=10, pause=0.1)
        yield place
    finally:
        process.terminate()
        process.wait(10)


def accepting(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


class DirectLogins:
    """What the modules do, without Ansible in between."""

    server = "The database"

    def __init__(self, place: Place) -> None:
        self._place = place

    def ensure(self, name: str, password: str, state: str) -> None:
        login = Login(self._place.admin, name, "shop", state, password)
        before = login.read()
        planned = plan(before, login.desired(before))
        if planned.changed:
            login.apply(planned)
        assert not plan(login.read(), login.desired(login.read())).changed

    def look(self, name: str, password: str | None = None, compare_with: str | None = None) -> Mapping[str, Any]:
        return look(self._place.admin, name, password, compare_with)


class Consumers:
    """Processes that open a new connection for each job, and one that holds its own until it is told to switch."""

    def __init__(self, place: Place, workers: int = 2, pause: float = 0.05, most: int = 50_000) -> None:
        """pause: of a worker after each job, in seconds; most: jobs after which nobody works any more."""
        self._place = place
        self._pause = pause
        self._most = most
        self.uses = place.secret.current
        self.accepted = 0
        self.refused: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _worker in range(workers)]

    def switch(self, version: Version) -> None:
        self.uses = version

    @contextmanager
    def running(self) -> Iterator[Consumers]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(30)

    def _work(self) -> None:
        while not self._stop.is_set() and self.accepted < self._most:
            try:
                self._place.work(self.uses)
                with self._lock:
                    self.accepted += 1
            except (psycopg2.Error, redis.RedisError) as error:
                with self._lock:
                    self.refused.append(str(error))
            time.sleep(self._pause)


@contextmanager
def process_list() -> Iterator[set[str]]:
    """Every command line and every environment that is seen meanwhile, looking fifty times a second.

    A process is read while it is new, when it becomes another program, and every half second after that.
    """
    seen: set[str] = set()
    stop = threading.Event()

    def sample() -> None:
        first_look: dict[str, int] = {}
        look = 0
        while not stop.wait(0.02):
            look += 1
            first_look = {pid: first_look.get(pid, look) for pid in os.listdir("/proc") if pid.isdigit()}
            for pid, first in first_look.items():
                if look - first < 10 or look % 25 == 0:
                    seen.update(told_of(pid))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(10)


def told_of(pid: str) -> Iterator[str]:
    for name in ("cmdline", "environ"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as told:
                yield told.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended in between, or is somebody else's


def found_in(text: str, value: str) -> list[str]:
    """Under which encodings a value is in a text."""
    shifted = [base64.b64encode(b" " * shift + value.encode())[4 * bool(shift) : -4].decode() for shift in range(3)]
    escaped = json.dumps(value)[1:-1]
    forms = {
        "raw": [value],
        "base64": shifted,
        "hexadecimal": [value.encode().hex()],
        "url": [urllib.parse.quote(value, safe="")],
        "json": [escaped],
        "json in json": [json.dumps(escaped)[1:-1]],
        "json in a program": [repr(escaped)[1:-1]],  # as Ansible puts a module's options into its file
    }
    return [name for name, spellings in forms.items() if any(spelling in text for spelling in spellings)]
