# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Compose files say about a release, as tables."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.groundcrew.ops.plugins.lookup.compose_file import LookupModule
from ansible_collections.groundcrew.ops.plugins.module_utils._release import composefile
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import ComposeFile, Migration, Service, Slot

SLOTS = {"a": Slot("a", 20000), "b": Slot("b", 20010)}
API = Service("api", "web", "r/shop:1", 3000)
WORKER = Service("worker", "worker", "r/shop:1", stop_grace=30, job_timeout=20)
TEXT = "services:\n  api:\n    image: x\n  worker:\n    image: x\n"


def file(text: str = TEXT, name: str = "compose.yml", part: bool = False) -> ComposeFile:
    return ComposeFile(name, text, yaml.safe_load(text), part)


def found(*texts: str, **changes: Any) -> list[str]:
    given: dict[str, Any] = {"services": [API, WORKER], "slots": SLOTS, "migration": None, "shipped": [], **changes}
    files = given.pop("files", None) or [file(text) for text in texts or (TEXT,)]
    return composefile.violations(files, **given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services:\n  api:\n    container_name: one\n  worker: {}\n", "compose.yml:3: services.api.container_name"),
        ("services:\n  api:\n    image: x\n    ports:\n      - '80:3000'\n  worker: {}\n", "compose.yml:4: services.api.ports"),
        ("services:\n  api:\n    ports: [{target: 3000, published: 80}]\n  worker: {}\n", "compose.yml:3: services.api.ports"),
        ("services:\n  api:\n    ports: ['${PORT:-80}:3000']\n  worker: {}\n", "compose.yml:3: services.api.ports"),
        ("services:\n  api: {}\n  worker:\n    network_mode: host\n", "compose.yml:4: services.worker.network_mode"),
        ("services:\n  api:\n    depends_on: [db]\n  worker: {}\n  db: {}\n", "compose.yml:3: services.api.depends_on: db"),
        ("services: {api: {container_name: one}, worker: {}}\n", "compose.yml:1: services.api.container_name"),
        ("x-base: &base\n  container_name: one\nservices:\n  api:\n    <<: *base\n  worker: {}\n", "compose.yml:4: services.api.container_name"),
        ("services:\n  api: {}\n", "compose.yml: services.worker is not defined; defined are api"),
        ("services:\n  api:\n    env_file: [a.env]\n  worker: {}\n", "compose.yml:3: services.api.env_file: a.env is not beside"),
        ("services:\n  api:\n    volumes: ['./data:/data']\n  worker: {}\n", "compose.yml:3: services.api.volumes: data is not beside"),
        ("services:\n  api: {}\n  worker: {}\nconfigs:\n  c:\n    file: ./c.conf\n", "compose.yml:6: configs.c.file: c.conf is not beside"),
        ("include: [more.yml]\nservices:\n  api: {}\n  worker: {}\n", "compose.yml:1: include: more.yml is not beside"),
        (
            "services:\n  api:\n    networks:\n      n: {ipv4_address: 10.9.0.2}\n  worker: {}\nnetworks:\n  n: {external: true}\n",
            "compose.yml:4: services.api.networks.n: network n gives a fixed address",
        ),
        (
            "services:\n  api:\n    networks: [n]\n  worker: {}\nnetworks:\n  n:\n    ipam: {config: [{subnet: 10.9.0.0/24}]}\n",
            "compose.yml:7: networks.n.ipam: network n has a fixed subnet",
        ),
    ],
)
def test_what_two_slots_cannot_share_is_refused_with_its_place(text: str, said: str) -> None:
    (violation,) = found(text)
    assert violation.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  api:\n    ports: ['3000', '${PORT:-3000}']\n  worker:\n    depends_on: {api: {condition: service_healthy}}\n",
        "services:\n  api:\n    volumes: ['/conf:/conf', 'data:/data', {type: bind, source: /x}]\n  worker: {}\nvolumes: {data: {}}\n",
        "services:\n  api:\n    env_file: [{path: o.env, required: false}, .env]\n  worker: {}\n",
        "services:\n  api:\n    networks: [n]\n  worker: {}\nnetworks:\n  n: {external: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}\n",
    ],
)
def test_what_two_slots_can_share_is_not(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"services": []}, "none is released"),
        ({"services": [API, replace(API, name="worker")]}, "2 web services"),
        ({"services": [replace(API, port=None), WORKER]}, "needs port"),
        ({"services": [replace(API, replicas=11), WORKER]}, "do not fit"),
        ({"services": [replace(API, replicas=0), WORKER]}, "at least one must run"),
        ({"services": [API, WORKER, WORKER]}, "worker is listed twice"),
        ({"services": [API, replace(WORKER, single=True, replicas=2)]}, "single is for a worker of one replica; this is worker with 2"),
        ({"services": [replace(API, single=True), WORKER]}, "single is for a worker of one replica; this is web with"),
        ({"migration": Migration("db", ("x",))}, "service db is not one of the services"),
    ],
)
def test_services_that_forbid_a_release(changes: dict[str, Any], said: str) -> None:
    violations = found(**changes)
    assert any(said in violation for violation in violations), violations


