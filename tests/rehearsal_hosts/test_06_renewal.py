"""The first host reboots and renews the certificate at its start, under load.

The authority's challenge enters at other hosts, too. The balancer goes on sending to the first host for 40 s after its
health check has failed.
"""

import base64
import json
import ssl
import time
import urllib.request
from collections import Counter

import pytest
from rehearsal.balancer import AWS_LAG
from rehearsal.load import Counts
from rehearsal.parts import AUTHORITY
from rehearsal.processes import output, run, wait_until
from rehearsal.world import World
from rehearsal_hosts.reboot import reboot

pytestmark = pytest.mark.long

HOSTS = (1, 2, 3)
DAYS = 10  # that the certificate which must be renewed is valid yet


def days(certificate: dict) -> float:
    """For how long a certificate is valid yet."""
    return (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400


def serials(world: World) -> dict[int, str]:
    """The serial number of the certificate of each host."""
    return {number: certificate["serialNumber"] for number, certificate in world.certificates().items()}


@pytest.fixture(scope="module")
def challenges() -> Counter[str]:
    """The authority's requests at hosts 2 and 3 during the renewal, by their statuses."""
    return Counter()


def entered(world: World) -> Counter[str]:
    """The authority's requests at hosts 2 and 3 since their Traefik's start, by their statuses."""
    return sum((world.requests_of_router("challenges@file", number) for number in HOSTS[1:]), Counter())


def make_old(world: World) -> None:
    """Replaces the certificate in the first host's storage by one of the same authority and key that ends soon."""
    storage = world.on_host("sh", "-c", "ls /var/lib/herolo/acme/*.json").strip()
    stored = json.loads(world.on_host("cat", storage))
    [certificate] = stored["acme"]["Certificates"]
    folder = world.folder / "old"
    folder.mkdir(exist_ok=True)
    (folder / "key").write_bytes(base64.b64decode(certificate["key"]))
    management = output("docker", "port", world.parts.name_of(AUTHORITY), "15000/tcp")
    trusting = ssl._create_unverified_context()
    for name, path in (("ca", "intermediates"), ("ca.key", "intermediate-keys")):
        with urllib.request.urlopen(f"https://{management}/{path}/0", context=trusting, timeout=20) as answer:
            (folder / name).write_bytes(answer.read())
    (folder / "extensions").write_text(f"subjectAltName=DNS:{world.domain}\nextendedKeyUsage=serverAuth\n")
    request, leaf = folder / "request", folder / "leaf"
    run("openssl", "req", "-new", "-key", folder / "key", "-subj", "/", "-out", request)
    serial = ("-CAserial", folder / "ca.srl", "-CAcreateserial")
    signer = ("-CA", folder / "ca", "-CAkey", folder / "ca.key", *serial, "-days", str(DAYS))
    run("openssl", "x509", "-req", "-in", request, *signer, "-extfile", folder / "extensions", "-out", leaf)
    chain = leaf.read_bytes() + (folder / "ca").read_bytes()
    certificate["certificate"] = base64.b64encode(chain).decode()
    world.on_host("tee", storage, input=json.dumps(stored))


def is_renewed(world: World, before: str) -> bool:
    """Whether the first host has another certificate than before, and not the old one."""
    certificate = world.certificate(address=world.settings.address)
    return certificate["serialNumber"] != before and days(certificate) > DAYS


def test_it_reboots_and_peers_serve_the_new_certificate_after_one_run_of_their_timer(
    world: World, show, planned: list[Counts], challenges: Counter[str]
) -> None:
    before = serials(world)
    challenges.subtract(entered(world))
    world.set_lag(AWS_LAG)
    with world.under_load(*HOSTS) as counts:
        make_old(world)  # Traefik reads its storage at its start only
        reboot(world, 1)
        wait_until(lambda: is_renewed(world, before[1]), "the first host has a new certificate", 120)
        for number in HOSTS[1:]:
            world.on_host("systemctl", "start", "herolo-fetch-certificate.service", number=number)
        wait_until(lambda: len(set(serials(world).values())) == 1, "all hosts serve it")
    world.set_lag(0)
    show(counts)
    planned.append(counts)
    challenges.update(entered(world))
    assert serials(world)[2] != before[2]
    assert counts.show_no_loss(), counts


def test_the_challenge_has_entered_at_other_hosts(challenges: Counter[str], show) -> None:
    statuses = {status: count for status, count in challenges.items() if count}
    show(f"{sum(statuses.values()):.0f} requests of the authority at hosts 2 and 3")
    assert set(statuses) == {"200"}
