# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job on this machine: a local cloud, the sample application, playbooks/site.yml, and proofs from outside.

Runs in the environment that tests/bootstrap.sh makes. Every part can be killed and started again.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPEATABLE = ("provision", "host", "deploy")
ORDER_SECONDS = 30
LOCK_SECONDS = 60
PLAYBOOK_LINE = re.compile(r"^(PLAY|TASK|RUNNING HANDLER) \[(.*)\] \**$")


class QuickstartError(Exception):
    """What went wrong, and what to do next."""


@dataclass(frozen=True)
class Quickstart:
    """Where everything of one quickstart lies."""

    name: str
    index: int
    check: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def output(self) -> Path:
        """The report and the log; they stay when the rest is removed."""
        return ROOT / "build" / (f"{self.name}-check" if self.check else self.name)

    @property
    def cloud(self) -> Path:
        return ROOT / "build" / "localcloud" / self.name

    @property
    def state(self) -> Path:
        """The secret store, its password, and what is known of earlier runs; removed with the cloud."""
        return ROOT / "build" / f"{self.name}-state"

    @property
    def completed(self) -> Path:
        """What the last complete run changed; it exists only after one."""
        return self.state / "completed.json"

    @property
    def sockets(self) -> Path:
        """SSH's sockets: a path of their own, because theirs may have 100 characters at most."""
        return Path("/tmp") / f"groundcrew-{hashlib.sha256(str(self.state).encode()).hexdigest()[:10]}"

    @property
    def report(self) -> Path:
        return self.output / "report.json"

    @property
    def log(self) -> Path:
        return self.output / "ansible.log"


class Progress:
    """One line for each part when it is through; on a terminal, also what happens right now."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._title = ""
        self._since = 0.0

    def begin(self, title: str) -> None:
        self._title, self._since = title, time.monotonic()
        self.now("")

    def now(self, what: str) -> None:
        if self._live and self._title:
            width = shutil.get_terminal_size().columns - 1
            line = f"  … {self._title}{': ' if what else ''}{what} ({time.monotonic() - self._since:.0f} s)"
            print(f"\r\x1b[K{line[:width]}", end="", flush=True)

    def end(self, *, good: bool = True) -> None:
        if self._title:
            clear = "\r\x1b[K" if self._live else ""
            print(f"{clear}  {'✓' if good else '✗'} {self._title} ({time.monotonic() - self._since:.1f} s)", flush=True)
        self._title = ""


def up(quickstart: Quickstart) -> None:
    """Build everything and prove that it works; with ``check``, say what would change."""
    with alone(quickstart) as lock:
        first = not quickstart.cloud.exists()
        before = json.loads(quickstart.completed.read_text()) if quickstart.completed.exists() else None
        prepare_state(quickstart)
        say("Local cloud")
        localcloud(quickstart, "up")
        environment = cloud_environment(quickstart)
        build_application(environment)
        say("Dry run of playbooks/site.yml" if quickstart.check else "playbooks/site.yml")
        play(quickstart, environment, lock)
        report = json.loads(quickstart.report.read_text())
        if not quickstart.check:
            say("Proofs from outside")
            report["proofs"] = proofs(environment, report)
            write_report(quickstart, report)
            require_proofs(report)
            write_figures(quickstart, report, first=first, before=before)
            quickstart.completed.write_text(json.dumps({"changed": repeatable_changes(report)}))
        tell(quickstart, environment)


def down(quickstart: Quickstart, *, keep_images: bool) -> None:
    """Remove everything but the report."""
    with alone(quickstart):
        localcloud(quickstart, "down", *([] if keep_images else ["--images"]))
        shutil.rmtree(quickstart.sockets, ignore_errors=True)
        shutil.rmtree(quickstart.state, ignore_errors=True)
    print(f"Everything is removed; the report stays in {shown(quickstart.output)}.")


@contextmanager
def alone(quickstart: Quickstart) -> Iterator[int]:
    """One command at a time. A playbook that outlived its quickstart holds the lock until it has ended."""
    quickstart.state.parent.mkdir(parents=True, exist_ok=True)
    with (quickstart.state.parent / f".{quickstart.name}.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise QuickstartError(f"Another quickstart named {quickstart.name} is running. Wait for it, or stop it.") from error
                time.sleep(0.5)
        yield lock.fileno()


def prepare_state(quickstart: Quickstart) -> None:
    quickstart.output.mkdir(parents=True, exist_ok=True)
    quickstart.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    quickstart.sockets.mkdir(mode=0o700, exist_ok=True)
    password = quickstart.state / "vault-password"
    if not password.exists():
        half = password.with_suffix(".new")
        half.touch(mode=0o600)
        half.write_text(secrets.token_hex(32) + "\n")
        half.replace(password)  # a store encrypted with half a password could not be opened again


def localcloud(quickstart: Quickstart, command: str, *options: str) -> str:
    """Run a command of the local cloud; it shows its own progress on standard error."""
    argv = [sys.executable, "-m", "localcloud", command, "--name", quickstart.name, "--index", str(quickstart.index), "--dir", str(quickstart.cloud), *options]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "localcloud")}, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise QuickstartError(f"The local cloud did not go {command}: its message is above. Correct that and run the same command again.")
    return done.stdout


def cloud_environment(quickstart: Quickstart) -> dict[str, str]:
    """What a client of the cloud needs, and where Ansible keeps its own things: inside this tree."""
    exports = (shlex.split(line)[1].split("=", 1) for line in localcloud(quickstart, "env").splitlines())
    return {
        **dict(exports),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "GROUNDCREW_STATE": str(quickstart.state),
        "GROUNDCREW_REPORT_DIR": str(quickstart.output),
        "ANSIBLE_CALLBACKS_ENABLED": "groundcrew.ops.report",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(quickstart.state / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(quickstart.sockets),
        "ANSIBLE_SSH_COMMON_ARGS": f"-o UserKnownHostsFile={quickstart.state / 'known_hosts'}",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
    }


def build_application(environment: Mapping[str, str]) -> None:
    progress = Progress()
    progress.begin("the sample application's image in the registry")
    argv = [sys.executable, "tests/sample_app/build.py", "--registry", environment["GROUNDCREW_LOCAL_REGISTRY_PUSH"]]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    progress.end(good=done.returncode == 0)
    if done.returncode:
        raise QuickstartError(f"The sample application's image could not be built: {done.stderr.strip()}")


def play(quickstart: Quickstart, environment: Mapping[str, str], lock: int) -> None:
    """Run the site playbook, its whole output in the log, its plays as lines here."""
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventories/local", "playbooks/site.yml", *(["--check"] if quickstart.check else [])]
    quickstart.report.unlink(missing_ok=True)
    progress = Progress()
    with quickstart.log.open("w") as log:
        # The pipe ends with us, and the playbook with the pipe; the lock it holds keeps the next run waiting until then.
        playbook = subprocess.Popen(
            argv, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[lock]
        )
        assert playbook.stdout is not None
        try:
            for line in playbook.stdout:
                log.write(line)
                log.flush()
                found = PLAYBOOK_LINE.match(line)
                if found and found[1] == "PLAY":
                    progress.end()
                    progress.begin(found[2])
                elif found:
                    progress.now(found[2])
            failed = playbook.wait() != 0
        except BaseException:
            playbook.terminate()
            playbook.wait()
            progress.end(good=False)
            raise
        finally:
            close_connections(quickstart.sockets)
    progress.end(good=not failed)
    if failed:
        raise QuickstartError(failure(quickstart))


def close_connections(sockets: Path) -> None:
    """End SSH's shared connections instead of leaving them for a minute."""
    for socket in sockets.glob("*"):
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "-"], capture_output=True, check=False)


