# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No value is shown by a task that fails in the middle, by one that runs asynchronously, or in a file that is gone when they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import figures
from tests.integration.rotation_world import ADMIN_PASSWORD, PLAY, Place, Played, found_in, process_list
from tests.integration.test_rotation import place
from tests.integration.written import Written
from tests.unit.plugins.module_utils._rotation.test_single import Issuer

__all__ = ["place"]
# What no encoding leaves as it is.
PLANTED = 'planted/1+"2"=\\3&4'
REFUSED = 'refused/5+"6"=\\7&8'

ASYNC = """
- name: Work with secrets asynchronously
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  module_defaults:
    groundcrew.ops.secret: &store
      store_path: "{{ secret_store_path }}"
      vault_password_file: "{{ secret_vault_password_file }}"
    groundcrew.ops.secret_rotation: *store
  tasks:
    - name: Make a secret
      groundcrew.ops.secret:
        name: shop/given
        value: "{{ secret_supplied['shop/mail'] }}"
      async: 60
      poll: 1
      ignore_errors: true
    - name: Rotate one
      groundcrew.ops.secret_rotation:
        name: shop/mail
        phase: begin
        provider: issuer
        probe: "{{ secret_items[-1].probe }}"
        supplied: "{{ secret_supplied['shop/mail'] }}"
        force: true
      async: 60
      poll: 1
"""

LOGIN = """
- name: Give a password to an asynchronous module
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Look at a login
      groundcrew.ops.postgresql_login_info:
        login_host: "{{ secret_login_host }}"
        login_port: "{{ secret_login_port }}"
        login_user: "{{ secret_login_user }}"
        login_password: "{{ secret_login_password }}"
        login_db: shop
        ssl_mode: disable
        name: shop_a
      async: 60
      poll: 1
"""


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    made.keys = {PLANTED}
    yield made
    made.close()


class Watch:
    """Plays and everything that they leave behind, each time in a folder of its own."""

    def __init__(self, place: Place, folder: Path, issuer: Issuer) -> None:
        self._place = place
        self._written = Written(folder)
        self._environment = self._written.environment()
        self._probe = {"url": issuer.probe.url}
        self.played: list[Played] = []
        self.commands: set[str] = set()

    def play(self, verbs: str, *, supplied: str = PLANTED, playbook: str = PLAY, **variables: Any) -> Played:
        """The role's verbs, or another playbook; its secrets are the database's user and a key of an issuer."""
        place = self._place
        items = [*place.given()["items"], {"name": "shop/mail", "kind": "api_key", "probe": self._probe}]
        place.environment, place.playbook = self._environment, playbook
        with process_list() as commands:
            done = place.play(verbs, items=items, supplied={"shop/mail": supplied}, **variables)
        self.commands |= commands
        self.played.append(done)
        return done

    def leaks(self, values: list[str]) -> dict[str, list[str]]:
        return {where: found for where, text in self.places().items() for value in values if (found := found_in(text, value))}

    def places(self) -> dict[str, str]:
        server = [path for path in self._place.folder.glob("pg-*/**/*") if path.is_file()]
        return {
            "ansible -vvv": "".join(done.output for done in self.played),
            "process list": "".join(self.commands),
            **{f"server: {path}": path.read_bytes().decode(errors="replace") for path in server},
            **{f"store: {path}": path.read_text() for path in (self._place.folder / "secrets").rglob("*") if path.is_file()},
            **dict(self._written.files()),
        }


@pytest.mark.slow
def test_nothing_is_shown_by_what_fails_or_runs_asynchronously(place: Place, tmp_path: Path, issuer: Issuer) -> None:
    begun = time.monotonic()
    watch = watched(place, tmp_path, "watched", issuer)
    assert watch.play("main").rc == 0
    before = place.secret.current
    failing = watch.play("rotate", supplied=REFUSED, phase="begin", force=True, consumers=["shop"])
    assert failing.rc != 0
    assert "refuses the version" in failing.output, failing.output
    assert "went back" in failing.output
    refused = watch.play("none", playbook=ASYNC, supplied=REFUSED)
    assert refused.rc != 0
    for module in ("secret", "secret_rotation"):
        assert f"This action (groundcrew.ops.{module}) does not support async" in refused.output, refused.output
    assert place.store.get("shop/given") is None
    assert place.secret.current != before, "the database's rotation was to begin before the other failed"
    acknowledged = [{"consumer": "shop", "fingerprint": place.secret.current.fingerprint}]
    assert watch.play("rotate", phase="finish", names=["shop/database"], acknowledged=acknowledged).rc == 0
    values = [PLANTED, REFUSED, before.part("password"), place.secret.current.part("password")]

    places = watch.places()
    leaks = {**watch.leaks(values), **administrators(watch)}

    # The control: Ansible keeps a module with its options in a file for a while, unless it sends it through the connection.
    careless = watched(place, tmp_path, "careless", issuer)
    assert careless.play("verify", playbook=PLAY.replace("      loop:", "      vars: {ansible_pipelining: false}\n      loop:", 1)).rc == 0
    red = administrators(careless)
    figures.record(
        "rotation.leaks",
        len(leaks),
        unit="places",
        of=len(places),
        target="== 0",
        seconds=time.monotonic() - begun,
        command="make test-full",
        control={"what": "options of modules are found in files that Ansible removed, without pipelining", "value": len(red), "red": bool(red)},
    )
    assert leaks == {}
    assert red


@pytest.mark.slow
def test_a_value_given_to_an_asynchronous_module_is_found(place: Place, tmp_path: Path, issuer: Issuer) -> None:
    """Why values are not to be given to tasks with async: Ansible keeps their options in a file as long as they run."""
    watch = watched(place, tmp_path, "given", issuer)
    given = watch.play("none", playbook=LOGIN)
    assert given.rc == 0, given.output
    assert [where for where in administrators(watch) if "AnsiballZ" in where]


def administrators(watch: Watch) -> dict[str, list[str]]:
    """The administrator's password, which the world that was made around the test left in the server's log."""
    return {where: found for where, found in watch.leaks([ADMIN_PASSWORD]).items() if not where.startswith("server: ")}


def watched(place: Place, tmp_path: Path, name: str, issuer: Issuer) -> Watch:
    folder = tmp_path / name
    folder.mkdir()
    return Watch(place, folder, issuer)
