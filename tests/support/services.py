"""The service as a process, and its MySQL in a container, as the suites in Python start them.

Passwords and keys are in files that only this user can read; they are neither arguments nor part of a failure's report.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
# Every container of a run has this label, by which scripts/pytest removes those that are left.
LABEL = f"herolo.test={os.environ.get('HEROLO_TEST_RUN') or f'{os.getpid()}-{secrets.token_hex(4)}'}"
# Limits in seconds. They are generous: the machine may be busy, and a longer wait means that something hangs.
PATIENCE = 60
START_PATIENCE = 120
START_ATTEMPTS = 5
# Nothing of the machine's own settings reaches the service or a client.
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG")
# Fast, since the data of most tests need not outlive their server.
MYSQL_OPTIONS = ("--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF")

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Waits until the condition holds; `what` names it in the failure."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def clean_environment() -> dict[str, str]:
    """The environment without the settings and proxies of the user who runs the tests."""
    return {**{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}, "no_proxy": "127.0.0.1"}


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Raises KeyboardInterrupt for SIGINT and SIGTERM only at the end of the block."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt


def docker(*arguments: str, check: bool = True) -> str:
    """Runs a command of Docker to its end, also after Ctrl-C, and returns what it prints.

    An interrupted `docker run` could leave a container that nothing knows of.
    """
    with deferred_interrupts():
        done = subprocess.run(
            ["docker", *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
    if check and done.returncode:
        raise RuntimeError(f"docker {arguments[0]} fails: {done.stderr.strip()}")
    return done.stdout.strip()


class Mysql:
    """A MySQL server in a container."""

    def __init__(
        self,
        image: str,
        folder: Path,
        options: Sequence[str] = MYSQL_OPTIONS,
        port: int = 0,
        run_options: Sequence[str] = (),
    ) -> None:
        """`folder` is for the files with its password; `run_options` are those of `docker create`. Docker chooses the
        port, and another one whenever the container is started again, unless one is given."""
        self.image, self.folder, self.options, self.run_options = image, folder, options, run_options
        self.container = f"herolo-test-{secrets.token_hex(6)}"
        self.port = port
        self._password = secrets.token_hex(16)

    def start(self) -> None:
        """Starts it, and waits until it accepts connections over TCP."""
        variables = self.folder / "mysql.env"
        write_secret(variables, f"MYSQL_ROOT_PASSWORD={self._password}\nMYSQL_PWD={self._password}\n")
        docker(
            *("create", "--name", self.container, "--label", LABEL, "--env-file", str(variables)),
            *("--publish", f"127.0.0.1:{self.port or ''}:3306", *self.run_options, self.image, *self.options),
        )
        self._start_container()
        try:
            until(self._accepts_connections, "MySQL accepts connections", START_PATIENCE)
        except AssertionError as fault:
            log = docker("logs", "--tail", "20", self.container, check=False)
            raise RuntimeError(
                f"MySQL does not start; HEROLO_MYSQL_IMAGE names another image to try:\n{log}"
            ) from fault
        self.port = int(docker("port", self.container, "3306/tcp").splitlines()[0].rpartition(":")[2])

    def _start_container(self) -> None:
        """Docker may choose a port that another process has, and chooses the next one when it is asked again."""
        for _ in range(START_ATTEMPTS - 1):
            try:
                docker("start", self.container)
            except RuntimeError as fault:
                if "address already in use" not in str(fault):
                    raise
            else:
                return
        docker("start", self.container)

    def _accepts_connections(self) -> bool:
        running = docker("inspect", "--format", "{{.State.Running}}", self.container, check=False)
        assert running == "true", "the container has ended"
        return "is alive" in docker("exec", self.container, "mysqladmin", "ping", "--host=127.0.0.1", check=False)

    def create_database(self, name: str) -> Path:
        """Creates a database, and returns the file that contains its URL."""
        docker("exec", self.container, "mysql", "--execute", f"CREATE DATABASE {name}")
        file = self.folder / f"database-url-{name}"
        write_secret(file, f"mysql://root:{self._password}@127.0.0.1:{self.port}/{name}?ssl-mode=REQUIRED\n")
        return file

    def execute(self, database: str, statements: str) -> None:
        """Runs statements on a database."""
        docker("exec", self.container, "mysql", "--execute", statements, database)

    def remove(self) -> None:
        """Removes the container and its data, if there is one."""
        docker("rm", "--force", "--volumes", self.container, check=False)


def write_secret(file: Path, text: str) -> None:
    """Writes a file that only this user can read."""
    file.touch(mode=0o600)
    file.write_text(text)


class Service:
    """The service as a process, always on the same port."""

    def __init__(
        self,
        binary: Path,
        folder: Path,
        database_url: Path,
        settings: Mapping[str, str],
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """`database_url` is the file that contains the URL; `folder` gets the log. It listens on a free port, unless
        one is given."""
        self.binary, self.folder = binary, folder
        self.log = folder / "service.log"
        self.address, self.port = address, port or free_port()
        self.url = f"http://{self.address}:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._returned = 0
        keys = folder / "token-keys"
        write_secret(keys, f"test:{b64encode(secrets.token_bytes(32)).decode()}\n")
        self.environment = {
            **clean_environment(),
            "HEROLO_ADDRESS": self.address,
            "HEROLO_PORT": str(self.port),
            "HEROLO_DATABASE_URL_FILE": str(database_url),
            "HEROLO_TOKEN_KEYS_FILE": str(keys),
            **settings,
        }

    def migrate(self) -> None:
        """Creates the tables."""
        with self.log.open("a") as log:
            done = subprocess.run(
                [self.binary, "migrate"], check=False, env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )
        assert done.returncode == 0, f"the migration fails:\n{self.last_log_lines()}"

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve"], env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )
        try:
            until(self._is_ready, "the service is ready", START_PATIENCE)
        except AssertionError as fault:
            self.stop(signal.SIGKILL)
            raise RuntimeError(f"the service does not start:\n{self.last_log_lines()}") from fault

    def _is_ready(self) -> bool:
        assert self.process and self.process.poll() is None, "the service has ended"
        return self.request("GET", "/readyz")[0] == 200

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it, if it is running."""
        process, self.process = self.process, None
        if process:
            process.send_signal(how)
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """The status and the JSON of a response; 0 if there is none."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            with DIRECT.open(request, data, timeout=PATIENCE) as response:
                text = response.read()
                is_json = response.headers.get_content_type() == "application/json"
                return response.status, json.loads(text) if text and is_json else None
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or b"null")
        except OSError:
            return 0, None

    def openapi_document(self) -> Any:
        """The OpenAPI document that the service publishes."""
        status, document = self.request("GET", "/openapi.json")
        assert status == 200, status
        return document

    def last_log_lines(self, number: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self._log_lines()[-number:])

    def new_log_lines(self, number: int = 20) -> str:
        """The end of its log without the lines that an earlier call has returned."""
        lines = self._log_lines()
        new, self._returned = lines[self._returned :], len(lines)
        return "\n".join(new[-number:])

    def _log_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
