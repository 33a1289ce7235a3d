# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk over the verbs of roles, in random order, with random variables and random damage in between: at each step the verb's dry run says what its run
then does, task by task and diff by diff, and writes nothing.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.integration import checkmode

EXCEPTIONS = Path(__file__).with_name("dryrun_exceptions.yml")
# What differs between two runs of anything: times, and the names of temporary files.
VOLATILE = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "(time)"),
    (re.compile(r"\d{8}T\d{6}Z(-[0-9a-f]{8})?"), "(time)"),
    (re.compile(r"(/\S*)?/ansible-\w*-?(local|tmp)[^\s\"']*"), "(temporary)"),
]

AGAIN = 2

State = frozenset[str]
Snapshot = Mapping[str, Any]
Difference = tuple[str, str, str]


class World(Protocol):
    """Something that verbs work on: hosts, a cloud's account, a store."""

    def run(self, verb: Verb, variables: Mapping[str, Any], *options: str) -> checkmode.Run:
        """Run the verb in a play of its own."""

    def snapshot(self) -> Snapshot:
        """All of it that somebody could change."""

    def damage(self, chance: random.Random, written: Iterable[str]) -> str:
        """Break one of the things that verbs made; what was done, empty where there is nothing to break."""

    def meanwhile(self, verb: Verb) -> None:
        """Have happen what the verb is there for, and what no other verb brings about."""


@dataclass(frozen=True)
class Verb:
    """A verb of a role as the walk sees it.

    variables: made anew for each step. needs: what has to be there; some verb gives it. gives, takes: what is there afterwards, and no more.
    """

    role: str
    verb: str
    variables: Callable[[random.Random], dict[str, Any]]
    needs: State = frozenset()
    gives: State = frozenset()
    takes: State = frozenset()
    collection: str = "groundcrew.ops."

    @property
    def of(self) -> str:
        return f"{self.collection}{self.role}"

    @property
    def name(self) -> str:
        return f"{self.role}.{self.verb}"


@dataclass(frozen=True)
class Excepted:
    """A documented difference: in which verb, of which task, how it differs (as the difference begins; one or more), and why that is honest.

    after: only where the dry run would have changed the same host with one of these tasks.
    """

    verb: str
    task: str
    how: str | list[str]
    reason: str
    after: tuple[str, ...] = ()

    def covers(self, verb: Verb, difference: Difference, foretold: checkmode.Changed) -> bool:
        host, task, what = difference
        ways = [self.how] if isinstance(self.how, str) else self.how
        behind = not self.after or any(where == host and named(one) in self.after for where, one in foretold)
        return self.verb == verb.name and self.task == named(task) and any(what.startswith(how) for how in ways) and behind


def named(task: str) -> str:
    """A task's name without its role."""
    return task.rpartition(" : ")[2]


def exceptions() -> list[Excepted]:
    return [Excepted(**each) for each in yaml.safe_load(EXCEPTIONS.read_text()) or []]


def plain(value: Any) -> Any:
    """A diff without what differs from one run to the next."""
    if isinstance(value, Mapping):
        before, after = value.get("before"), value.get("after")
        if isinstance(before, Mapping) and isinstance(after, Mapping) and before.get("state") == "absent":
            # ansible.builtin.file has no mode and owner for the diff of what is not there yet.
            return {"made": before.get("path"), "state": after.get("state")}
        return {key: plain(each) for key, each in value.items() if key not in ("before_header", "after_header")}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, str):
        for pattern, word in VOLATILE:
            value = pattern.sub(word, value)
    return value


def left_open(said: Any, did: Any) -> Any:
    """What was done, but for the ids that were null in the dry run: nobody knows the id of what a cloud has yet to make."""
    if isinstance(said, Mapping) and isinstance(did, Mapping):
        return {key: None if key.endswith("_id") and key in said and said[key] is None else left_open(said.get(key), each) for key, each in did.items()}
    if isinstance(said, list) and isinstance(did, list) and len(said) == len(did):
        return [left_open(*pair) for pair in zip(said, did, strict=True)]
    return did


