# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: who did what to which secret, when, from which fingerprint to which. Never a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Records
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import told


def export(records: Records, names: Sequence[str], anchors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every entry of the journals, and where each of them ends.

    A chain shows that nothing before its end was changed; that its end is the end, only somebody else can know: the anchors of an earlier export.
    Raises OpsError for a journal that was tampered with.
    """
    trail: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    known = records.names()
    for name in sorted({*names} or {*known, *(anchor["secret"] for anchor in anchors)}):
        entries = records.entries(name) if name in known else []
        for anchor in anchors:
            if anchor["secret"] == name:
                _require(entries, anchor)
        trail += _story(name, entries)
        if entries:
            ends.append({"secret": name, "seq": entries[-1]["seq"], "hash": entries[-1]["hash"]})
    return {"trail": trail, "anchors": ends}


def _require(entries: Sequence[Mapping[str, Any]], anchor: Mapping[str, Any]) -> None:
    seq = int(anchor["seq"])
    if len(entries) < seq or entries[seq - 1]["hash"] != anchor["hash"]:
        raise OpsError(
            f"The journal of {anchor['secret']} is not the one that was exported before: entry {seq} is gone or is another one. It was rewritten, or its"
            " end was cut off. Compare it with the export and with a backup of the store.",
            secret=anchor["secret"],
            seq=seq,
        )


def _story(name: str, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    about: dict[str, Any] = {"rotation": None, "strategy": None, "from": None, "to": None}
    lines = []
    for entry in entries:
        if entry["kind"] == "planned":
            about = {"rotation": entry["rotation"], "strategy": entry["strategy"], "from": entry["old_fingerprint"], "to": None}
        about = {**about, "to": entry.get("new_fingerprint", about["to"])}
        lines.append(
            {
                "secret": name,
                "seq": entry["seq"],
                "at": told(entry["at"]),
                "by": entry.get("by") or None,
                "what": " ".join(filter(None, [entry["kind"], entry.get("state"), entry.get("consumer")])),
                **about,
                "hash": entry["hash"],
            }
        )
    return lines
