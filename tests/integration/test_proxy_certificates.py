# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates from a real ACME authority (Pebble, which Let's Encrypt tests clients with) and one's own, in the proxy of a host."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.integration.release_host import Ran, ReleaseHost

pytestmark = pytest.mark.slow

PROXY = "groundcrew.ops.proxy"
APPLICATION = "groundcrew.ops.compose_app"
SLOTS = {"a": 20000, "b": 20100}
NAME, SECOND, OWN = "shop.example.com", "www.shop.example.com", "own.example.com"
AUTHORITY = "https://localhost:14000/dir"
BUNDLE = "/root/pebble/own.pem"

# Its answers to names come from the host's own table of names, so that it asks the proxy of this host.
PEBBLE = f"""set -eu
DEBIAN_FRONTEND=noninteractive apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends pebble > /dev/null
mkdir -p /root/pebble && cd /root/pebble
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \\
  -keyout key.pem -out own.pem 2> /dev/null
cat > config.json
echo 127.0.0.1 {NAME} {OWN} >> /etc/hosts
systemd-run --quiet --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 pebble -config /root/pebble/config.json
until curl -sk https://localhost:14000/dir > /dev/null; do sleep 0.2; done
"""
CONFIGURATION = {
    "pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": BUNDLE,
        "privateKey": "/root/pebble/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
    }
}