def failure(quickstart: Quickstart) -> str:
    """What failed, by the report; where it has nothing, by the end of the log."""
    lines = []
    if quickstart.report.exists():
        for step in json.loads(quickstart.report.read_text())["steps"]:
            lines += [f'{one["host"]}, step {step["name"]}, task "{one["task"]}":\n    {one["message"]}' for one in step["failures"]]
    lines = lines or quickstart.log.read_text().strip().splitlines()[-15:]
    log = shown(quickstart.log)
    return "\n  ".join(
        [
            "The playbook failed.",
            *lines,
            "",
            f"Everything Ansible said is in {log}. Correct the cause and run the same command again: it goes on where it stopped.",
        ]
    )


def proofs(environment: Mapping[str, str], report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Ask the application what its users would, through the proxy of each host."""
    droplets = ask(f"{environment['DIGITALOCEAN_API_URL']}/v2/droplets?tag_name=app&per_page=200", token=environment["DIGITALOCEAN_TOKEN"])[1]["droplets"]
    found = []
    for droplet in sorted(droplets, key=lambda one: str(one["name"])):
        address = next(one["ip_address"] for one in droplet["networks"]["v4"] if one["type"] == "public")
        found += [prove_release(droplet["name"], address, report), prove_order(droplet["name"], address)]
    if not found:
        found.append(proof("the cloud has droplets with the tag app", False, "it has none"))
    for one in found:
        print(f"  {'✓' if one['holds'] else '✗'} {one['what']} ({one['detail']})", flush=True)
    return found


def proof(what: str, holds: bool, detail: str) -> dict[str, Any]:
    return {"what": what, "holds": holds, "detail": detail}


def prove_release(host: str, address: str, report: Mapping[str, Any]) -> dict[str, Any]:
    what = f"{host} serves the release that was deployed, through its proxy"
    deployed = [step["facts"][host]["compose_app_result"]["release"] for step in report["steps"] if "compose_app_result" in step["facts"].get(host, {})]
    try:
        headers, body = ask(f"http://{address}/version")
    except OSError as error:
        return proof(what, False, f"http://{address}/version: {error}")
    holds = bool(deployed) and headers["X-Release"] == body["release"] == deployed[-1]
    return proof(what, holds, f"asked for {deployed[-1] if deployed else 'nothing'}, {body['release']} answers")


def prove_order(host: str, address: str) -> dict[str, Any]:
    """A job posted over HTTP is done by a worker, and PostgreSQL has the row: reading the order reads it."""
    what = f"an order posted to {host} was processed by a worker and is a row in PostgreSQL"
    began = time.monotonic()
    try:
        order = ask(f"http://{address}/orders", {"item": "proof of the quickstart", "quantity": 1})[1]
        while order["status"] != "processed" and time.monotonic() - began < ORDER_SECONDS:
            time.sleep(0.1)
            order = ask(f"http://{address}/orders/{order['id']}")[1]
    except OSError as error:
        return proof(what, False, f"http://{address}/orders: {error}")
    took = f"{time.monotonic() - began:.1f} s"
    if order["status"] != "processed":
        return proof(what, False, f"order {order['id']} is still {order['status']} after {took}")
    return proof(what, True, f"order {order['id']}, worker {order['processed_by']} of release {order['processed_release']}, {took}")


def ask(url: str, body: Mapping[str, Any] | None = None, *, token: str = "") -> tuple[Mapping[str, str], Any]:
    """One request; (headers, JSON). No proxy of the machine's: everything asked is on it."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return answer.headers, json.load(answer)


def write_report(quickstart: Quickstart, report: Mapping[str, Any]) -> None:
    """The report again, with the proofs."""
    sys.path.insert(0, str(ROOT / "build" / "collections"))
    from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
    from ansible_collections.groundcrew.ops.plugins.plugin_utils import report_page

    write_atomic(quickstart.report, json.dumps(report, indent=2) + "\n")
    write_atomic(quickstart.output / "report.html", report_page.render(report))


def require_proofs(report: Mapping[str, Any]) -> None:
    missing = [f"{one['what']}: {one['detail']}" for one in report["proofs"] if not one["holds"]]
    if missing:
        raise QuickstartError("\n  ".join(["The playbook went through, but this does not hold:", *missing]))


def repeatable_changes(report: Mapping[str, Any]) -> int:
    return sum(step["changed"] for step in report["steps"] if step["name"] in REPEATABLE)


def write_figures(quickstart: Quickstart, report: Mapping[str, Any], *, first: bool, before: Mapping[str, Any] | None) -> None:
    """Only what was measured: the time of a run from nothing, the changes of a run after a complete one."""
    sys.path.insert(0, str(ROOT))
    from tests import figures

    seconds = round(time.monotonic() - quickstart.started, 1)
    if first:
        # There is nothing that should turn a duration red, so it has no control.
        figures.record("quickstart.seconds", seconds, unit="s", target="<= 360", seconds=seconds, command="make quickstart")
    elif before:
        hosts = len({host for step in report["steps"] for host in step["hosts"]})
        control = {"what": "the same steps in the run before it", "value": before["changed"], "red": before["changed"] > 0}
        changed = repeatable_changes(report)
        figures.record(
            "quickstart.second_run_changed", changed, unit="tasks changed", of=hosts, target="== 0", seconds=seconds, command="make quickstart", control=control
        )


def tell(quickstart: Quickstart, environment: Mapping[str, str]) -> None:
    print()
    if quickstart.check:
        changed = sum(step["changed"] for step in json.loads(quickstart.report.read_text())["steps"])
        print(f"A run would change {changed}. Nothing was changed but the local cloud, which is up.")
    else:
        droplets = ask(f"{environment['DIGITALOCEAN_API_URL']}/v2/droplets?tag_name=app&per_page=200", token=environment["DIGITALOCEAN_TOKEN"])[1]["droplets"]
        for droplet in droplets:
            print(f"The application: http://{droplet['networks']['v4'][0]['ip_address']}/health/status  ({droplet['name']})")
    print(f"The report:      {shown(quickstart.output / 'report.html')}")
    print(f"Took:            {time.monotonic() - quickstart.started:.0f} s")
    print("Stop everything: make quickstart-down")


def say(title: str) -> None:
    print(f"\n{title}", flush=True)


def shown(path: Path) -> Path:
    return path.relative_to(ROOT)


def stop(signum: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("up", "check", "down"), nargs="?", default="up")
    parser.add_argument("--check", action="store_true", help="the same as the command check")
    parser.add_argument("--keep-images", action="store_true", help="with down: leave what took a minute to build to the next run")
    parser.add_argument("--name", default="quickstart", help="of the local cloud and of the folders in build/")
    parser.add_argument("--index", type=int, default=0, help="clouds side by side differ in it")
    given = parser.parse_args(arguments)
    quickstart = Quickstart(given.name, given.index, check=given.check or given.command == "check")
    signal.signal(signal.SIGTERM, stop)
    try:
        if given.command == "down":
            down(quickstart, keep_images=given.keep_images)
        else:
            up(quickstart)
    except QuickstartError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again: it goes on where it stopped. Or: make quickstart-down", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
