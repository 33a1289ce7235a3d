# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a release as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    ComposeFile,
    Migration,
    Occupant,
    Pending,
    Release,
    Secret,
    Service,
    State,
    SupportFile,
)

API = Service("api", "web", "r/shop:1", 3000)
WORKER = Service("worker", "worker", "r/shop:1", stop_grace=30, job_timeout=20)
TEXT = "services:\n  api:\n    image: x\n  worker:\n    image: x\n"


def file(text: str = TEXT, name: str = "compose.yml") -> ComposeFile:
    return ComposeFile(name, text, yaml.safe_load(text))


def release(**changes: Any) -> Release:
    given: dict[str, Any] = {
        "version": "1.0.0",
        "images": {"api": "r/shop@sha256:1"},
        "files": [file()],
        "environment": {"A": "b"},
        "secrets": [Secret("key", "1", "value")],
        "services": [API, WORKER],
        "migration": None,
    }
    return policy.make_release(**{**given, **changes})


def test_equal_releases_have_equal_ids() -> None:
    assert release().id == release().id
    assert release().id.startswith("1.0.0-") and len(release().id) == len("1.0.0-") + 10


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1.0.1"},
        {"images": {"api": "r/shop@sha256:2"}},
        {"files": [file(TEXT + "# a comment\n")]},
        {"environment": {"A": "c"}},
        {"secrets": [Secret("key", "2", "value")]},
        {"services": [API, replace(WORKER, stop_grace=31)]},
        {"migration": Migration("api", ("migrate",))},
        {"support": [SupportFile("app.conf", "eA==")]},
    ],
)
def test_everything_that_decides_what_runs_is_in_the_id(changes: dict[str, Any]) -> None:
    assert release(**changes).id != release().id


@pytest.mark.parametrize("changes", [{"services": [replace(API, replicas=3), WORKER]}, {"secrets": [Secret("key", "1", "other")]}, {"concealed": ["A"]}])
def test_how_much_runs_and_a_secrets_text_are_not(changes: dict[str, Any]) -> None:
    assert release(**changes).id == release().id


def test_the_slots_take_turns() -> None:
    assert policy.next_slot(None) == "a"
    assert policy.next_slot(Occupant("a", "r", "api", {"api": 1})) == "b"
    assert policy.next_slot(Occupant("b", "r", "api", {"api": 1})) == "a"


@pytest.mark.parametrize(
    ("committed", "active", "target", "origin", "rollback", "after"),
    [
        ((), None, "A", None, False, ("A",)),
        (("A",), "A", "B", None, False, ("A", "B")),
        (("A", "B"), "B", "A", None, True, ("A", "B")),  # rolled back: the next rollback does not go forward to B
        (("A", "B"), "A", "C", None, False, ("B", "A", "C")),  # released after a rollback: the one before C is A, not B
        (("A", "B"), "B", "A2", "A", True, ("A2", "B")),  # A with newer secrets
        (("A", "B", "C"), "C", "A", None, False, ("B", "C", "A")),  # A deployed again: the one before is C, which served
        (("A", "B", "C"), "B", "C", None, False, ("A", "B", "C")),  # rolled back, then deployed again
        (("A", "B"), "B", "B", None, False, ("A", "B")),  # another number of replicas
    ],
)
def test_the_history(committed: tuple[str, ...], active: str | None, target: str, origin: str | None, rollback: bool, after: tuple[str, ...]) -> None:
    assert policy.commit(committed, active, target, origin, rollback=rollback) == after


def active(release_id: str, *committed: str) -> State:
    return State(active=Occupant("a", release_id, "api", {"api": 1}), committed=committed)


def test_the_rollbacks_target() -> None:
    assert policy.rollback_target(active("C", "A", "B", "C"), None) == "B"
    assert policy.rollback_target(active("C", "A", "B", "C"), "A") == "A"
    interrupted = replace(active("C", "A", "B", "C"), pending=Pending("run", "PREPARED", Occupant("b", "D", "api", {"api": 1})))
    assert policy.rollback_target(interrupted, None) == "C"
    for state, wanted, said in [
        (active("A", "A", "B"), None, "no committed release before A"),
        (active("A", "A"), "X", "never committed"),
        (State(), None, "Deploy first"),
    ]:
        with pytest.raises(OpsError, match=said):
            policy.rollback_target(state, wanted)


def test_what_serves_and_the_one_before_are_always_kept() -> None:
    assert policy.kept(active("B", "A", "B", "C", "D"), 1) == ("A", "B", "D")
    assert policy.kept(active("D", "A", "B", "C", "D"), 3) == ("B", "C", "D")


def test_a_description_shows_no_secret() -> None:
    environment = {"LOG": "info", "DB": "postgres://u:hunter2@h/d", "API_TOKEN": "hunter2", "HIDDEN": "hunter2", "KEY_FILE": "/run/secrets/key"}
    shown = policy.describe(release(environment=environment, concealed=["HIDDEN"]))
    assert "hunter2" not in str(shown) and "value" not in str(shown)
    assert shown is not None and (shown["environment"]["LOG"], shown["environment"]["KEY_FILE"], shown["secrets"]) == ("info", "/run/secrets/key", ["key@1"])
    assert policy.fingerprint("a") != policy.fingerprint("b")


@pytest.mark.parametrize("share", [1.0, 5.0, 20.0, 50.0, 90.0])
@pytest.mark.parametrize(("new", "old"), [(1, 1), (2, 2), (1, 5), (5, 1)])
def test_weights_give_a_share_of_the_traffic(share: float, new: int, old: int) -> None:
    made = policy.weights(share, [f"b{number}" for number in range(new)], [f"a{number}" for number in range(old)])
    assert all(1 <= weight <= 256 for weight in made.values())
    given = sum(weight for name, weight in made.items() if name.startswith("b"))
    assert abs(100 * given / sum(made.values()) - share) < max(0.1 * share, 1.0)
