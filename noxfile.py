# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Makefile's commands do. Each part is a session of its own; ``test`` and ``test_full`` run many and time them.

Everything runs in build/venv, which tests/bootstrap.sh makes: nox is used for its sessions, not for environments.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import nox
from ansible_test._internal.python_requirements import get_venv_packages

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
RESULTS = BUILD / "results"
COLLECTION = BUILD / "collections" / "ansible_collections" / "groundcrew" / "ops"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

SLOW = "GROUNDCREW_SLOW"  # environment variable: whether the slow tests run, "yes" or "no"

Part = Callable[[nox.Session], None]


def pytest(session: nox.Session, name: str, *arguments: str, **environment: str) -> None:
    """Run pytest, which fails when it finds no test, and keep its counts; the slowest tests are listed.

    What is marked slow runs in test_full, load and faults alone.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    slow = os.environ.get(SLOW, "yes" if session.name in ("load", "faults") else "no") == "yes"
    chosen = () if slow else ("-m", "not slow")
    session.run("pytest", f"--junitxml={RESULTS / name}.xml", "--durations=12", "--durations-min=5", *chosen, *arguments, *session.posargs, env=environment)


def files(*patterns: str) -> list[str]:
    """The files that git knows or would take, by pattern."""
    listed = nox.command.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z", "--", *patterns], silent=True, log=False)
    return sorted(name for name in str(listed).split("\0") if name and (ROOT / name).exists())


@contextmanager
def local_cloud(session: nox.Session, name: str = "test", index: int = 1) -> Iterator[dict[str, str]]:
    """A cloud for tests, up for as long as it is needed and gone afterwards; yields what its clients need to know.

    KEEP_CLOUD=1 leaves it up: for whoever works on a test, and for the next part inside ``test``.
    """
    command = ("python", "-m", "localcloud")
    named = ("--name", name, "--index", str(index), "--dir", str(BUILD / "localcloud" / name))
    environment = {"PYTHONPATH": str(ROOT / "tests" / "localcloud")}
    try:
        session.run(*command, "up", *named, env=environment)
        exports = str(session.run(*command, "env", *named, env=environment, silent=True, log=False))
        yield dict(word.split("=", 1) for line in exports.splitlines() for word in shlex.split(line) if "=" in word)
    finally:
        if not os.environ.get("KEEP_CLOUD"):
            session.run(*command, "down", *named, env=environment)


def lint(session: nox.Session) -> None:
    """Styles, types and known mistakes."""
    session.run("tests/bootstrap.sh", "packages", "shellcheck", external=True)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", str(COLLECTION / "plugins"), "tests", "noxfile.py")
    session.run("yamllint", "--strict", ".")
    session.run("shellcheck", *files("*.sh", ".ci/run"), external=True)
    session.run("ansible-lint", "--profile", "production", "--offline", "--strict")


def unit(session: nox.Session) -> None:
    """Policy, plans and adapters, without a network. Their files are in memory where that is possible: they are written with fsync."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    with TemporaryDirectory(dir=memory if usable else None) as folder:
        pytest(session, "unit", "tests/unit", f"--basetemp={folder}/unit")


def shape(session: nox.Session) -> None:
    """The architecture."""
    pytest(session, "shape", "tests/shape")


def copy_of_collection(name: str, *without: str) -> Path:
    """The files of a clone, in a repository of their own under the path that Ansible's tools insist on."""
    copy = BUILD / name / "ansible_collections" / "groundcrew" / "ops"
    shutil.rmtree(BUILD / name, ignore_errors=True)
    for listed in files(".", *(f":!{folder}" for folder in without)):
        target = copy / listed
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / listed, target, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    subprocess.run(["git", "add", "--all"], cwd=copy, check=True)
    return copy


def provide_pip(home: Path) -> None:
    """Give ansible-test the pip that it would download a script for: the script's host is not a package registry."""
    version = get_venv_packages(SimpleNamespace(version=PYTHON))["pip"]
    cache = home / ".ansible" / "test" / "cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if not script.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["python", "-m", "pip", "--quiet", "download", "--no-deps", "--dest", cache, f"pip=={version}"], check=True)
        script.write_text((ROOT / "tests" / "sanity" / "get_pip.py").read_text())


