# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nft lists, and what it comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any


def rules_changed(should: str, there: str) -> list[str]:
    """The rules that the one listing of nft has and the other has not, in their order and each with its chain."""
    before, after = list(_rules(should)), list(_rules(there))
    changed = []
    for what, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what != "equal":
            changed += [f"missing {rule}" for rule in before[first:last]] + [f"not declared {rule}" for rule in after[begin:end]]
    return changed


def _rules(listing: str) -> Iterator[str]:
    place = "in the table"
    for line in (each.strip() for each in listing.splitlines()):
        if line.startswith(("chain ", "set ", "map ")) and line.endswith("{"):
            place = f"in {line.removesuffix('{').strip()}"
        elif line not in ("", "}"):
            yield f"{place}: {line}"


def filters(ruleset: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """Each chain that filters what arrives, and whether it drops what no rule of it accepts."""
    chains = {(each["chain"]["table"], each["chain"]["name"]): each["chain"] for each in ruleset if "chain" in each}
    ends: dict[tuple[str, str], list[Any]] = {}
    targets: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for rule in (each["rule"] for each in ruleset if "rule" in each):
        place = (rule["table"], rule["chain"])
        ends[place] = rule["expr"]  # the last one stays
        if not any(_selects(word) for word in rule["expr"]):
            targets.setdefault(place, []).extend((rule["table"], word[verb]["target"]) for word in rule["expr"] for verb in ("goto", "jump") if verb in word)

    def drops(place: tuple[str, str], seen: tuple[tuple[str, str], ...] = ()) -> bool:
        unconditional = {next(iter(word)) for word in ends.get(place, [{"": None}])} <= {"counter", "drop", "reject", "log"} and place in ends
        return unconditional or any(drops(other, (*seen, place)) for other in targets.get(place, []) if other not in seen)

    arriving = [place for place, chain in chains.items() if chain.get("hook") in ("input", "prerouting") and chain.get("type") == "filter"]
    return [(f"{table} {name}", chains[table, name].get("policy") == "drop" or drops((table, name))) for table, name in arriving]


def _selects(word: Mapping[str, Any]) -> bool:
    """Whether a word of a rule leaves traffic out that is meant for this host."""
    matched = word.get("match")
    return matched is not None and not (isinstance(matched.get("left"), Mapping) and "fib" in matched["left"])
