# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS as moto serves it, in this process: with what EC2 does and moto does not, and with what goes wrong on purpose."""

from __future__ import annotations

import io
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

from moto.ec2 import utils
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.models.instances import InstanceBackend, Reservation
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

NO_TOKEN = "ABCDE"  # what moto takes for a request without one
MADE_VOLUME, LAUNCHED, LISTED = Volume.__init__, InstanceBackend.run_instances, InstanceBackend.all_reservations


class Moto:
    """watcher: told each moment, "asked" or "answered", with the method and the action. lose: actions whose next answer does not arrive.

    blind: instances that are launched meanwhile are not listed.
    """

    def __init__(self) -> None:
        self.url = ""
        self.watcher: Callable[[str, str, str], None] | None = None
        self.lose: set[str] = set()
        self.blind = False
        self._launches: dict[str, tuple[str, Reservation]] = {}
        self._hidden: set[str] = set()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        action = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
        self._watch("asked", environ, action)
        with self._one_at_a_time:
            answer: Iterable[bytes] = self._app(environ, start_response)
        self._watch("answered", environ, action)
        if action in self.lose:
            self.lose.remove(action)
            # Done, but nobody hears of it.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _watch(self, moment: str, environ: dict[str, Any], action: str) -> None:
        if self.watcher:
            self.watcher(moment, environ["REQUEST_METHOD"], action)

    def launch(self, backend: InstanceBackend, image: str, count: int, user_data: Any, groups: list[str], **options: Any) -> Reservation:
        """Once for each token, as EC2's manual has it ("Ensuring idempotency"); moto launches each time."""
        token = options.get("client_token", NO_TOKEN)
        asked = repr((image, count, user_data, groups, sorted(options.items())))
        if token in self._launches:
            before, reservation = self._launches[token]
            if any(each.state == "terminated" for each in reservation.instances):
                raise EC2ClientError("IdempotentInstanceTerminated", "The instance of this client token has been terminated.")
            if before != asked:
                raise EC2ClientError("IdempotentParameterMismatch", "The client token was used with other parameters.")
            return reservation
        made = LAUNCHED(backend, image, count, user_data, groups, **options)
        for each in made.instances:
            # Those of its first interface, which moto forgets.
            each.security_groups = each.security_groups or list(each.nics[0].group_set)
        if token != NO_TOKEN:
            self._launches[token] = asked, made
        if self.blind:
            self._hidden.add(made.id)
        return made

    def listed(self, backend: InstanceBackend, filters: Any = None) -> list[Reservation]:
        return [each for each in LISTED(backend, filters) if not self.blind or each.id not in self._hidden]


def _complete(volume: Volume, *args: Any, **more: Any) -> None:
    """Amazon always tells of a volume's snapshot, also of none; moto leaves it out, and amazon.aws.ec2_vol_info needs it."""
    MADE_VOLUME(volume, *args, **more)
    volume.snapshot_id = volume.snapshot_id or ""


@contextmanager
def serving() -> Iterator[Moto]:
    """An empty AWS on a free port of loopback."""
    moto = Moto()
    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(Volume, "__init__", _complete))
        patched.enter_context(mock.patch.object(InstanceBackend, "run_instances", lambda *args, **options: moto.launch(*args, **options)))
        patched.enter_context(mock.patch.object(InstanceBackend, "all_reservations", lambda *args, **options: moto.listed(*args, **options)))
        patched.enter_context(mock.patch.dict(utils.filter_dict_attribute_mapping, {"client-token": "client_token"}))
        server = make_server("127.0.0.1", 0, moto, threaded=True, request_handler=MotoRequestHandler)
        moto.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            urllib.request.urlopen(urllib.request.Request(f"{moto.url}/moto-api/reset", method="POST")).close()
            yield moto
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