def sanity(session: nox.Session) -> None:
    """ansible-test sanity on what is published; tests are linted with the rest. A program that it misses it passes over, so the words of that are
    looked for.
    """
    session.run("tests/bootstrap.sh", "packages", "git", "shellcheck", external=True)
    copy = copy_of_collection("sanity", "tests", "molecule")
    ignored = [path.name for path in ROOT.glob("tests/sanity/ignore-*.txt") if path.read_text().strip()]
    if ignored:
        session.error(f"nothing is ignored here, so these have to be empty: {', '.join(ignored)}")
    home = BUILD / "home"  # ansible-test keeps its environments under HOME
    home.mkdir(exist_ok=True)
    for settings in (".config", ".pip"):  # pip's mirror and proxy stay the user's
        if (Path.home() / settings).exists() and not (home / settings).exists():
            (home / settings).symlink_to(Path.home() / settings)
    provide_pip(home)
    log = RESULTS / "sanity.log"
    RESULTS.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        # pslint looks at PowerShell, of which there is none.
        command = ["ansible-test", "sanity", "--color", "no", "--python", PYTHON, "--skip-test", "pslint"]
        done = subprocess.run(command, cwd=copy, env={**os.environ, "HOME": str(home)}, stdout=stream, stderr=subprocess.STDOUT, check=False)
    said = log.read_text().splitlines()
    print("\n".join(line for line in said if line.startswith(("Running sanity test", "ERROR", "FATAL"))))
    if done.returncode or any("Required program" in line for line in said):
        session.error(f"ansible-test found something or left a test out; all that it said: {log.relative_to(ROOT)}")


def importer(session: nox.Session) -> None:
    """Build the collection and import it as Galaxy would, with its checks of documentation, changelog and metadata."""
    session.run("tests/bootstrap.sh", "importer", external=True)
    folder = BUILD / "importer-run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    session.run("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(copy_of_collection("package")))
    [package] = folder.glob("groundcrew-ops-*.tar.gz")
    with session.chdir(folder):  # it leaves its result where it runs
        said = str(
            session.run(
                str(BUILD / "importer" / "bin" / "python"),
                "-m",
                "galaxy_importer.main",
                str(package),
                env={
                    "PATH": f"{BUILD / 'importer' / 'bin'}{os.pathsep}{os.environ['PATH']}",
                    "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "False",  # lint runs it, on more files and without a limit of time
                    # what the collection depends on comes with the package "ansible"
                    "ANSIBLE_COLLECTIONS_PATH": str(next((BUILD / "venv" / "lib").glob("python3*/site-packages"))),
                },
                silent=True,
                stderr=subprocess.STDOUT,
                external=True,
                success_codes=range(256),
            )
        )
    session.log(said)
    findings = [line for line in said.splitlines() if line.startswith(("ERROR", "WARNING"))]
    if findings or "Importer processing completed successfully" not in said:
        session.error("\n".join(findings) or "galaxy-importer did not complete")


# A role that names an option which it does not have: linters pass over what they do not find.
CONTROL = """\
argument_specs:
  main:
    short_description: Show that mistakes are seen
    description:
      - See O(main:missing).
    options: {}
"""


def docs(session: nox.Session) -> None:
    """The documentation of plugins and roles: schema, markup, and references to what it depends on. A planted mistake has to be the only one found."""
    copy = copy_of_collection("package")
    control = copy / "roles" / "control" / "meta" / "argument_specs.yml"
    control.parent.mkdir(parents=True)
    control.write_text(CONTROL)
    subprocess.run(["git", "add", "--all"], cwd=copy, check=True)
    options = ("--plugin-docs", "--validate-collection-refs=dependent", "--disallow-unknown-collection-refs")
    command = ["antsibull-docs", "lint-collection-docs", *options, str(copy)]
    done = subprocess.run(command, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "package")}, capture_output=True, text=True, check=False)
    findings = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if len(findings) != 1 or not findings[0].startswith(str(control)):
        session.error("\n".join(["expected the planted mistake in roles/control and no other finding:", *findings]))
    session.run("antsibull-changelog", "lint")


def install_packages(session: nox.Session) -> None:
    """Debian's packages that parts ask for, at once: two lanes would fight for apt's lock."""
    browser = ("chromium",) if session.name == "test_full" or os.environ.get(SLOW) == "yes" else ()
    session.run("tests/bootstrap.sh", "packages", "git", "shellcheck", "redis-tools", *browser, external=True)
    session.run("tests/bootstrap.sh", "postgresql", external=True)


def integration(session: nox.Session) -> None:
    """Every module against the local cloud: check, do, check again, do again, change, remove, remove again."""
    install_packages(session)
    with local_cloud(session) as cloud:
        pytest(session, "integration", "tests/integration", **cloud)


