"""Containers and a network of this machine that stand for a host, for what Traefik finds around it, and for clients."""

import dataclasses
import os
import pathlib
import subprocess
import tempfile

from configuration.rendered import DOMAIN, make_readable
from support.commands import REPOSITORY, attempt, environment, run

STAND_INS = REPOSITORY / "tests/deploy/stand-ins"
REPLICA = "replica.test"


def image(part: str) -> str:
    """The name of the image of a part."""
    return run("tests/deploy/image", part).strip()


def docker(*arguments: str | os.PathLike[str]) -> str:
    """Runs a command of Docker that must succeed, and returns what it prints."""
    return run("docker", *arguments).strip()


@dataclasses.dataclass(frozen=True)
class Network:
    """A private network of Docker. What is on it carries a label, so that all of it can be removed."""

    run: str  # which run of the tests it is for

    @property
    def name(self) -> str:
        """Its name, with which the names of the containers begin."""
        return f"herolo-test-{self.run}"

    @property
    def label(self) -> str:
        """The label of containers and of the network."""
        return f"herolo.test={self.run}"

    def create(self) -> None:
        """Makes the network."""
        docker("network", "create", "--label", self.label, self.name)

    def remove(self) -> None:
        """Removes it, and the containers."""
        containers = docker("ps", "--all", "--quiet", "--filter", f"label={self.label}").split()
        if containers:
            docker("rm", "--force", "--volumes", *containers)
        docker("network", "rm", self.name)

    def options(self, name: str) -> list[str]:
        """The options of a container that is to be on the network under that name."""
        return ["--name", f"{self.name}-{name}", "--label", self.label, "--network", self.name]


@dataclasses.dataclass(frozen=True)
class Machine:
    """A Debian 13 with what the roles install, and with the services that Traefik finds around it."""

    container: str

    def command(self, *command: str) -> list[str]:
        """A command that runs another in the machine."""
        return ["docker", "exec", self.container, *command]

    def run(self, *command: str) -> str:
        """Runs a command in the machine, which must succeed."""
        return run(*self.command(*command)).strip()

    def copy(self, source: pathlib.Path, target: str) -> None:
        """Copies a file into the machine."""
        docker("cp", "--quiet", source, f"{self.container}:{target}")

    def held(self) -> int:
        """How many requests the replica is holding."""
        return int(self.run("curl", "--silent", "http://127.0.0.1:8000/held"))

    def hold(self) -> None:
        """Has the replica hold the requests that ask for it, until they are released."""
        self.post("hold")

    def release(self) -> None:
        """Ends what the replica is holding, and what still comes."""
        self.post("release")

    def post(self, command: str) -> None:
        """Tells the replica to do something."""
        self.run("curl", "--silent", "--request", "POST", "--data", "", f"http://127.0.0.1:8000/{command}")


def start_machine(network: Network) -> Machine:
    """The machine, with its services."""
    options = ("--hostname", "machine", "--cap-add", "NET_ADMIN")
    aliases = ("--network-alias", "socket-filter", "--network-alias", REPLICA)
    docker("run", "--detach", *network.options("machine"), *options, *aliases, image("host"), "sleep", "infinity")
    machine = Machine(f"{network.name}-machine")
    for name in ("backend.py", "flood.py"):
        machine.copy(STAND_INS / name, f"/{name}")
    docker("exec", "--detach", machine.container, "python3", "/backend.py")
    return machine


def start_responder(network: Network, configuration: str) -> None:
    """The HAProxy that has the documents of Traefik's errors, where Traefik looks for it."""
    start_haproxy(network, "problems", configuration, "--user", "65534:65534", "--read-only", "--cap-drop", "ALL")


def start_haproxy(network: Network, name: str, configuration: str, *options: str) -> str:
    """HAProxy with that configuration, which others find by its name. Returns the container."""
    file = "/usr/local/etc/haproxy/haproxy.cfg"
    options += ("--network-alias", name, "--volume", "/usr/local/etc/haproxy")  # for the file
    container = docker("create", *network.options(name), *options, image("haproxy"), "haproxy", "-db", "-f", file)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "haproxy.cfg")
        source.write_text(configuration, encoding="utf-8")
        source.chmod(0o644)
        docker("cp", "--quiet", source, f"{container}:{file}")
    docker("start", container)
    return container


