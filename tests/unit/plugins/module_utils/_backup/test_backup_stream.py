# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that grows, a store that is slow, breaks or answers late, and what arrives; the seal; the lease; the portions of a restore."""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import bundle, contents, growing, linux, seal, stream, transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import FORMAT, Identity, Manifest, ObjectRecord, Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import Sealer
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests.unit.plugins.module_utils._backup.shelf import Shelf, manifest

MIB = 1024 * 1024
PREFIX = "p/postgresql/1/shop/20260101T000000Z-00000000/"
SECRET = "correct horse battery"


class Warehouse(Shelf):
    """A store that also takes parts and conditions. ``before_part`` is called before each part is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.before_part: Callable[[int], None] = lambda number: None
        self.versions: dict[str, int] = {}
        self.age = 0.0

    def upload(self, key, stopped=None):
        return Parts(self, key)

    def chunks(self, key) -> Iterator[bytes]:
        data = self.objects[key]
        yield from (data[at : at + 700_000] for at in range(0, len(data), 700_000))

    def look(self, key):
        return Versioned(self.objects[key], str(self.versions[key]), self.age) if key in self.objects else None

    def create(self, key, data):
        if key in self.objects:
            raise OpsError("it exists", code="PreconditionFailed")
        return self._write(key, data)

    def replace(self, key, data, etag):
        return self._write(key, data) if str(self.versions.get(key)) == etag else None

    def _write(self, key, data):
        self.objects[key] = data
        self.versions[key] = self.versions.get(key, 0) + 1
        return str(self.versions[key])


def make_store() -> Any:
    """It has those methods of a store only that a test here needs."""
    return Warehouse()


class Parts:
    def __init__(self, warehouse, key):
        self.warehouse, self.key, self.parts = warehouse, key, {}

    def part(self, number, data):
        self.warehouse.before_part(number)
        self.parts[number] = bytes(data)

    def complete(self):
        self.warehouse.objects[self.key] = b"".join(data for _number, data in sorted(self.parts.items()))

    def abort(self):
        self.parts = {}


class Dump:
    """Writes files as pg_dump does, in a thread, and can be paused."""

    def __init__(self, folder, files, pace=0.0, before_close=lambda: None):
        self.folder, self.files, self.pace, self.before_close = folder, files, pace, before_close
        self.going = threading.Event()
        self.going.set()
        self.stopped = False
        self.broken = False
        self.pauses = 0
        self.thread = threading.Thread(target=self._write, daemon=True)

    def _write(self):
        for name, data in self.files.items():
            with (self.folder / name).open("wb") as out:
                for at in range(0, len(data), MIB):
                    self.going.wait(30)
                    if self.stopped:
                        return
                    out.write(data[at : at + MIB])
                    out.flush()
                    time.sleep(self.pace)
                self.before_close()

    @property
    def ended(self):
        return self.stopped or not self.thread.is_alive()

    def wait(self):
        self.thread.join()
        if self.broken:
            raise OpsError("pg_dump failed with exit code -9")

    def pause(self):
        self.pauses += 1
        self.going.clear()

    def resume(self):
        self.going.set()

    def stop(self):
        self.stopped = True
        self.going.set()


def noise(size):
    return random.Random(size).randbytes(size)


def send(folder, warehouse, files, *, sealer=None, staging=256 * MIB, stall=20.0, pace=0.0, before_close=lambda: None, failed=lambda: None):
    dump: Any = Dump(folder, files, pace, before_close)
    limits = stream.Limits(staging, stall)
    dump.thread.start()
    with stream.Stream(warehouse, folder, PREFIX, dump, limits=limits, failed=failed, sealer=sealer) as sent:
        dump.thread.join()
        return sent.finish(), sent.progress, dump


def arrived(warehouse, records, folder, sealer=None):
    """The files of the dump as a restore gets them."""
    folder.mkdir()
    for record in records:
        transfer.fetch(warehouse, record, PREFIX, folder, sealer)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


FILES = {
    "toc.dat": noise(3000),
    "1.dat": noise(21 * MIB + 17),
    "2.dat": noise(8 * MIB),
    "3.dat": noise(3 * MIB),
    "4.dat": b"",
    "5.dat": b"few",
    "blobs.toc": b"x",
}


@pytest.mark.parametrize("sealer", [None, Sealer(SECRET)])
def test_what_grows_arrives_whole_and_the_folder_is_empty(tmp_path, sealer):
    staged, warehouse = tmp_path / "staged", make_store()
    staged.mkdir()
    # The writer takes its time, so that parts are stored and holes punched while the files are open.
    records, progress, _dump = send(staged, warehouse, FILES, sealer=sealer, pace=0.02)
    assert arrived(warehouse, records, tmp_path / "back", sealer) == FILES
    assert list(staged.iterdir()) == []
    assert progress.files == len(FILES)
    assert {record.name.removesuffix(seal.SUFFIX) for record in records} == {"bundle/00001.tar", "data/1.dat", "data/2.dat", "data/3.dat", "data/toc.dat"}
    assert all(len(data) == record.size for record in records for data in [warehouse.objects[PREFIX + record.name]])
    if sealer:
        assert not any(FILES["toc.dat"] in data for data in warehouse.objects.values())


@pytest.mark.parametrize("sealer", [None, Sealer(SECRET)])
def test_a_file_that_is_closed_right_behind_a_part_arrives_whole(tmp_path, sealer):
    """What follows that part is empty, or the seal's end: there is nothing on disk to give back."""
    staged, warehouse, stored = tmp_path / "staged", make_store(), threading.Event()
    staged.mkdir()
    warehouse.before_part = lambda _number: stored.set()
    files = {"1.dat": noise(8 * MIB)}
    records, _progress, _dump = send(staged, warehouse, files, sealer=sealer, before_close=lambda: stored.wait(10))
    assert stored.is_set(), "the part went before the file was closed"
    assert arrived(warehouse, records, tmp_path / "back", sealer) == files