def molecule(session: nox.Session) -> None:
    """Role verbs on real hosts, checked by testinfra. The scenario "default" makes the hosts that the others share, in a cloud of their own."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with local_cloud(session, "molecule", 3) as cloud:
        # What molecule knows of the hosts goes with them: by default it stays behind, for every checkout of this folder's name.
        known = {"MOLECULE_EPHEMERAL_DIRECTORY": str(Path(cloud["GROUNDCREW_CLOUD_DIR"]) / "molecule"), "GROUNDCREW_RESULTS": str(RESULTS)}
        session.run("molecule", "--base-config", "molecule/config.yml", "test", "--all", *session.posargs, env={**cloud, **known})


def load(session: nox.Session) -> None:
    """Releases under traffic and under jobs, for as long as the promises ask. Their short form is part of the integration tests."""
    install_packages(session)
    # The balancer before the hosts runs on this machine. Tests start it, never its package.
    session.run("tests/bootstrap.sh", "unstarted", "haproxy", external=True)
    with local_cloud(session) as cloud:
        pytest(session, "load", "tests/load", **cloud)


def faults(session: nox.Session) -> None:
    """What is killed, cut off, filled up or broken in the middle of its work."""
    install_packages(session)
    with local_cloud(session) as cloud:
        pytest(session, "faults", "tests/faults", **cloud)


def e2e(session: nox.Session) -> None:
    """Quickstart from nothing to nothing, in a cloud of its own; other clouds may be up."""
    pytest(session, "e2e", "tests/e2e/test_quickstart.py")


def removal(session: nox.Session) -> None:
    """What is left when the last local cloud is down; no other one may be up."""
    pytest(session, "removal", "tests/e2e/test_removal.py")


def bench(session: nox.Session) -> None:
    """How fast it is, beside what people do today, in the same run. No part of ``test``: a busy machine spoils it."""
    session.run("tests/bootstrap.sh", "postgresql", external=True)
    pytest(session, "bench", "tests/benchmarks")


# Two lanes for two cores, about as long as each other: parts that have a cloud of their own, or none, beside those that share the tests' one.
BESIDE: tuple[Part, ...] = (unit, lint, docs, importer, sanity, e2e, molecule)
ON_LOCAL_CLOUD: tuple[Part, ...] = (shape, integration, faults)


@dataclass(frozen=True)
class Outcome:
    part: str
    seconds: float
    ok: bool

    def __str__(self) -> str:
        return f"{self.part:<12} {self.seconds:6.0f} s  {'ok' if self.ok else 'FAILED'}"


def run_part(part: Part, slow: str, *, keep_cloud: bool = False, log: Path | None = None) -> Outcome:
    """One part in a process of its own; its output goes to a file where another lane is being read."""
    started = time.monotonic()
    command = [sys.executable, "-m", "nox", "--non-interactive", "--no-venv", "--noxfile", __file__, "--session", part.__name__]
    environment = {**os.environ, SLOW: slow, "KEEP_CLOUD": "1" if keep_cloud else os.environ.get("KEEP_CLOUD", "")}
    with log.open("wb") if log else nullcontext() as stream:
        done = subprocess.run(command, env=environment, stdout=stream, stderr=subprocess.STDOUT if log else None, check=False)
    outcome = Outcome(part.__name__, time.monotonic() - started, done.returncode == 0)
    print(outcome, flush=True)
    return outcome


def output(part: Part) -> Path:
    """What a part printed that another one was read beside."""
    return RESULTS / f"output-{part.__name__}.log"


def run_beside(slow: str) -> list[Outcome]:
    return [run_part(part, slow, log=output(part)) for part in BESIDE]


def use_the_cloud(slow: str, parts: tuple[Part, ...]) -> list[Outcome]:
    return [run_part(part, slow, keep_cloud=part is not parts[-1]) for part in parts]


def run_parts(session: nox.Session, slow: str, *more: Part) -> None:
    """Run every part, whatever the others come to, then say how long each took. The removal comes last: nothing else may be up."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    install_packages(session)
    with ThreadPoolExecutor(1) as beside:
        other = beside.submit(run_beside, slow)
        outcomes = use_the_cloud(slow, (*ON_LOCAL_CLOUD, *more))
        outcomes = [*other.result(), *outcomes, run_part(removal, slow)]
    for part in BESIDE:
        print(f"\n--- {part.__name__}\n{output(part).read_text()}")
    print("\n".join(["", *map(str, outcomes)]), flush=True)
    failed = [outcome.part for outcome in outcomes if not outcome.ok]
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def test(session: nox.Session) -> None:
    """Every test that fits into 35 minutes on 2 cores."""
    run_parts(session, "no")


def test_full(session: nox.Session) -> None:
    """Every test there is, the slow ones too."""
    run_parts(session, "yes", load)


for every in (*BESIDE, *ON_LOCAL_CLOUD, load, removal, bench, test, test_full):
    nox.session(name=every.__name__, python=False)(every)
