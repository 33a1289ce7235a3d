# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m localcloud up|down|status|env|ssh``: see ``--help``."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud import engine, images, lifecycle
from localcloud.config import load_cloud, open_cloud
from localcloud.shell import CloudError


def main() -> int:
    arguments = _arguments()
    try:
        return int(arguments.run(arguments) or 0)
    except CloudError as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("localcloud: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description="A cloud on one machine, for the quickstart and the tests.")
    parser.set_defaults(run=None)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default="quickstart", help="name of the cloud; part of the names of its containers (default: %(default)s)")
    common.add_argument("--dir", type=Path, help="where its state lies (default: build/localcloud/NAME)")
    common.add_argument("--index", type=int, default=0, choices=range(10), metavar="0-9", help="clouds side by side differ in it (subnet, ports)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, summary in (
        ("up", _up, "start it, or bring back what is missing of it"),
        ("down", _down, "remove every container, volume, network, process and file of it"),
        ("status", _status, "say what runs"),
        ("env", _env, "print what a client needs, as shell exports"),
        ("ssh", _ssh, "run a command on a droplet, or log in: ssh DROPLET [COMMAND …]"),
        ("images", _images, "build the images that droplets and databases are made of"),
    ):
        command = commands.add_parser(name, parents=[common], help=summary, description=summary)
        command.set_defaults(run=function)
        if name == "down":
            command.add_argument("--images", action="store_true", help="remove the built images as well")
        if name == "images":
            command.add_argument("--all", action="store_true", help="also those that are otherwise built at their first use")
        if name == "ssh":
            command.add_argument("droplet", help="name or number")
            command.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    arguments.dir = arguments.dir or Path("build") / "localcloud" / arguments.name
    return arguments


def _up(arguments: argparse.Namespace) -> None:
    with _alone(arguments.dir):
        lifecycle.up(open_cloud(arguments.name, arguments.index, arguments.dir))


def _down(arguments: argparse.Namespace) -> None:
    if (arguments.dir / "cloud.json").exists():
        with _alone(arguments.dir):
            lifecycle.down(load_cloud(arguments.dir))
    if engine.answers():
        if arguments.images:
            lifecycle.remove_images()
        engine.down()


def _status(arguments: argparse.Namespace) -> int:
    parts = lifecycle.status(load_cloud(arguments.dir))
    for what, state in parts.items():
        print(f"{what:<14}{state}")
    return 0 if all("not " not in state for state in parts.values()) else 3


def _env(arguments: argparse.Namespace) -> None:
    for key, value in load_cloud(arguments.dir).environment().items():
        print(f"export {key}={shlex.quote(value)}")


def _ssh(arguments: argparse.Namespace) -> None:
    cloud = load_cloud(arguments.dir)
    address = lifecycle.droplet_address(cloud, arguments.droplet)
    options = ["-i", str(cloud.ssh_key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    os.execvp("ssh", ["ssh", *options, f"root@{address}", *arguments.command])


def _images(arguments: argparse.Namespace) -> None:
    engine.up()
    slugs = list(images.DROPLETS) if arguments.all else [images.DEFAULT]
    images.ensure([*images.recipes(slugs), images.database()])


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One command at a time works on a cloud; the lock ends with the process."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CloudError(f"Another command works on the cloud in {directory}. Wait for it to end.") from error
        yield


if __name__ == "__main__":
    sys.exit(main())