def test_a_punched_hole_does_not_look_like_the_end_of_a_file(tmp_path):
    """Who closes a descriptor that can write makes an event as pg_dump's own close does: a file must not end by that."""
    watch = linux.Watch(tmp_path)
    file = growing.File(tmp_path / "1.dat", "data/1.dat", None)
    with file.path.open("wb") as out:
        out.write(b"x" * 65536)
        out.flush()
        file.drop(0, 65536)
        assert linux.allocated(file.path) == 0
        assert watch.wait(0.2) == ({"1.dat"}, set(), False)
    assert watch.wait(1.0)[1] == {"1.dat"}
    watch.close()
    watch.wake()  # who is late harms nobody


def test_a_slow_store_pauses_the_dump_and_bounds_the_disk(tmp_path):
    warehouse = make_store()
    warehouse.before_part = lambda _number: time.sleep(2)
    files = {"1.dat": noise(60 * MIB)}
    records, progress, dump = send(tmp_path, warehouse, files, staging=40 * MIB, pace=0.03)
    assert progress.pauses == dump.pauses > 0
    assert progress.peak <= 40 * MIB
    assert records[0].sha256 == hashlib.sha256(files["1.dat"]).hexdigest()


def test_the_stores_error_ends_the_dump_and_what_waits_for_it(tmp_path):
    warehouse, told = make_store(), []

    def broken(number: int) -> None:
        raise OpsError("the store is gone")

    warehouse.before_part = broken
    with pytest.raises(OpsError, match="the store is gone"):
        send(tmp_path, warehouse, {"1.dat": noise(30 * MIB)}, pace=0.01, failed=lambda: told.append(True))
    assert told == [True]


def test_a_dump_that_ended_badly_is_told_of_as_that_while_its_files_still_grow(tmp_path):
    """The workers of one that was killed write on for a moment: what they write must not become the reason."""
    warehouse: Any = make_store()
    dump: Any = Dump(tmp_path, {})
    dump.broken = True
    orphan = (tmp_path / "1.dat").open("wb")
    orphan.write(noise(100))
    orphan.flush()
    warehouse.put = lambda *_arguments: orphan.write(noise(100)) and orphan.flush()
    limits = stream.Limits(256 * MIB, 20.0)
    dump.thread.start()
    with (
        pytest.raises(OpsError, match="exit code -9"),
        stream.Stream(warehouse, tmp_path, PREFIX, dump, limits=limits, failed=lambda: None) as sent,
    ):
        sent.finish()
    assert not warehouse.objects
    orphan.close()


def test_a_store_that_does_not_answer_is_given_up(tmp_path):
    warehouse = make_store()
    warehouse.before_part = lambda _number: time.sleep(3)
    with pytest.raises(OpsError, match="Nothing moved"):
        send(tmp_path, warehouse, {"1.dat": noise(9 * MIB)}, stall=0.5)


def test_where_no_holes_can_be_punched_the_limit_is_for_whole_files(tmp_path, monkeypatch):
    monkeypatch.setattr(linux, "can_punch", lambda _folder: False)
    warehouse = make_store()
    send(tmp_path, warehouse, {"1.dat": noise(9 * MIB)})
    with pytest.raises(OpsError, match="gives no space back"):
        send(tmp_path, warehouse, {"1.dat": noise(30 * MIB)}, staging=10 * MIB, pace=0.02)


