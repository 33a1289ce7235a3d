# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When certbot is asked for a certificate, and for which."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._web.certbot import Certificate

SERVER = "https://authority.example.com/directory"
PARAMS: dict[str, Any] = {
    "name": "shop",
    "state": "present",
    "domains": ["www.example.com", "example.com"],
    "email": "ops@example.com",
    "server": SERVER,
    "ca_bundle": None,
    "challenge_port": 8402,
    "deploy_hook": "/usr/bin/true",
}


class Certbot(Runner):
    """Writes what certbot would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[Sequence[str]] = []
        self.env: Mapping[str, str] | None = None
        self.refuses = ""

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        if argv[0] != "certbot":
            return super().run(argv, **more)
        self.calls.append(argv)
        self.env = more.get("env")
        if self.refuses:
            return Completed(tuple(argv), 1, f"Domain: shop.example.com Detail: {self.refuses}", "Some challenges have failed.")
        live, renewal = self.folder / "live" / "shop", self.folder / "renewal" / "shop.conf"
        if argv[1] == "delete":
            (live / "cert.pem").unlink()
            renewal.unlink()
        else:
            live.mkdir(parents=True, exist_ok=True)
            renewal.parent.mkdir(exist_ok=True)
            names = argv[argv.index("--domains") + 1].split(",")
            make(live / "cert.pem", names, days=90)
            renewal.write_text(f"version = 2.1.0\n[renewalparams]\nserver = {argv[argv.index('--server') + 1]}\n")
        return Completed(tuple(argv), 0, "", "")


def make(file: Path, names: list[str], days: int) -> None:
    names_ = ",".join(f"DNS:{name}" for name in names)
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days), "-subj", f"/CN={names[0]}", "-addext"]
    command = ["openssl", "req", "-x509", *options, f"subjectAltName={names_}", "-keyout", "/dev/null", "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def certbot(tmp_path: Path) -> Certbot:
    return Certbot(tmp_path)


class Later(Clock):
    """As if it were so many days later."""

    def __init__(self, days: int) -> None:
        self._days = days

    def now(self) -> float:
        return super().now() + self._days * 86400


def planned(certbot: Certbot, clock: Clock | None = None, **changes: Any) -> tuple[Certificate, Plan]:
    made = Certificate({**PARAMS, **changes}, certbot, str(certbot.folder), clock)
    current = made.read()
    return made, plan(current, made.desired(current))


def test_it_is_obtained_once_and_again_for_other_names_or_another_authority(certbot: Certbot) -> None:
    made, first = planned(certbot)
    assert first.verb == "create"
    made.apply(first)
    asked = list(certbot.calls[0])
    assert asked[asked.index("--domains") + 1] == "example.com,www.example.com" and asked[asked.index("--deploy-hook") + 1] == "/usr/bin/true"
    assert certbot.env is None
    assert not planned(certbot)[1].changed
    assert not planned(certbot, domains=["example.com", "www.example.com", "example.com"])[1].changed, "in another order"
    for change in ({"domains": ["example.com"]}, {"server": "https://other.example.com/"}):
        made, again = planned(certbot, **change)
        assert again.verb == "update"
        made.apply(again)
        assert not planned(certbot, **change)[1].changed
    state = made.read()
    assert made.result(state)["certificate"]["name"] == "shop" and state and state["expires"].endswith("+00:00")


def test_what_has_less_than_a_third_of_its_life_left_is_due(certbot: Certbot) -> None:
    planned(certbot)[0].apply(planned(certbot)[1])
    for days, due in ((59, False), (61, True)):
        assert planned(certbot, Later(days))[1].changed is due, days


def test_it_is_forgotten(certbot: Certbot) -> None:
    assert not planned(certbot, state="absent")[1].changed
    planned(certbot)[0].apply(planned(certbot)[1])
    made, gone = planned(certbot, state="absent")
    assert gone.verb == "delete"
    made.apply(gone)
    assert made.read() is None and made.result(None) == {"certificate": None}


def test_an_authority_of_ones_own_is_checked_with_its_bundle(certbot: Certbot) -> None:
    made, first = planned(certbot, ca_bundle="/etc/ssl/own.pem")
    made.apply(first)
    assert certbot.env == {"REQUESTS_CA_BUNDLE": "/etc/ssl/own.pem"}


def test_a_refusal_of_the_authority_is_told(certbot: Certbot) -> None:
    certbot.refuses = "no such host"
    made, first = planned(certbot)
    with pytest.raises(OpsError, match="no such host Some challenges have failed"):
        made.apply(first)


def test_a_file_that_is_no_certificate_is_an_error(certbot: Certbot) -> None:
    planned(certbot)[0].apply(planned(certbot)[1])
    (certbot.folder / "live" / "shop" / "cert.pem").write_text("nonsense")
    with pytest.raises(OpsError, match="openssl"):
        planned(certbot)
