# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of the sample application, until its standard input ends: logs in to PostgreSQL and Redis by what is in the application's files just now.

A line of JSON, twice a second and at the end: how many logins were accepted, and why others were not.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import redis

ROOT = Path("/opt/groundcrew/shop")
PAUSE = 0.05


def files() -> Path:
    """The secrets of the release that serves."""
    state = json.loads((ROOT / "state.json").read_text())
    return ROOT / "releases" / state["active"]["release"] / "secrets"


def database() -> None:
    secrets = files()
    url, authority = (secrets / "database_url").read_text(), str(secrets / "cloud_ca")
    with closing(psycopg2.connect(url, sslrootcert=authority, connect_timeout=20)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders WHERE id = 1")


def cache() -> None:
    """Python 3.13 asks more of certificates than the stand-in's have; that the server is the right one is the application's to check."""
    url = (files() / "redis_url").read_text().strip()
    with closing(redis.Redis.from_url(url, ssl_cert_reqs="none", ssl_check_hostname=False, socket_timeout=20)) as client:
        client.llen("bull:orders:wait")


class Logins:
    def __init__(self) -> None:
        self.accepted = {"database": 0, "cache": 0}
        self.refused: dict[str, list[str]] = {"database": [], "cache": []}
        self.stop = threading.Event()

    def work(self, name: str, login: Callable[[], None]) -> None:
        """One thread for each server: nobody else counts under its name."""
        while not self.stop.wait(PAUSE):
            try:
                login()
            except Exception as error:  # whatever it is, an application would have been without its server
                self.refused[name].append(f"{type(error).__name__}: {error}".strip()[:200])
            else:
                self.accepted[name] += 1

    def tell(self) -> None:
        sys.stdout.write(json.dumps({"accepted": self.accepted, "refused": self.refused}) + "\n")
        sys.stdout.flush()


def main() -> None:
    logins = Logins()
    threads = [threading.Thread(target=logins.work, args=each, daemon=True) for each in (("database", database), ("cache", cache))]
    ended = threading.Thread(target=sys.stdin.read, daemon=True)
    for thread in (*threads, ended):
        thread.start()
    while ended.is_alive():
        logins.tell()
        ended.join(0.5)
    logins.stop.set()
    for thread in threads:
        thread.join(30)
    logins.tell()


if __name__ == "__main__":
    main()
