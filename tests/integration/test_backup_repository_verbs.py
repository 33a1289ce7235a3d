# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role backup_repository does once there is a bucket, at a real store: verify, maintain, audit."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Identity
from tests.integration import backup_servers, checkmode
from tests.unit.plugins.module_utils._backup.shelf import DAY, stock

ROLE = "groundcrew.ops.backup_repository"
LOGS = "groundcrew.ops.maintenance"
APP = Identity("postgresql", "1", "app")
# The last drill on the shelf is three days old.
DRILLS: dict[str, Any] = {"backup_repository_limits": {"drill_days": 2}}


@pytest.mark.slow
def test_verify_maintain_and_audit(tmp_path: Path) -> None:
    with backup_servers.folder() as folder, backup_servers.seaweed(folder) as options:
        store = settings.store({**options, "bucket": "vault"})
        variables = {f"backup_repository_{name}": options[name] for name in ("endpoint_url", "access_key", "secret_key")}
        variables |= {
            "backup_repository_bucket": "vault",
            "backup_repository_signing_key": "0123456789abcdef",
            "backup_repository_databases": [{"database": "app", "keep": {"minimum": 1}}],
            "backup_repository_audit_fail_on": "never",
        }
        inventory = tmp_path / "hosts.json"
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}))
        collection = tmp_path / "ansible_collections" / "groundcrew" / "ops"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(Path(__file__).resolve().parents[2])
        env = {"ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")}

        def run(*verbs: str, role: str = ROLE, that: tuple[str, ...] = (), check: bool = False, **more: Any) -> checkmode.Run:
            tasks: list[dict[str, Any]] = [{"name": f"Apply {verb}", "ansible.builtin.include_role": {"name": role, "tasks_from": verb}} for verb in verbs]
            tasks += [{"name": "Require", "ansible.builtin.assert": {"that": list(that)}}] if that else []
            book = tmp_path / "play.json"
            book.write_text(json.dumps([{"name": "Look", "hosts": "localhost", "gather_facts": False, "vars": {**variables, **more}, "tasks": tasks}]))
            return checkmode.run(book, inventory, *(["--check"] if check else []), env=env)

        absent = run("verify")
        assert absent.rc != 0 and "The bucket is there: no" in absent.failed[0][2]
        wanted = ("backup_repository_result.findings | selectattr('verdict', 'eq', 'fail') | map(attribute='id') | sort == expected",)
        made = run("main", "verify", "audit", that=wanted, expected=["backup.proven_age", "repository.encryption"])
        assert made.rc == 0, made.failed
        assert {task.partition(" : ")[2] for _host, task in made.changed} == {"Make the bucket and configure it"}, "verify and audit change nothing"
        assert list(store.listing("")) == [], "the probe is gone again"

        for check in (True, False):
            refused = run("verify", check=check, backup_repository_secret_key="wrong")
            assert refused.rc != 0 and "The bucket is there: nobody can tell" in refused.failed[0][2], refused.failed

        # The archive of logs may be in a bucket that the role made, or in one that is not there.
        logs = {**{name: options[name] for name in ("endpoint_url", "access_key", "secret_key")}, "paths": ["/var/log/*.gz"], "bucket": "vault"}
        kept = "maintenance_result.findings | map(attribute='subject') | unique == ['vault'] and maintenance_result.summary.failing == 0"
        assert run("audit", role=LOGS, that=(kept,), maintenance_logs=logs).failed == ()
        for wrong in ({**logs, "bucket": "nowhere"}, {**logs, "secret_key": "wrong"}):
            assert "repository.exists" in run("audit", role=LOGS, maintenance_logs=wrong).failed[0][2]

        now = time.time()
        old, new = (stock(store, APP, now - age * DAY) for age in (90, 3))
        left = f"{policy.home('', APP)}20250101T000000Z-00000001/data/toc.dat"
        store.put(left, b"left")
        late = ["backup.leftovers", "backup.newest_age", "backup.proven_age", "repository.encryption"]
        assert run("audit", that=wanted, expected=late).failed == ()
        red = run("audit", backup_repository_audit_fail_on="high")
        assert red.rc != 0 and "backup.proven_age" in red.failed[0][2]
        waivers = [{"id": f"backup.{name}_age", "owner": "ann", "expires": "2999-01-01", "reason": "a test"} for name in ("newest", "proven")]
        assert run("audit", backup_repository_audit_fail_on="high", backup_repository_audit_waivers=waivers).failed == ()
        undrilled = ("backup_repository_result.findings | selectattr('id', 'eq', 'backup.drill_age') | map(attribute='verdict') | unique == [expected]",)
        assert run("audit", that=undrilled, expected="pass").failed == run("audit", that=undrilled, expected="fail", **DRILLS).failed == ()

        foretold = run("maintain", check=True)
        assert len(list(store.listing(f"{policy.home('', APP)}{old}/"))) == 3, "a dry run removed it"
        done = run("maintain", that=(f"backup_repository_result.removed == ['{old}']", "backup_repository_result.swept == 1"))
        assert done.rc == 0, done.failed
        assert foretold.changed == done.changed != frozenset()
        assert {item.key.split("/")[3] for item in store.listing("")} == {new, policy.LEASE}
        again = run("maintain")
        assert (again.failed, again.changed) == ((), frozenset())

        locked: dict[str, Any] = {"backup_repository_bucket": "locked", "backup_repository_object_lock_days": 1}
        other = settings.store({**options, "bucket": "locked"})
        assert run("main", that=("backup_repository_result.object_lock_days == 1",), **locked).failed == ()
        kept, _new = (stock(other, APP, now - age * DAY) for age in (90, 0))
        told = "backup_repository_result.retention[0].reason is match('the store has locked it until')"
        assert run("maintain", that=("backup_repository_result.removed == []", told), **locked).failed == ()
        assert len(list(other.listing(f"{policy.home('', APP)}{kept}/"))) == 3