def test_parts_grow_so_that_ten_thousand_of_them_hold_490_gib(tmp_path):
    file = growing.File(tmp_path / "x", "x", None)
    total = 0
    for file.parts in range(10_000):
        total += file.part
        assert 5 * MIB <= file.part <= 64 * MIB
    assert total > 490 * 1024 * MIB
    file.parts = 10_000
    with pytest.raises(OpsError, match="more parts"):
        _size = file.part


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3 * seal.CHUNK + 5), st.integers(100_000, 2 * seal.CHUNK))
def test_what_is_sealed_opens_in_any_portions(size, portion):
    data, sealer = os.urandom(size), Sealer(SECRET)
    sealing, opening = sealer.seal("id/data/1.dat"), sealer.open("id/data/1.dat")
    sealed = b"".join(sealing.update(data[at : at + portion], False) for at in range(0, size, portion)) + sealing.update(b"", True)
    opened = b"".join(opening.update(sealed[at : at + portion]) for at in range(0, len(sealed), portion)) + opening.finish()
    assert opened == data


def test_what_is_cut_changed_exchanged_or_foreign_does_not_open():
    data, sealer = os.urandom(2 * seal.CHUNK + 10), Sealer(SECRET)
    sealing = sealer.seal("id/data/1.dat")
    sealed = sealing.update(data, True)
    chunk = seal.CHUNK + seal.TAG
    head = len(seal.MAGIC) + seal.SALT
    swapped = sealed[:head] + sealed[head + chunk : head + 2 * chunk] + sealed[head : head + chunk] + sealed[head + 2 * chunk :]
    flipped = sealed[:100] + bytes([sealed[100] ^ 1]) + sealed[101:]
    for name, key, content in (
        ("id/data/1.dat", SECRET, sealed[: head + 2 * chunk]),
        ("id/data/1.dat", SECRET, sealed[:-1]),
        ("id/data/1.dat", SECRET, sealed[:10]),
        ("id/data/1.dat", SECRET, swapped),
        ("id/data/1.dat", SECRET, flipped),
        ("id/data/1.dat", SECRET, b"PGDMP" + sealed),
        ("id/data/2.dat", SECRET, sealed),
        ("id/data/1.dat", "another secret of some length", sealed),
    ):
        opening = Sealer(key).open(name)
        with pytest.raises(OpsError):
            opening.update(content)
            opening.finish()


def test_a_bundle_holds_what_the_manifest_names_and_nothing_else(tmp_path):
    for name in ("1.dat", "2.dat"):
        (tmp_path / name).write_text(name)
    packed = tmp_path / "packed.tar"
    packed.write_bytes(bundle.pack([tmp_path / "1.dat", tmp_path / "2.dat"]))
    for members, told in ((("1.dat",), "does not name"), (("1.dat", "2.dat", "3.dat"), "lacks 3.dat")):
        (tmp_path / "out").mkdir()
        with pytest.raises(OpsError, match=told):
            bundle.unpack(packed, members, tmp_path / "out")
        for path in (tmp_path / "out").iterdir():
            path.unlink()
        (tmp_path / "out").rmdir()


def test_a_manifest_cannot_name_files_outside_of_the_folder(tmp_path):
    warehouse = make_store()
    for name, members in (("data/../x", ()), ("data/a/b", ()), ("bundle/1.tar", ("../x",)), ("data/..", ())):
        with pytest.raises(OpsError, match="outside"):
            transfer.fetch(warehouse, ObjectRecord(name, 1, "0", members), PREFIX, tmp_path, None)


def test_one_holds_the_lease_and_who_was_away_has_lost_it():
    warehouse, key = make_store(), "lease.json"
    with Lease(warehouse, key, "the backup", life=60) as first:
        with pytest.raises(OpsError, match="Another run holds"), Lease(warehouse, key, "the backup", life=60):
            pass
        first.require()
        assert json.loads(warehouse.objects[key])["released"] is False
        # The holder is suspended, its lease runs out, and another host takes it.
        foreign = {**json.loads(warehouse.objects[key]), "kernel": "another"}
        warehouse.age = 61.0
        second = Lease(warehouse, key, "the backup", life=60)
        warehouse.replace(key, json.dumps(foreign).encode(), str(warehouse.versions[key]))
        with second:
            with pytest.raises(OpsError, match="it is given up"):
                first.require()
            second.require()
            assert (first.number, second.number) == (1, 2)
    assert json.loads(warehouse.objects[key])["released"] is True
    warehouse.age = 0.0
    with Lease(warehouse, key, "the backup") as third:
        assert third.number == 3


