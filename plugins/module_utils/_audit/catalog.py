# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that judge facts: a check is a function whose parameters are the facts that it needs, so a catalog can be listed and tried without a host.

Facts are read first, all of them, and each on its own: what cannot be read is ``Unread``, and every check that needs it is "unknown". What was never declared
is ``Undeclared``, and a check that lacks nothing else is "unjudged".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

Told = tuple[bool, str]
Decide = Callable[..., Told]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Unread:
    """A fact that nobody could read."""

    reason: str


class Undeclared(Unread):
    """What nobody declared, so that there is nothing to measure against."""


@dataclass(frozen=True)
class Rule:
    """A check, and how it is decided from facts. decide: whether it passes, and what was seen."""

    check: Check
    decide: Decide

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.decide).parameters)

    def judge(self, subject: str, facts: Facts) -> Finding:
        missing = [told for name in self.needs if isinstance(told := facts.get(name, Unread(f"{name} was not looked at")), Unread)]
        if missing:
            told = "; ".join(each.reason for each in missing)
            if all(isinstance(each, Undeclared) for each in missing):
                return self.check.unjudged(subject, f"Not judged: {told}")
            return self.check.judge(subject, None, f"Could not be told: {told}")
        verdict, evidence = self.decide(*(facts[name] for name in self.needs))
        return self.check.judge(subject, verdict, evidence)


class Catalog:
    """The checks of a noun. The name of the function is the last part of a check's id, so it stays the same for good."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.rules: list[Rule] = []

    def check(self, severity: str, title: str, remedy: str) -> Callable[[Decide], Decide]:
        def register(decide: Decide) -> Decide:
            self.add(decide.__name__, severity, title, remedy, decide)
            return decide

        return register

    def add(self, name: str, severity: str, title: str, remedy: str, decide: Decide) -> None:
        """A check that is made out of data."""
        self.rules.append(Rule(Check(f"{self.noun}.{name}", severity, title, remedy), decide))

    def examine(self, subject: str, facts: Facts) -> list[Finding]:
        return [rule.judge(subject, facts) for rule in self.rules]


def gather(readers: Mapping[str, Callable[[], Any]], side_by_side: int = 8) -> dict[str, Any]:
    """Every fact. What one reader cannot read hides nothing of the others."""
    with ThreadPoolExecutor(side_by_side) as pool:
        return dict(zip(readers, pool.map(_read, readers.values()), strict=True))


def _read(reader: Callable[[], Any]) -> Any:
    try:
        return reader()
    except OpsError as error:
        return Unread(error.message)
    # A file or an answer that is not what a reader takes it for is as unknown as one that is not there.
    except (OSError, ValueError, LookupError) as error:
        return Unread(f"{type(error).__name__}: {error}")


def declared(value: Any, name: str) -> Any:
    """What a check measures against; None was not declared."""
    return Undeclared(f"{name} is not declared") if value is None else value


def nothing_of(wrong: list[str], right: str) -> Told:
    """Passes when nothing is wrong. Evidence stays readable, whatever the number."""
    more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
    return not wrong, f"{'; '.join(wrong[:8])}{more}." if wrong else right
