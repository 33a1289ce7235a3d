# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.plugin_utils import report_page

EVIL = "<script>alert('x')</script>\"&"


def step(name: str, **fields: Any) -> dict[str, Any]:
    empty = {"hosts": [], "seconds": 1.5, "changed": 0, "outcome": "ok", "facts": {}, "offset": 0.0, "changes": [], "failures": [], "slowest": []}
    return {"name": name, **empty, **fields}


def report(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"schema": 1, "started": "2026-11-21T05:50:00+00:00", "seconds": 90.0, "check": False, "steps": list(steps), **fields}


def everything(text: str) -> dict[str, Any]:
    """A report in which every text that comes from outside is ``text``."""
    table = {"name": text, "source_rows": 3, "restored_rows": 3, "equal": True}
    facts = {
        "provision": {
            text: {
                "droplet_result": {"droplets": [{"name": text, "public_address": text}]},
                "managed_database_result": {"clusters": {text: {"engine": text, "version": text}}},
                "backup_repository_result": {"bucket": text},
            }
        },
        "deploy": {text: {"compose_app_result": {"release": text, "verdict": text, "serving": {"release": text}}}},
        "backup": {text: {"postgresql_result": {"backup_id": text, "rows": 3, "objects": 1, "bytes": 10, "tables": [table]}}},
        "restore": {text: {"postgresql_result": {"backup_id": text, "verdict": text, "tables": [table]}}},
        "rotate": {text: {"secret_result": {text: {"version": text, "state": text}}}},
    }
    here = {"host": text, "task": text}
    more = {"hosts": [text], "changes": [here], "failures": [{**here, "message": text}], "slowest": [{"name": text, "seconds": 1}]}
    return report(
        *(step(name, facts=fact, **more) for name, fact in facts.items()), step(text), started=text, proofs=[{"what": text, "holds": False, "detail": text}]
    )


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_everything_is_escaped() -> None:
    page = report_page.render(everything(EVIL))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 20
    assert [tag for tag, _attributes in read(page).tags] == [
        tag for tag, _attributes in read(report_page.render(everything("plain text that is as long"))).tags
    ]


def test_the_page_loads_nothing() -> None:
    reader = read(report_page.render(everything("x")))
    assert not {tag for tag, _attributes in reader.tags} & {"script", "link", "img", "iframe"}
    assert not [attributes for _tag, attributes in reader.tags if {"src", "href", "onclick"} & set(attributes)]


def test_the_page_can_be_read_aloud() -> None:
    reader = read(report_page.render(everything("x")))
    tags = [tag for tag, _attributes in reader.tags]
    assert ("html", {"lang": "en"}) in reader.tags
    assert tags.count("h1") == 1 and tags.count("table") == tags.count("caption") > 0
    assert all(attributes.get("scope") for tag, attributes in reader.tags if tag == "th")
    assert all({"role", "aria-labelledby"} <= set(attributes) for tag, attributes in reader.tags if tag == "svg")


def test_failures_come_first() -> None:
    page = report_page.render(everything("x"))
    assert page.index("What went wrong") < page.index("What was built") < page.index("What was proven")


@pytest.mark.parametrize(
    ("one", "headline"),
    [
        (report(step("host")), "Everything works"),
        (report(step("host", unfinished=True, outcome="failed")), "The run did not succeed"),
        (report(step("host"), proofs=[{"what": "it answers", "holds": False, "detail": ""}]), "The run did not succeed"),
        (report(step("host"), check=True), "This is what a run would do"),
        (report(), "Everything works"),
    ],
)
def test_the_headline_is_the_outcome(one: dict[str, Any], headline: str) -> None:
    assert f"<h1>{headline}</h1>" in report_page.render(one)


def test_facts_that_say_little_do_no_harm() -> None:
    assert "app-1" in report_page.render(
        report(step("deploy", hosts=["app-1"], facts={"app-1": {"compose_app_result": {"release": None, "serving": None}}}), check=True)
    )
    assert "not compared" in report_page.render(report(step("restore", facts={"a": {"postgresql_result": {"verdict": "not compared", "tables": None}}})))


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (205.7, "3 min 25 s")])
def test_durations_are_said_as_a_person_does(seconds: float, text: str) -> None:
    assert report_page.duration(seconds) == text
