# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry, asked over HTTP what a tag stands for: no engine is needed, so a dry run on a fresh host can ask too."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True)
class Reference:
    """An image reference, taken apart the way the engine does it."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def pinned(self, digest: str) -> str:
        return f"{self.registry}/{self.repository}@{digest}"


class Client(Protocol):
    """What ``_core.web.Http`` offers."""

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """An answer with status, headers and body."""


# Makes a client for a base URL with headers.
Connect = Callable[[str, Mapping[str, str]], Client]


def parse(reference: str) -> Reference:
    name, _at, digest = reference.partition("@")
    first, slash, rest = name.partition("/")
    registry, path = (first, rest) if slash and (re.search(r"[.:]", first) or first == "localhost") else ("docker.io", name)
    repository, _colon, tag = path.partition(":")
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    if not re.fullmatch(r"[a-z0-9]+([._/-]+[a-z0-9]+)*", repository) or (tag and not re.fullmatch(r"\w[\w.-]{0,127}", tag)):
        raise OpsError(f"{reference!r} is not an image reference; write registry/repository:tag.")
    return Reference(registry, repository, tag or None, digest or None)


class Registry:
    """Resolves tags to digests.

    plain: registries (host:port) that speak http.
    username, password: for registries that ask for them.
    """

    def __init__(self, connect: Connect, *, plain: Sequence[str] = (), username: str | None = None, password: str | None = None) -> None:
        self._connect = connect
        self._plain = plain
        self._username = username
        self._password = password

    def pin(self, reference: str) -> str:
        """The image by digest. Raises OpsError naming image and registry when it does not exist or cannot be asked."""
        image = parse(reference)
        if image.digest:
            return image.pinned(image.digest)
        path = f"/v2/{image.repository}/manifests/{image.tag or 'latest'}"
        base = self._base(image.registry)
        headers = {"Accept": MANIFESTS}
        try:
            answer = self._connect(base, headers).request("HEAD", path)
            if answer.status == 401:
                answer = self._connect(base, {**headers, "Authorization": self._authorize(answer.headers.get("www-authenticate", ""))}).request("HEAD", path)
        except OpsError as error:
            raise OpsError(f"Cannot look up image {reference} at registry {image.registry}: {error.message}") from error
        if answer.status == 404:
            raise OpsError(
                f"Image {reference} does not exist: registry {image.registry} knows no such tag of {image.repository}. Push it, or correct the version.",
                image=reference,
            )
        if answer.status in (401, 403):
            raise OpsError(
                f"Registry {image.registry} refuses access to image {reference} (HTTP {answer.status}). Give credentials that may pull it.", image=reference
            )
        digest = answer.headers.get("docker-content-digest")
        if answer.status != 200 or not digest:
            raise OpsError(
                f"Registry {image.registry} answered HTTP {answer.status} without a digest for image {reference}; it does not speak the distribution API.",
                image=reference,
            )
        return image.pinned(digest)

    def _base(self, registry: str) -> str:
        host = "registry-1.docker.io" if registry == "docker.io" else registry
        return f"{'http' if registry in self._plain else 'https'}://{host}"

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self._username}:{self._password}".encode()).decode()

    def _authorize(self, challenge: str) -> str:
        """Answer a registry's challenge: with the credentials, or with a token that its token server gives for them."""
        scheme, _space, rest = challenge.partition(" ")
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer":
            return self._basic()
        realm = urlsplit(asked.pop("realm", ""))
        base = f"{realm.scheme}://{realm.netloc}"
        given = {"Authorization": self._basic()} if self._username else {}
        answer = self._connect(base, given).request("GET", f"{realm.path}?{urlencode(asked)}")
        token = (answer.body or {}).get("token") or (answer.body or {}).get("access_token")
        if answer.status != 200 or not token:
            raise OpsError(f"the token server {base} answered HTTP {answer.status} without a token")
        return f"Bearer {token}"
