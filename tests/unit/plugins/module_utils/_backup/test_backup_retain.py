# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal of backups: only those that were announced, only of one database, and at any kill still whole or gone."""

from __future__ import annotations

from unittest.mock import MagicMock, Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, retain
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.hold import Holding
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Identity, Manifest, Verification
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retain import Retain
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import Keep
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from tests.unit.plugins.module_utils._backup.shelf import DAY, SIGNER, Moved, Shelf, stock

APP = Identity("postgresql", "1", "app")
CLOCK = Moved()
NOW = CLOCK.now()
ONE = Keep(last=1, within_days=0, minimum=1)


def catalogue(shelf, signer=SIGNER):
    return Catalogue(shelf, signer, "")


def retention(shelf, keep=ONE, identity=APP, **more):
    return Retain(identity, keep, "", shelf, catalogue(shelf), **{"locked": lambda _key: None, "clock": CLOCK, **more})


def thin_out(shelf, keep=ONE, identity=APP, **more):
    operation = retention(shelf, keep, identity, **more)
    return operation.apply(operation.plan())


def ids(shelf, identity=APP):
    return [entry.backup_id for entry in catalogue(shelf).entries(identity)]


NAMES = st.sampled_from(["app", "app-staging", "app/x", "ap", "app ", "App", "app%2Fx", "..", "app-"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["1", "11"]), st.integers(0, 400), st.sampled_from(["equal", "different", None])), max_size=12), NAMES)
def test_a_rule_for_one_database_touches_no_other(made, name):
    shelf = Shelf()
    for database, system, age, verdict in made:
        stock(shelf, Identity("postgresql", system, database), NOW - age * DAY, verdict=verdict)
    identity = Identity("postgresql", "1", name)
    before = dict(shelf.objects)
    thin_out(shelf, identity=identity)
    foreign = {key: data for key, data in before.items() if key.split("/")[1:3] != ["1", policy.encode(name)]}
    assert foreign.items() <= shelf.objects.items()
    assert not any(entry.proven for entry in catalogue(shelf).entries(identity)) or ids(shelf, identity)


def test_by_a_prefix_of_the_name_another_database_is_emptied(monkeypatch):
    """The control: with keys by prefix, as of scripts that match `app*`, and without the name in the manifest the other one loses backups."""
    shelf = Shelf()
    for age in (2, 1, 0):
        stock(shelf, APP, NOW - age * DAY)
    staging = Identity("postgresql", "1", "app-staging")
    monkeypatch.setattr(policy, "encode", lambda name: name.partition("-")[0])
    assert thin_out(shelf, identity=staging)["removed"] == [], "the name in the manifest alone is a protection"
    monkeypatch.setattr(Signer, "open_manifest", lambda self, stored, key, _backup_id, _identity: Manifest.from_dict(self.open(stored, key)))
    assert len(thin_out(shelf, identity=staging)["removed"]) == 2


def test_the_dry_run_explains_every_backup_and_removes_none():
    shelf = Shelf()
    old, held, new = (stock(shelf, APP, NOW - age * DAY) for age in (3, 2, 0))
    Holding(APP, held, {"reason": "audit", "owner": "ann", "until": None}, catalogue(shelf), CLOCK).apply(plan(None, {}))
    before = dict(shelf.objects)
    planned = retention(shelf).plan()
    assert planned.changed
    assert planned.steps == (f"remove {old}: no rule keeps it", f"keep {held}: held by ann: audit", f"keep {new}: last 1")
    assert old in planned.diff()["before"] and old not in planned.diff()["after"]
    assert shelf.objects == before
    assert thin_out(shelf)["removed"] == [old]
    assert ids(shelf) == [held, new]
    assert not retention(shelf).plan().changed


def test_a_hold_ends_and_is_honoured_when_it_comes_late():
    shelf = Shelf()
    old, _new = (stock(shelf, APP, NOW - age * DAY) for age in (3, 0))
    operation = retention(shelf)
    planned = operation.plan()
    hold = {"reason": "audit", "owner": "ann", "until": "2027-02-01"}
    Holding(APP, old, hold, catalogue(shelf), CLOCK).apply(plan(None, {}))
    answer = operation.apply(planned)
    assert (answer["removed"], answer["retention"][0]["reason"]) == ([], "a hold was placed on it meanwhile")
    clock = Moved(policy.seconds("2027-02-01T00:00:00Z"))
    assert retention(shelf, clock=clock).plan().steps[0] == f"remove {old}: no rule keeps it"


def test_a_hold_converges_and_one_that_cannot_be_read_holds():
    shelf = Shelf()
    backup_id = stock(shelf, APP, NOW - 3 * DAY)
    stock(shelf, APP, NOW)
    noun = Holding(APP, backup_id, {"reason": "audit", "owner": "ann", "until": "2027-02-01"}, catalogue(shelf), CLOCK)
    assert noun.read() is None
    planned = plan(None, noun.desired(None))
    noun.apply(planned)
    assert noun.read() == noun.desired(None) == {"backup_id": backup_id, "reason": "audit", "owner": "ann", "until": "2027-02-01T00:00:00Z"}
    assert not plan(noun.read(), noun.desired(noun.read())).changed

    key = next(key for key in shelf.objects if key.endswith(policy.HOLD))
    shelf.put(key, shelf.objects[key].replace(b"2027", b"2020"))
    assert thin_out(shelf)["removed"] == []
    Holding(APP, backup_id, None, catalogue(shelf), CLOCK).apply(plan({}, None))
    assert thin_out(shelf)["removed"] == [backup_id]