@dataclasses.dataclass(frozen=True)
class Traefik:
    """Traefik as the stack file starts it, and how clients ask it."""

    network: Network
    name: str
    authority: pathlib.Path  # that its certificate is from

    @property
    def container(self) -> str:
        """Its container."""
        return f"{self.network.name}-{self.name}"

    def start(self, edge_image: str, files: pathlib.Path) -> None:
        """Starts it with the files of a folder."""
        hardening = ("--user", "65532:65532", "--read-only", "--cap-drop", "ALL", "--memory", "384m")
        volumes = ("--tmpfs", "/tmp:size=67108864", "--tmpfs", "/acme:uid=65532,mode=0700", "--volume", "/etc/traefik")
        ports = ("--publish", "127.0.0.1::80", "--publish", "127.0.0.1::443")
        docker(
            *("create", *self.network.options(self.name), "--network-alias", self.name),
            *(*hardening, *volumes, *ports, edge_image, "--configFile=/etc/traefik/traefik.yml"),
        )
        make_readable(files)  # for Traefik's own user
        docker("cp", "--quiet", f"{files}/.", f"{self.container}:/etc/traefik")
        docker("start", self.container)

    def put(self, file: pathlib.Path, name: str) -> None:
        """Puts a file into the folder of the routing configuration, as a host does: all of it at once."""
        file.chmod(0o644)
        docker("cp", "--quiet", file, f"{self.container}:/etc/traefik/{name}")
        holder = ("--volumes-from", self.container, "--network", "none", "--label", self.network.label)
        docker("run", "--rm", *holder, image("host"), "mv", f"/etc/traefik/{name}", f"/etc/traefik/routing/{name}")

    def remove(self, name: str) -> None:
        """Removes a file from that folder."""
        holder = ("--volumes-from", self.container, "--network", "none", "--label", self.network.label)
        docker("run", "--rm", *holder, image("host"), "rm", f"/etc/traefik/routing/{name}")

    def address(self, port: int) -> str:
        """Where this machine reaches one of its ports."""
        return docker("port", self.container, f"{port}/tcp").splitlines()[0]

    def curl(self, path: str, *options: str) -> list[str]:
        """The command that asks from this machine."""
        port = self.address(443).rpartition(":")[2]
        reach = ("--cacert", str(self.authority), "--resolve", f"{DOMAIN}:{port}:127.0.0.1")
        return ["curl", "--no-progress-meter", "--max-time", "120", *reach, *options, f"https://{DOMAIN}:{port}{path}"]

    def ask(self, path: str, *options: str) -> str:
        """The answer to this machine."""
        return run(*self.curl(path, *options))

    def status(self, path: str, *options: str) -> int:
        """The status of the answer to this machine; 0 without one."""
        return status_of(self.curl(path, *options))

    def logs(self) -> str:
        """What it has logged."""
        done = attempt("docker", "logs", self.container)
        return done.stdout + done.stderr

    def complaints(self) -> list[str]:
        """What it has logged as a warning, or worse."""
        levels = [f'"level":"{level}"' for level in ("warn", "error", "fatal", "panic")]
        return [line for line in self.logs().splitlines() if any(level in line for level in levels)]

    def state(self) -> str:
        """Its state, how often it was started again, and whether it was killed for its memory."""
        return docker("inspect", "--format", "{{.State.Status}} {{.RestartCount}} {{.State.OOMKilled}}", self.container)


def status_of(curl: list[str]) -> int:
    """The status of the answer to a curl command; 0 without one."""
    return int(attempt(*curl, "--output", "/dev/null", "--write-out", "%{http_code}").stdout or 0)


def statuses_of(curl: list[str]) -> list[str]:
    """A curl command for many requests, that prints the status of each."""
    return [*curl, "--output", "/dev/null", "--write-out", r"%{http_code}\n"]


def begin(command: list[str]) -> subprocess.Popen[str]:
    """Starts a command, whose output is read later."""
    return subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
