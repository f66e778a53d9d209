"""How a host gets the certificate of the first host."""

import base64
import json
import pathlib
import time

import pytest
from configuration.parts import Network
from configuration.peers import ROUTING, STORAGE, Peer, renew, start_peer
from configuration.rendered import DOMAIN
from support.certificates import make_authority, make_certificate
from support.commands import attempt

FETCH = "herolo-fetch-certificate"
INSTALLED = f"{ROUTING}/certificate.yml"


@pytest.fixture(scope="module")
def host(network: Network) -> Peer:
    """A host of several, and the first host."""
    return start_peer(network, "certified")


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The authority of the certificates."""
    return make_authority(tmp_path_factory.mktemp("trusted"))


@pytest.fixture
def first(host: Peer, trusted: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of the certificate that the first host serves; the other one has its key, and no certificate yet."""
    host.clear()
    host.copy(trusted, "/ca.pem")
    folder = tmp_path / "first"
    folder.mkdir()
    make_certificate(trusted, DOMAIN, folder)
    host.know(folder / "server.key")
    host.serve(folder)
    return folder


def installed(host: Peer) -> dict[str, str]:
    """What Traefik is given."""
    [certificate] = json.loads(host.run("cat", INSTALLED))["tls"]["certificates"]
    return certificate


def refusal(host: Peer) -> str:
    """Why the certificate is not installed; that which was installed must stay."""
    before = host.run("cat", INSTALLED) if host.has(INSTALLED) else None
    done = attempt(*host.command(FETCH))
    assert done.returncode == 1 and done.stderr.startswith("error: "), done.stdout + done.stderr
    assert (host.run("cat", INSTALLED) if host.has(INSTALLED) else None) == before
    return done.stderr


def test_the_chain_and_the_key_are_installed_for_traefik_alone_and_once(host, first):
    assert host.run(FETCH) == "installed"
    chain, key = ((first / name).read_text(encoding="ascii") for name in ("server.pem", "server.key"))
    assert installed(host) == {"certFile": chain, "keyFile": key}
    assert host.run("stat", "-c", "%a %u", INSTALLED) == "400 65532"
    assert host.run(FETCH) == "unchanged"


def test_a_renewed_chain_replaces_the_former_one_in_the_copy_of_the_storage_too(host, first, trusted, tmp_path):
    host.run(FETCH)
    renew(trusted, first, tmp_path / "renewed")
    host.serve(tmp_path / "renewed")
    assert host.run(FETCH) == "installed"
    chain = (tmp_path / "renewed/server.pem").read_text(encoding="ascii")
    assert installed(host)["certFile"] == chain
    [stored] = json.loads(host.run("cat", STORAGE))["acme"]["Certificates"]
    assert base64.b64decode(stored["certificate"]).decode() == chain


def test_a_chain_of_another_key_is_refused(host, first, trusted, tmp_path):
    host.run(FETCH)
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(trusted, DOMAIN, other)
    host.serve(other)
    assert "the present one stays: it is of another key" in refusal(host)


def test_a_chain_for_another_domain_is_refused(host, first, trusted, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(trusted, "other.example.com", other)
    host.know(other / "server.key")
    host.serve(other)
    assert "there is none: hostname mismatch" in refusal(host).lower()


def test_a_chain_that_clients_do_not_trust_is_refused_unless_the_authority_is_for_tests(host, first, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(make_authority(tmp_path, "unknown"), DOMAIN, other)
    host.know(other / "server.key")
    host.serve(other)
    assert "unable to get local issuer certificate" in refusal(host)
    host.know(other / "server.key", trusted=False)
    assert host.run(FETCH) == "installed"


def test_an_older_chain_is_refused(host, first, trusted, tmp_path):
    time.sleep(1.1)  # a certificate begins with a whole second
    renew(trusted, first, tmp_path / "renewed")
    host.serve(tmp_path / "renewed")
    assert host.run(FETCH) == "installed"
    host.serve(first)
    assert "the present one stays: it is older" in refusal(host)


def test_a_first_host_that_does_not_answer_changes_nothing(host, first):
    host.run(FETCH)
    host.run("sh", "-c", "kill $(cat /server); rm /server")
    assert "127.0.0.1 serves none" in refusal(host)
