"""A host of several: the programs that the roles install on it, with stand-ins for what they ask."""

import base64
import json
import pathlib
import tempfile

from configuration.parts import Machine, Network, docker, image
from configuration.rendered import DOMAIN
from support.commands import REPOSITORY, run, wait_until, write_program

ROLES = REPOSITORY / "ansible/roles"
PROGRAMS = ("drain/files/herolo-drain", "upkeep/files/herolo-upkeep", "certificates/files/herolo-fetch-certificate")
ROUTING = "/etc/herolo/edge/routing"
LEAVING = f"{ROUTING}/leaving.yml"
STORAGE = "/var/lib/herolo/certificate/storage.json"


class Peer(Machine):
    """A host with the programs."""

    def install(self) -> None:
        """Puts the programs and the folders where the roles do."""
        self.run("mkdir", "-p", ROUTING, "/var/lib/herolo/certificate")
        for program in PROGRAMS:
            self.copy(ROLES / program, "/usr/local/sbin/")

    def clear(self) -> None:
        """Removes what a test has left."""
        self.run(
            "sh", "-c", f"rm -rf {ROUTING}/* /usr/local/bin/* /state /run/reboot-required; mkdir -p {ROUTING} /state"
        )

    def write(self, path: str, text: str) -> None:
        """Writes a file."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file")
            file.write_text(text, encoding="utf-8")
            file.chmod(0o644)
            self.copy(file, path)

    def stand_in(self, program: str, body: str) -> None:
        """Puts a script before a program of the host."""
        with tempfile.TemporaryDirectory() as folder:
            self.copy(write_program(pathlib.Path(folder, program), body), f"/usr/local/bin/{program}")

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return self.run("sh", "-c", f"[ -e {path} ] && echo yes || echo no") == "yes"

    def serve(self, folder: pathlib.Path) -> None:
        """Is the first host, which serves the certificate of a folder, instead of that which it has served."""
        self.run("sh", "-c", "[ ! -e /server ] || kill $(cat /server); rm -f /server")
        wait_until(lambda: not self.listens(), 120, "the former server does not end")
        for name in ("server.pem", "server.key"):
            self.copy(folder / name, f"/{name}")
        server = "exec openssl s_server -accept 443 -quiet -cert /server.pem -key /server.key"
        docker("exec", "--detach", self.container, "sh", "-c", f"echo $$ >/server; {server}")
        wait_until(self.listens, 120, "the server does not start")

    def listens(self) -> bool:
        """Whether something serves TLS."""
        return self.run("sh", "-c", "ss --listening --tcp --numeric | grep -c ':443 ' || true") != "0"

    def know(self, key: pathlib.Path, *, trusted: bool = True) -> None:
        """Has what a deployment has copied from the first host: its storage, with the key."""
        stored = {"domain": {"main": DOMAIN}, "key": base64.b64encode(key.read_bytes()).decode(), "certificate": ""}
        self.write(STORAGE, json.dumps({"acme": {"Certificates": [stored]}}))
        settings = {"first": "127.0.0.1", "domain": DOMAIN, "storage": STORAGE, "authority": "/ca.pem"}
        self.write("/etc/herolo/certificate.json", json.dumps({**settings, "trusted": trusted}))


def start_peer(network: Network, name: str) -> Peer:
    """A host on the network."""
    docker("run", "--detach", *network.options(name), image("host"), "sleep", "infinity")
    peer = Peer(f"{network.name}-{name}")
    peer.install()
    return peer


def renew(authority: pathlib.Path, folder: pathlib.Path, target: pathlib.Path) -> None:
    """Makes another certificate of the key of a folder, as a renewal does."""
    target.mkdir()
    (target / "server.key").write_bytes((folder / "server.key").read_bytes())
    files = {suffix: authority.with_suffix(suffix) for suffix in (".csr", ".key", ".ext")}
    signer = ("-CA", authority, "-CAkey", files[".key"], "-CAcreateserial", "-days", "3", "-extfile", files[".ext"])
    run("openssl", "x509", "-req", "-in", files[".csr"], *signer, "-out", target / "server.pem")
