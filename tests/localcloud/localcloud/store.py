# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's state: documents in SQLite, so that a process killed at any moment leaves whole ones behind."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Store:
    """Documents by kind and id, in the order they were made. Safe for threads; one process at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS document (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, body TEXT, UNIQUE (kind, id))")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody in between. May be nested: the outermost one counts."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def put(self, kind: str, id_: str | int, body: Document) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO document (kind, id, body) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, str(id_), json.dumps(body)),
            )

    def get(self, kind: str, id_: str | int) -> Document | None:
        with self._lock:
            row = self._db.execute("SELECT body FROM document WHERE kind = ? AND id = ?", (kind, str(id_))).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[Document]:
        with self._lock:
            rows = self._db.execute("SELECT body FROM document WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def delete(self, kind: str, id_: str | int) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, str(id_)))

    def clear(self) -> None:
        """Forget every document."""
        with self.transaction():
            self._db.execute("DELETE FROM document")

    @contextmanager
    def edit(self, kind: str, id_: str | int) -> Iterator[Document | None]:
        """Change a document in place; None when it is gone meanwhile."""
        with self.transaction():
            body = self.get(kind, id_)
            yield body
            if body is not None:
                self.put(kind, id_, body)

    def number(self, kind: str, start: int) -> int:
        """The next number of a kind, never given twice."""
        with self.transaction():
            last = self.get("counter", kind)
            value = last["value"] + 1 if last else start
            self.put("counter", kind, {"value": value})
        return value