def test_nobody_waits_for_a_holder_that_is_gone_from_this_host():
    warehouse, key = make_store(), "lease.json"
    with Lease(warehouse, key, "the backup") as lease:
        held = json.loads(warehouse.objects[key])
        lease.tell = lambda: {"stored": 5}
        lease.require()
        assert json.loads(warehouse.objects[key])["stored"] == 5
    warehouse.objects[key] = json.dumps({**held, "process": 2**22 + 1}).encode()
    with Lease(warehouse, key, "the backup"):
        pass
    warehouse.objects[key] = b"{}"
    with pytest.raises(OpsError, match="damaged"), Lease(warehouse, key, "the backup"):
        pass


LISTING = """;
; Archive created at 2026-01-01
215; 1259 16386 TABLE public orders shop
3300; 0 16386 TABLE DATA public orders shop
;	depends on: 215
3301; 0 16390 TABLE DATA public order items shop
;	depends on: 216
3302; 0 16391 TABLE DATA odd a
b shop
3303; 0 0 BLOBS - BLOBS
3304; 0 0 SEQUENCE SET public orders_id_seq shop
3400; 2606 16400 FK CONSTRAINT public items items_order_fkey shop
;	depends on: 216 215 3350
"""


def test_the_table_of_contents_is_read_as_pg_restore_prints_it():
    entries = contents.parse(LISTING.replace("a\nb", "a b"))
    assert [entry.dump_id for entry in entries] == [215, 3300, 3301, 3302, 3303, 3304, 3400]
    assert entries[-1].depends_on == {216, 215, 3350}
    assert contents.chosen_data(entries, ["public.orders"]) == {3300}
    assert contents.chosen_data(entries, ['odd."a\nb"', 'public."order items"']) == {3301, 3302}
    assert contents.left_out(entries, frozenset({3300})) == {3400: "FK CONSTRAINT public items items_order_fkey shop"}
    assert contents.left_out(entries, frozenset({3300, 3301})) == {}


def test_every_chosen_entry_is_in_one_portion_and_the_largest_comes_first():
    records = [ObjectRecord("data/1.dat", 40 * MIB, ""), ObjectRecord("data/2.dat.zst", 9 * MIB, ""), ObjectRecord("data/3.dat.gz", 9 * MIB, "")]
    records += [ObjectRecord("bundle/00001.tar", 3 * MIB, "", ("4.dat", "blob_16.dat", "blobs.toc")), ObjectRecord("data/toc.dat", 2 * MIB, "")]
    entries = [contents.TocEntry(number, "TABLE DATA public t shop") for number in (1, 2, 3, 4)] + [contents.TocEntry(9, "BLOBS - BLOBS")]
    made = contents.portions(records, entries, frozenset({1, 2, 3, 4, 9}))
    assert [sorted(portion.dump_ids) for portion in made] == [[1], [2, 3], [4, 9]]
    assert [sorted(portion.dump_ids) for portion in contents.portions(records, entries, frozenset({3, 4}))] == [[3, 4]]


def test_a_choice_names_what_there_is():
    backup = manifest(Identity("postgresql", "1", "shop"), "x", 0.0)
    assert contents.Choice().of(backup) == contents.Choice(schemas=("public",)).of(backup) == contents.Choice(tables=("public.a",)).of(backup) == {"public.a"}
    for choice in (contents.Choice(tables=("public.b",)), contents.Choice(schemas=("a",))):
        with pytest.raises(OpsError, match="has no table"):
            choice.of(backup)
    with pytest.raises(OpsError, match=r"write schema\.table"):
        contents.split_name("a")


def test_a_manifest_of_before_bundles_is_still_read():
    backup = manifest(Identity("postgresql", "1", "shop"), "x", 0.0)
    old = json.loads(json.dumps(backup.to_dict()))
    del old["lease"]
    old["objects"] = [{name: record[name] for name in ("name", "size", "sha256")} for record in old["objects"]]
    assert Manifest.from_dict(old) == backup
    assert backup.format == FORMAT


def test_whether_holes_can_be_punched_is_tried_outside_the_folder_that_pg_dump_wants_empty(tmp_path):
    folder = tmp_path / "dump"
    folder.mkdir()
    watch = linux.Watch(folder)
    linux.can_punch(folder)
    assert watch.wait(0.1) == (set(), set(), False)
    assert list(tmp_path.iterdir()) == [folder]
    (folder / "probe").touch()  # the control: what is tried inside is seen, however short
    (folder / "probe").unlink()
    assert "probe" in watch.wait(1.0)[0]
    watch.close()
