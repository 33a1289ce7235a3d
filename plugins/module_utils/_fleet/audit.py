# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of every fleet, whoever sells the machines. Pure: what was read in, findings out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import PROTECT, Membership, belongs, members

WORLD = ("0.0.0.0/0", "::/0")


class Opening(NamedTuple):
    """Ports that everybody can reach."""

    protocol: str
    first: int
    last: int

    def within(self, others: Iterable[Opening]) -> bool:
        return any(self.protocol == other.protocol and other.first <= self.first and self.last <= other.last for other in others)

    def __str__(self) -> str:
        ports = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol} {ports}"


@dataclass(frozen=True)
class Fleet:
    """What a fleet is measured against.

    role: the first part of each check's id. public: what is declared to be open to everybody.
    """

    role: str
    tag: str
    membership: Membership
    public: frozenset[Opening]
    ssh_port: int
    max_age_days: int
    today: dt.date

    @property
    def noun(self) -> str:
        return self.membership.noun

    def check(self, name: str, severity: str, title: str, remedy: str) -> Check:
        return Check(f"{self.role}.{name}", severity, title, remedy)


def subject(name: str, identity: object, found: Sequence[str]) -> str:
    """What a finding calls a member: its name, and which one where two have it."""
    return name if found.count(name) < 2 else f"{name} ({identity})"


def of_members(fleet: Fleet, found: Sequence[str]) -> Iterator[Finding]:
    """Whether the fleet is complete, and whether something wears its tag that is not of it.

    found: the name of everything with the fleet's tag.
    """
    names = [name for name in found if belongs(fleet.membership, name)]
    there = set(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    count = fleet.check("count", "high", f"The fleet has exactly the declared {fleet.noun}s", "Run playbooks/provision.yml with --check --diff, then without.")
    if fleet.membership.prefix is not None and fleet.membership.count is None:
        yield count.unjudged(fleet.tag, f"No count is declared; there are {len(names)}.")
    else:
        declared = fleet.membership.count or 0 if fleet.membership.prefix is not None else len(fleet.membership.names)
        wanted = members(fleet.membership, dict.fromkeys(there, False))
        missing, extra = sorted(set(wanted) - there), sorted(there - set(wanted))
        said = [f"{len(names)} of {declared}"]
        said += [f"{word}: {', '.join(which)}" for word, which in (("missing", missing), ("too many", extra), ("there twice", twice)) if which]
        yield count.judge(fleet.tag, not (missing or extra or twice), "; ".join(said) + ".")
    strange = sorted(name or "(no name)" for name in found if name not in there)
    yield fleet.check(
        "unknown", "medium", "Nothing but members has the fleet's tag", f"Find out who made it; take the tag off, or remove the {fleet.noun}."
    ).judge(fleet.tag, not strange, f"Not members: {', '.join(strange)}." if strange else "Everything with the tag is a member.")


def of_openings(fleet: Fleet, subject: str, open_to_all: Sequence[Opening] | None) -> Iterator[Finding]:
    """Whether somebody can reach what was not declared to be reachable.

    open_to_all: None when nothing stands before the machine, so that every port is open.
    """
    every = [Opening("tcp", 0, 65535), Opening("udp", 0, 65535)]
    seen = every if open_to_all is None else sorted(open_to_all)
    ssh = Opening("tcp", fleet.ssh_port, fleet.ssh_port)
    ports = fleet.check("public_ports", "high", "Everybody reaches what is declared to be public, and nothing else", "Drop the rule, or declare it.")
    undeclared = [each for each in seen if not each.within(fleet.public)]
    yield ports.judge(
        subject,
        not undeclared,
        f"Open to everybody, and not declared: {', '.join(map(str, undeclared))}."
        if undeclared
        else f"Open to everybody: {', '.join(map(str, seen)) or 'nothing'}.",
    )
    closed = fleet.check("ssh_public", "high", "SSH is not open to everybody", "Name the networks of the operators as sources of the firewall's rule.")
    open_ssh = ssh.within(seen)
    declared = ssh.within(fleet.public)
    yield closed.judge(subject, not open_ssh or declared, f"Port {ssh.first} is {'open' if open_ssh else 'closed'}{', as declared' * (open_ssh and declared)}.")


def of_tags(fleet: Fleet, subject: str, seen: Iterable[str], declared: Iterable[str]) -> Finding:
    """The protection is an operator's, and so never wrong."""
    has, wanted = {tag for tag in seen if tag.partition("=")[0] != PROTECT}, {tag for tag in declared if tag.partition("=")[0] != PROTECT}
    check = fleet.check("tags", "low", "Tags are exactly as declared", "Run playbooks/provision.yml with --check --diff, then without.")
    said = [f"{word} {', '.join(sorted(which))}" for word, which in (("missing", wanted - has), ("not declared", has - wanted)) if which]
    return check.judge(subject, has == wanted, f"{'; '.join(said) or ', '.join(sorted(has)) or 'none'}.")


def of_age(fleet: Fleet, subject: str, image: str, made: str | None) -> Finding:
    """made: when the image was, in ISO 8601."""
    check = fleet.check(
        "image_age",
        "medium",
        f"The image is not older than {fleet.max_age_days} days",
        f"Declare a current image and replace the {fleet.noun}s one after the other.",
    )
    if not made:
        return check.judge(subject, None, f"The image {image} does not say when it was made.")
    age = (fleet.today - dt.date.fromisoformat(made[:10])).days
    return check.judge(subject, age <= fleet.max_age_days, f"The image {image} is {age} days old.")


def of_power(fleet: Fleet, subject: str, status: str, on: str) -> Finding:
    check = fleet.check("running", "high", "Every member runs", "Start it, or lower the count.")
    return check.judge(subject, status == on, f"It is {status}.")


def of_monitoring(fleet: Fleet, subject: str, on: bool) -> Finding:
    check = fleet.check(
        "monitoring", "low", "The vendor's metrics are collected", f"Declare {fleet.role}_monitoring for new {fleet.noun}s, and see the runbook."
    )
    return check.judge(subject, on, f"It is {'on' if on else 'off'}.")
