"""What the tests of ansible/ and traefik/ work on: what Ansible renders, and programs that read it."""

import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest
from configuration.parts import Machine, Network, Traefik, image, start_machine, start_responder
from configuration.rendered import DOMAIN, HOSTS, ROUTING, Rendered, Sources, write_inputs
from configuration.routes import ROUTES
from support.certificates import make_authority, make_certificate
from support.commands import wait_until


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The variables that site.yml gets."""
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """The roles, which render."""
    return Sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def plain(sources: Sources, inputs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of what every template and every variable of the roles became."""
    return sources.render(inputs, tmp_path_factory.mktemp("plain") / "rendered")


@pytest.fixture(scope="session")
def rendered(plain: pathlib.Path) -> Rendered:
    """The same, read."""
    return Rendered(plain)


@pytest.fixture(scope="session")
def several(sources: Sources, inputs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The same for two hosts behind a balancer: a folder for each."""
    deployment = json.loads(inputs.read_text(encoding="utf-8"))["deployment"]
    deployment |= {"hosts": HOSTS[:2], "entry": "balancer", "addresses": ["198.51.100.1"]}
    return sources.render(inputs, tmp_path_factory.mktemp("several") / "rendered", deployment=deployment).parent


@pytest.fixture(scope="session")
def first(several: pathlib.Path) -> Rendered:
    """What the first of two hosts has."""
    return Rendered(several / "host-1")


@pytest.fixture(scope="session")
def second(several: pathlib.Path) -> Rendered:
    """What the second of two hosts has."""
    return Rendered(several / "host-2")


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """A network, which is removed with all that is on it."""
    network = Network(os.environ.get("HEROLO_TEST_RUN", str(os.getpid())))
    network.create()
    try:
        yield network
    finally:
        network.remove()


@pytest.fixture(scope="session")
def machine(network: Network) -> Machine:
    """A machine on that network."""
    return start_machine(network)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The authority of Traefik's certificate."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def files(rendered: Rendered, authority: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What the role installs for Traefik, with a certificate and routers beside it."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / "traefik.yml").write_text(rendered.install_text, encoding="utf-8")
    (folder / "routing").mkdir()
    shutil.copy(ROUTING, folder / "routing")
    (folder / "routing/unrouted.yml").write_text(rendered.unrouted_text, encoding="utf-8")
    (folder / "routing/test.yml").write_text(ROUTES, encoding="utf-8")
    make_certificate(authority, DOMAIN, folder)
    return folder


@pytest.fixture(scope="session")
def start(
    network: Network, machine: Machine, rendered: Rendered, authority: pathlib.Path
) -> Callable[[str, pathlib.Path], Traefik]:
    """Starts a Traefik with the files of a folder."""
    machine.copy(authority, "/ca.pem")
    start_responder(network, rendered.problems_text)

    def start(name: str, files: pathlib.Path) -> Traefik:
        traefik = Traefik(network, name, authority)
        traefik.start(image("traefik"), files)
        return traefik

    return start


@pytest.fixture(scope="session")
def edge(start: Callable[[str, pathlib.Path], Traefik], files: pathlib.Path) -> Traefik:
    """Traefik with its configuration."""
    edge = start("edge", files)
    wait_until(lambda: edge.status("/") == 200, 180, f"Traefik does not answer:\n{edge.logs()}")
    return edge