def test_workers_alone_and_data_services_are_accepted() -> None:
    assert found(services=[WORKER]) == []
    text = "services:\n  api:\n    depends_on: [db]\n  worker: {}\n  db:\n    container_name: one\n    ports: ['5432:5432']\n"
    assert found(text, services=[API, WORKER, Service("db", "data", "")]) == []


def test_a_stop_that_would_kill_jobs_is_refused_with_its_line() -> None:
    text = "services:\n  api: {}\n  worker:\n    image: x\n    stop_grace_period: 1m30s\n"
    long = composefile.complete({"name": "worker", "kind": "worker", "job_timeout": 91}, [file(text)])
    (violation,) = found(text, services=[API, long])
    assert violation.startswith("compose.yml:5: services.worker.stop_grace_period: containers of worker get 90 s to end, and a job may take 91 s")
    assert "Set stop_grace_period to 91s" in violation
    assert found(text, services=[API, replace(long, job_timeout=90)]) == []


def test_all_violations_come_at_once() -> None:
    text = "services:\n  api:\n    container_name: one\n    network_mode: host\n    ports: ['80:80']\n    env_file: x.env\n"
    assert len(found(text)) == 5


def test_what_options_leave_open_comes_from_the_compose_files() -> None:
    base = file("services:\n  worker:\n    image: x:1\n    stop_grace_period: 45s\n    deploy: {replicas: 3}\n")
    more = file("services:\n  worker:\n    stop_grace_period: 2m\n", "more.yml")
    service = composefile.complete({"name": "worker", "kind": "worker", "image": None, "stop_grace": None, "replicas": None, "job_timeout": 0}, [base, more])
    assert (service.image, service.stop_grace, service.replicas) == ("x:1", 120, 3)
    told = composefile.complete({"name": "worker", "kind": "worker", "image": "y:1", "stop_grace": 7, "replicas": 1}, [base, more])
    assert (told.image, told.stop_grace, told.replicas) == ("y:1", 7, 1)


@pytest.mark.parametrize(("text", "wanted"), [("30", 30), ("90s", 90), ("1m30s", 90), ("1h", 3600), ("1500ms", 2), (20, 20)])
def test_durations_are_read_as_compose_reads_them(text: Any, wanted: int) -> None:
    assert composefile.seconds(text) == wanted


def test_what_is_extended_is_looked_at_too() -> None:
    main = file("services:\n  api:\n    extends: {file: base/base.yml, service: node}\n  worker:\n    extends: api\n")
    base = file("services:\n  node:\n    env_file: node.env\n    network_mode: host\n", "base/base.yml", part=True)
    violations = found(files=[main, base])
    assert any(each.startswith("base/base.yml:4: services.node.network_mode") for each in violations)
    assert any(each.startswith("base/base.yml:3: services.node.env_file: base/node.env is not beside") for each in violations)


# the lookup on the control node


class Lookup(LookupModule):
    """The plugin with its options as given, without Ansible's loader."""

    def set_options(self, *_arguments: Any, direct: dict[str, Any], **_options: Any) -> None:
        self.given = direct

    def get_option(self, option: str, *_arguments: Any, **_options: Any) -> Any:
        return self.given[option]


def lookup(*terms: Path, support: bool = False) -> list[dict[str, Any]]:
    return list(Lookup(loader=DataLoader()).run([str(term) for term in terms], variables={}, support=support))


def test_files_come_with_what_they_extend_and_name(tmp_path: Path) -> None:
    (tmp_path / "conf" / "deep").mkdir(parents=True)
    (tmp_path / "conf" / "deep" / "a.conf").write_text("a\n")
    (tmp_path / "conf" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "conf" / "run.sh").chmod(0o700)
    (tmp_path / "api.env").write_text("A=b\n")
    (tmp_path / "base.yml").write_text("services:\n  node:\n    env_file: api.env\n")
    (tmp_path / "compose.yml").write_text(
        "services:\n  api:\n    extends: {file: base.yml, service: node}\n    env_file: .env\n    volumes: ['./conf:/conf:ro', 'data:/data', './gone:/x']\n"
    )
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "compose.yml").write_text("services:\n  worker: {}\n")
    named = (tmp_path / "compose.yml", tmp_path / "worker" / "compose.yml")
    assert [(each["name"], each["part"]) for each in lookup(*named)] == [("compose.yml", False), ("worker/compose.yml", False), ("base.yml", True)]
    support = {each["name"]: (base64.b64decode(each["content"]), each["mode"]) for each in lookup(*named, support=True)}
    assert support == {"api.env": (b"A=b\n", "0644"), "conf/deep/a.conf": (b"a\n", "0644"), "conf/run.sh": (b"#!/bin/sh\n", "0755")}


def test_files_that_cannot_be_a_release_are_refused(tmp_path: Path) -> None:
    for folder, text in (("a", "services:\n  api:\n    env_file: ../x.env\n"), ("b", "services: {}\n"), ("c", "- 1\n"), ("d", "a: [\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "compose.yml").write_text(text)
    for names, said, support in (
        (("a",), "outside of their folder", True),
        (("b", "a"), "Two Compose files have the same name", False),
        (("c",), "no mapping at its top", False),
        (("d",), "is not YAML", False),
        (("e",), "does not exist", False),
    ):
        with pytest.raises(AnsibleLookupError, match=said):
            lookup(*(tmp_path / name / "compose.yml" for name in names), support=support)