@pytest.mark.parametrize(
    ("backup_id", "until", "told"),
    [("20200101T000000Z-00000000", None, "There is no backup 2020"), ("latest", "soon", "is no time"), ("latest", "2020-01-01", "which is over")],
)
def test_a_hold_that_cannot_be_is_refused(backup_id, until, told):
    shelf = Shelf()
    stock(shelf, APP, NOW)
    with pytest.raises(OpsError, match=told):
        Holding(APP, backup_id, {"reason": "audit", "owner": "ann", "until": until}, catalogue(shelf), CLOCK).read()


def test_what_the_store_locks_is_kept_and_no_error():
    shelf = Shelf()
    old, _new = (stock(shelf, APP, NOW - age * DAY) for age in (3, 0))
    answer = thin_out(shelf, locked=lambda key: "2027-03-01T00:00:00Z" if old in key else None)
    assert answer["retention"][0] == {"backup_id": old, "keep": True, "reason": "the store has locked it until 2027-03-01T00:00:00Z"}
    assert len(ids(shelf)) == 2


def test_what_another_key_signed_is_never_removed_and_stops_everything_when_it_is_the_newest():
    shelf = Shelf()
    for age in (3, 2, 1):
        stock(shelf, APP, NOW - age * DAY)
    theirs = stock(shelf, APP, NOW - 400 * DAY, verdict=None)
    key = f"{policy.home('', APP)}{theirs}/{policy.MANIFEST}"
    shelf.put(key, Signer("another key of theirs").seal(SIGNER.open(shelf.objects[key], key)))
    assert len(thin_out(shelf)["removed"]) == 2
    assert theirs in ids(shelf)

    newest = stock(shelf, APP, NOW, verdict=None)
    key = f"{policy.home('', APP)}{newest}/{policy.MANIFEST}"
    shelf.put(key, Signer("another key of theirs").seal(SIGNER.open(shelf.objects[key], key)))
    stock(shelf, APP, NOW - 9 * DAY)
    assert thin_out(shelf)["removed"] == []


def test_at_every_kill_a_backup_is_whole_or_gone_and_the_sweep_removes_the_rest():
    for deletions in range(6):
        shelf = Shelf()
        old, new = (stock(shelf, APP, NOW - age * DAY) for age in (3, 0))
        shelf.dies_after = deletions
        try:
            thin_out(shelf)
        except KeyboardInterrupt:
            assert [entry.backup_id for entry in catalogue(shelf).entries(APP) if entry.restorable] in ([old, new], [new])
            assert ids(shelf) == [new], "half a backup is listed as one"
            assert list(catalogue(shelf).orphans(APP)) == [old]
        shelf.dies_after = None
        catalogue(shelf).sweep(APP)
        assert not [key for key in shelf.objects if old in key]
        assert ids(shelf) == [new]


def test_a_check_that_could_not_run_takes_no_proof_away_and_one_that_failed_does():
    shelf = Shelf()
    backup_id = stock(shelf, APP, NOW)
    for minute, (level, verdict, then) in enumerate(
        [("V6", "unverified", "V5"), ("V2", "equal", "V5"), ("V6", "equal", "V6"), ("V2", "different", "unverified"), ("V5", "equal", "V5")], start=20
    ):
        catalogue(shelf).record(APP, Verification(backup_id, policy.moment(NOW + 60 * minute), level, verdict, (), 1.0))
        [entry] = catalogue(shelf).entries(APP)
        assert (entry.level, entry.proven) == (then, then != "unverified")


def test_a_rule_below_zero_is_refused():
    with pytest.raises(OpsError, match="The rule daily is -1"):
        retention(Shelf(), Keep(daily=-1))


def test_a_sweep_waits_for_the_lease_of_a_run_that_is_under_way(monkeypatch):
    shelf = Shelf()
    stock(shelf, APP, NOW)
    left = f"{policy.home('', APP)}20250101T000000Z-00000001/data/toc.dat"
    shelf.put(left, b"left")
    assert not retention(shelf).plan().changed, "only on request"
    operation = retention(shelf, sweep=True)
    planned = operation.plan()
    assert planned.steps[-1] == "sweep 20250101T000000Z-00000001: no run finished it"
    held = Mock(side_effect=OpsError("Another run holds it"))
    monkeypatch.setattr(retain, "Lease", held)
    with pytest.raises(OpsError, match="Another run holds it"):
        operation.apply(planned)
    assert left in shelf.objects
    monkeypatch.setattr(retain, "Lease", MagicMock())
    assert operation.apply(planned)["swept"] == 1
    assert left not in shelf.objects