class Site:
    """The host as its clients see it."""

    def __init__(self, host: ReleaseHost, work: Path) -> None:
        self.host = host
        roots = work / "roots.pem"
        roots.write_text(host.ssh("curl -sk https://localhost:15000/roots/0"))
        self.trust = ssl.create_default_context(cafile=str(roots))

    def apply(self, *roles: str, check: bool = False, domains: tuple[str, ...] = (NAME,), own: str | None = None, **more: Any) -> Ran:
        applications: list[dict[str, Any]] = [{"name": "rude", "slots": SLOTS, "replicas": 3, "domains": list(domains), "tls": "acme"}]
        if own:
            applications.append({"name": "own", "slots": {"a": 20200, "b": 20300}, "replicas": 1, "domains": [OWN], "tls": "given"})
            more["proxy_certificates"] = {"own": own}
        account = {"email": "ops@example.com", "server": AUTHORITY, "ca_bundle": BUNDLE}
        given = {"proxy_applications": applications, "proxy_acme": account, **more}
        return self.host.play(*(roles or (PROXY,)), check=check, compose_app_version="1.0.0", **given)

    def connect(self, name: str, trust: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        return (trust or self.trust).wrap_socket(socket.create_connection((self.host.address, 443), timeout=10), server_hostname=name)

    def serial(self, name: str = NAME) -> str:
        with self.connect(name) as connection:
            certificate = connection.getpeercert()
            assert certificate
            return str(certificate["serialNumber"])


@pytest.fixture(scope="module")
def site(host: ReleaseHost, tmp_path_factory: pytest.TempPathFactory) -> Site:
    host.ssh(PEBBLE.replace("cat > config.json", f"echo '{json.dumps(CONFIGURATION)}' > config.json"))
    made = Site(host, tmp_path_factory.mktemp("site"))
    first = made.apply(PROXY, APPLICATION, compose_app_proxy={"host": NAME})
    assert not first.failed, first.message
    return made


def asked(connection: ssl.SSLSocket, name: str = NAME) -> int:
    """The status of an answer over a connection that stays open."""
    client = http.client.HTTPConnection(name)
    client.sock = connection
    client.request("GET", "/orders", headers={"Host": name})
    answer = client.getresponse()
    answer.read()
    return answer.status


def test_it_is_obtained_served_and_not_obtained_again(site: Site) -> None:
    with site.connect(NAME) as connection:
        assert asked(connection) == 200 and connection.version() in ("TLSv1.2", "TLSv1.3")
    plain = http.client.HTTPConnection(site.host.address, timeout=10)
    plain.request("GET", "/orders?a=1", headers={"Host": NAME})
    answer = plain.getresponse()
    assert (answer.status, answer.getheader("Location")) == (308, f"https://{NAME}/orders?a=1")
    assert "release" in site.host.ssh(f"curl -sf -H 'Host: {NAME}' http://127.0.0.1/health/status"), "who asks on the host is answered"
    before = site.serial()
    again = site.apply()
    assert not again.failed and again.changed == 0, again.changed_tasks
    assert site.apply(check=True).changed == 0
    assert site.serial() == before
    with pytest.raises(ssl.SSLError):
        site.connect("another.example.com")


def test_a_renewal_by_the_timer_closes_no_connection(site: Site) -> None:
    before = site.serial()
    with site.connect(NAME) as connection:
        assert asked(connection) == 200
        # What the timer's unit runs, for a certificate that is not due.
        site.host.ssh(f"REQUESTS_CA_BUNDLE={BUNDLE} certbot -q renew --no-random-sleep-on-renew --force-renewal")
        assert site.serial() != before
        assert asked(connection) == 200
        # The control: the same connection over a restart.
        site.host.ssh("systemctl restart haproxy && sleep 1")
        with pytest.raises((OSError, http.client.HTTPException)):
            asked(connection)
    assert "certbot.timer" in site.host.ssh("systemctl list-timers --no-legend")
    assert BUNDLE in site.host.ssh("systemctl show --property=Environment certbot.service")


def test_a_hook_that_failed_is_mended_and_the_dry_run_says_so(site: Site) -> None:
    site.host.ssh("cp /etc/haproxy/certificates/rude.pem /root/old.pem")
    site.host.ssh(f"REQUESTS_CA_BUNDLE={BUNDLE} certbot -q renew --no-random-sleep-on-renew --force-renewal")
    obtained = site.serial()
    site.host.ssh("cp /root/old.pem /etc/haproxy/certificates/rude.pem && python3 /usr/local/lib/groundcrew-proxy-certificate.py load rude")
    assert site.serial() != obtained
    task = "groundcrew.ops.proxy : Have HAProxy use the certificates that were obtained"
    assert site.apply(check=True).changed_tasks == {task} and site.serial() != obtained
    assert site.apply().changed_tasks == {task} and site.serial() == obtained
    assert site.apply().changed == 0


def test_an_authority_that_cannot_reach_the_host_leaves_what_serves(site: Site) -> None:
    before = site.serial()
    # This name resolves to nothing yet.
    failed = site.apply(domains=(NAME, SECOND))
    said = json.dumps(failed.tasks[-1])
    assert failed.failed and f"Cannot obtain certificate rude for {NAME}, {SECOND}" in said and "Traceback" not in said, said
    assert site.serial() == before
    site.host.ssh(f"echo 127.0.0.1 {SECOND} >> /etc/hosts")
    foretold = site.apply(check=True, domains=(NAME, SECOND))
    mended = site.apply(domains=(NAME, SECOND))
    assert not mended.failed, mended.message
    assert foretold.changed_tasks <= mended.changed_tasks and site.serial(SECOND) == site.serial() != before


def test_ones_own_is_exchanged_while_connections_stay_and_a_broken_one_is_refused(site: Site) -> None:
    pems = []
    for number in (1, 2):
        options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        site.host.ssh(f"openssl req {options} -subj /CN={OWN} -addext subjectAltName=DNS:{OWN} -keyout /root/{number}.key -out /root/{number}.pem 2> /dev/null")
        pems.append((site.host.ssh(f"cat /root/{number}.pem"), site.host.ssh(f"cat /root/{number}.key")))
    first = site.apply(own="".join(pems[0]))
    assert not first.failed, first.message
    trust = ssl.create_default_context(cadata="".join(pem for pem, _key in pems))
    with site.connect(OWN, trust) as connection:
        # Nothing is released behind it.
        assert asked(connection, OWN) == 503
    with site.connect(NAME) as connection:
        assert asked(connection) == 200
        exchanged = site.apply(own="".join(pems[1]))
        assert not exchanged.failed and exchanged.changed == 1, exchanged.changed_tasks
        assert asked(connection) == 200
    with site.connect(OWN, ssl.create_default_context(cadata=pems[1][0])):
        pass
    assert pems[1][1].splitlines()[1] not in json.dumps(exchanged.tasks), "the key is shown"
    refused = site.apply(own=pems[0][0] + pems[1][1])
    assert refused.failed
    with site.connect(OWN, ssl.create_default_context(cadata=pems[1][0])):
        pass
    # Without it, its file goes, and so does what certbot keeps when nothing asks for it.
    assert not site.apply().failed
    assert site.host.ssh("ls /etc/haproxy/certificates").split() == ["rude.pem"]
    bare = site.apply(proxy_applications=[{"name": "rude", "slots": SLOTS, "replicas": 3}])
    assert not bare.failed and site.host.ssh("ls /etc/letsencrypt/renewal") == "", bare.message
