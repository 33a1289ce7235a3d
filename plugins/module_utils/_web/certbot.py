# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate that certbot keeps: obtained once, renewed by the package's own timer."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

FOLDER = "/etc/letsencrypt"
SHARE_LEFT = 1 / 3  # of its life, in which a certificate is due for another one
_SERVER = re.compile(r"^server *= *(\S+)$", re.MULTILINE)
_NAME = re.compile(r"DNS:([^,\s]+)")


class Certificate:
    """A lineage, in certbot's words: one name, under which each renewal is found."""

    def __init__(self, params: Mapping[str, Any], runner: Runner | None = None, folder: str = FOLDER, clock: Clock | None = None) -> None:
        self._name: str = params["name"]
        self._wanted: Mapping[str, Any] = params
        self._runner = runner or Runner()
        self._clock = clock or Clock()
        self._certificate = Path(folder, "live", self._name, "cert.pem")
        self._renewal = Path(folder, "renewal", f"{self._name}.conf")

    def read(self) -> State | None:
        if not self._certificate.exists() or not self._renewal.exists():
            return None
        asked = ("-noout", "-startdate", "-enddate", "-ext", "subjectAltName")
        said = self._runner.run(["openssl", "x509", "-in", str(self._certificate), *asked]).stdout
        begins, ends = _date(said, "notBefore"), _date(said, "notAfter")
        return {
            "domains": sorted(_NAME.findall(said)),
            "server": "".join(_SERVER.findall(self._renewal.read_text())[:1]),
            "due": ends - self._clock.now() < (ends - begins) * SHARE_LEFT,
            "expires": datetime.fromtimestamp(ends, timezone.utc).isoformat(),
        }

    def desired(self, current: State | None) -> State | None:
        if self._wanted["state"] == "absent":
            return None
        return {"domains": sorted(set(self._wanted["domains"])), "server": self._wanted["server"], "due": False}

    def apply(self, planned: Plan) -> None:
        if planned.after is None:
            self._runner.run(["certbot", "delete", "--non-interactive", "--cert-name", self._name])
            return
        argv = ["certbot", "certonly", "--non-interactive", "--agree-tos", "--email", self._wanted["email"], "--server", planned.after["server"]]
        argv += ["--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(self._wanted["challenge_port"])]
        argv += ["--cert-name", self._name, "--domains", ",".join(planned.after["domains"])]
        # What is due, and what is not, was decided above: certbot's own opinion would leave a plan undone.
        argv += ["--force-renewal", "--renew-with-new-domains"]
        argv += ["--deploy-hook", self._wanted["deploy_hook"]] if self._wanted["deploy_hook"] else []
        bundle = self._wanted["ca_bundle"]
        done = self._runner.run(argv, env={"REQUESTS_CA_BUNDLE": bundle} if bundle else None, check=False)
        if done.rc != 0:
            # Which name failed, and how, is in the one stream, and that it did in the other.
            said = " ".join(f"{done.stdout} {done.stderr}".split())[-1500:]
            raise OpsError(
                f"Cannot obtain certificate {self._name} for {', '.join(planned.after['domains'])} from {planned.after['server']}: {said} "
                "Let each name resolve to this host, and the authority reach its port 80; then run again.",
                rc=done.rc,
            )

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"certificate": {"name": self._name, "expires": None, **state} if state else None}


def _date(said: str, which: str) -> int:
    """In seconds since the epoch."""
    found = re.search(rf"^{which}=(.+)$", said, re.MULTILINE)
    if not found:
        raise OpsError(f"openssl shows no {which}: {said}")
    return ssl.cert_time_to_seconds(found[1])