def differences(foretold: checkmode.Run, done: checkmode.Run) -> list[Difference]:
    """(host, task, what) of everything that the one run did and the other did not, or did differently."""
    found = [(*where, "only in the dry run") for where in sorted(foretold.changed - done.changed)]
    found += [(*where, "only in the run") for where in sorted(done.changed - foretold.changed)]
    for where in sorted(foretold.changed & done.changed):
        # Not every item of a loop has a diff, and to stop one unit may stop the next.
        said, did = ([plain(each) for each in run.diffs.get(where, []) if each] for run in (foretold, done))
        if said != left_open(said, did):
            found.append((*where, f"differs: the dry run said {json.dumps(said)[:1500]}, the run did {json.dumps(did)[:1500]}"))
    failed, ended = ({each[:2] for each in run.failed} for run in (foretold, done))
    found += [(*where, "failed in the dry run alone") for where in sorted(failed - ended)]
    found += [(*where, "failed in the run alone") for where in sorted(ended - failed)]
    return found


def written(before: Snapshot, after: Snapshot) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


@dataclass
class Tally:
    """What a walk found. compared: (host, task) that changed something in either run; steps: how often each verb was run, and its failures."""

    compared: int = 0
    mismatches: list[str] = field(default_factory=list)
    excepted: list[str] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Walk:
    """seed: of everything that is random. A verb whose needs are not met waits for the verbs that give them, which are steps as well."""

    def __init__(self, world: World, verbs: Iterable[Verb], seed: int, say: Callable[[str], None] = print) -> None:
        self._world = world
        self._verbs = list(verbs)
        self._chance = random.Random(seed)
        self._say = say
        self._known = exceptions()
        self._state: set[str] = set()
        self._written: set[str] = set()
        self.tally = Tally()

    def all(self, rounds: int) -> Tally:
        """Each verb at least so many times, in random order. One that only failed so far is run again, with what it needs made anew."""
        for _round in range(rounds):
            for verb in self._chance.sample(self._verbs, len(self._verbs)):
                self._visit(verb)
        for verb in self._verbs * AGAIN:
            if self.tally.failed[verb.name] == self.tally.steps[verb.name]:
                self._state -= verb.needs
                self._visit(verb)
        return self.tally

    def _visit(self, verb: Verb) -> None:
        for need in sorted(verb.needs):
            if need not in self._state:
                self._visit(self._chance.choice([each for each in self._verbs if need in each.gives]))
        self.step(verb)

    def step(self, verb: Verb) -> None:
        """Damage, perhaps; dry run; run."""
        variables = verb.variables(self._chance)
        self._world.meanwhile(verb)
        damaged = self._world.damage(self._chance, sorted(self._written)) if self._chance.random() < 0.6 else ""
        self._say(f"{verb.name} {json.dumps(variables)[:300]}{' after: ' + damaged if damaged else ''}")
        before = self._world.snapshot()
        foretold = self._world.run(verb, variables, "--check", "--diff")
        between = self._world.snapshot()
        done = self._world.run(verb, variables, "--diff")
        after = self._world.snapshot()
        self._judge(verb, foretold, [("check mode", name, "was written by it") for name in written(before, between)] + differences(foretold, done))
        self.tally.compared += len(foretold.changed | done.changed)
        self.tally.steps[verb.name] += 1
        if done.failed:
            self.tally.failed[verb.name] += 1
            self._say(f"  failed: {done.failed}"[:1000])
        self._written |= set(written(between, after))
        self._state = (self._state - verb.takes) | verb.gives if not done.failed else self._state - verb.takes

    def _judge(self, verb: Verb, foretold: checkmode.Run, found: list[Difference]) -> None:
        for each in found:
            known = next((excepted for excepted in self._known if excepted.covers(verb, each, foretold.changed)), None)
            line = f"{verb.name}: {': '.join(each)}"
            (self.tally.excepted if known else self.tally.mismatches).append(line)
            self._say(f"  {'excepted' if known else 'MISMATCH'}: {line}")
