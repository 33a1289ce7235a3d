# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role redis on this machine: a real server, a real store, and the modules run by the system's own Python."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration import backup_servers, checkmode
from tests.integration.test_redis_backup import PASSWORD, client, fill, server

ROLE = "groundcrew.ops.redis"


@pytest.mark.slow
def test_backup_verify_and_restore_by_the_role(tmp_path: Path) -> None:
    with backup_servers.folder() as folder, backup_servers.seaweed(folder) as store, server(folder) as source, server(folder) as target:
        fill(source)
        variables = {
            **{f"redis_{name}": value for name, value in store.items()},
            "redis_name": "cache",
            "redis_login_host": "127.0.0.1",
            "redis_login_port": source["login_port"],
            "redis_login_password": PASSWORD,
            "redis_ssl_mode": "disable",
            "redis_signing_key": "0123456789abcdef0123456789abcdef",
        }

        def run(*verbs: str, arguments: tuple[str, ...] = (), that: tuple[str, ...] = (), **more: Any) -> checkmode.Changed:
            tasks: list[dict[str, Any]] = [{"name": f"Apply {verb}", "ansible.builtin.include_role": {"name": ROLE, "tasks_from": verb}} for verb in verbs]
            tasks += [{"name": "Require", "ansible.builtin.assert": {"that": list(that)}}] if that else []
            book = tmp_path / "play.json"
            book.write_text(json.dumps([{"name": "Redis", "hosts": "localhost", "gather_facts": False, "vars": {**variables, **more}, "tasks": tasks}]))
            inventory = tmp_path / "hosts.json"
            here = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
            inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}))
            collection = tmp_path / "collections" / "ansible_collections" / "groundcrew" / "ops"
            if not collection.exists():
                collection.parent.mkdir(parents=True)
                collection.symlink_to(Path(__file__).resolve().parents[2])
            collections = f"{tmp_path / 'collections'}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
            done = checkmode.run(book, inventory, *arguments, env={"ANSIBLE_COLLECTIONS_PATH": collections})
            assert done.rc == 0, done.failed
            return done.changed

        run("main")
        foretold = run("backup", arguments=("--check",))
        assert run("backup", that=("redis_result.point_in_time", "redis_result.key_count == 3008")) == foretold != frozenset()
        assert len(run("verify", that=("redis_result.verdict == 'equal'", "redis_result.level == 'V5'"))) == 1
        there = {"redis_login_port": target["login_port"], "redis_system_id": f"127.0.0.1-{source['login_port']}"}
        assert len(run("restore", that=("redis_result.verdict == 'equal'",), **there)) == 1
        assert client(target).dbsize() == 3007
        assert client(target, 3).dbsize() == 1
