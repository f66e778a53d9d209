"""Programs that stand for those of a machine, and machines that have few."""

import pathlib
import shutil
import socket
import tempfile
from collections.abc import Iterator

import pytest
from support.commands import environment, write_program

# The usual commands of a system that the scripts take for granted.
USUAL_COMMANDS = (
    *("bash", "cat", "cut", "dirname", "env", "git", "grep", "head", "id", "mkdir", "od", "rm", "sed", "sh"),
    *("sha256sum", "shasum", "sleep", "ss", "tail", "tr", "uname"),
)


class Stubs:
    """Programs that stand for others, in a folder of their own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def add(self, name: str, body: str) -> None:
        """A program of that name, which is a shell script."""
        write_program(self.folder / name, body)

    def before_all_others(self) -> dict[str, str]:
        """The variables of a machine where these are found first."""
        return {"PATH": f"{self.folder}:{environment()['PATH']}"}

    def with_usual_commands(self, *others: str) -> dict[str, str]:
        """The variables of a machine with these, the usual commands, and others of this machine."""
        machine = pathlib.Path(tempfile.mkdtemp(dir=self.folder.parent))
        for name in (*USUAL_COMMANDS, *others):
            path = shutil.which(name)
            if path:
                (machine / name).symlink_to(path)
        for stub in self.folder.glob("*"):
            (machine / stub.name).unlink(missing_ok=True)
            (machine / stub.name).symlink_to(stub)
        return {"PATH": str(machine), "HEROLO_PORT": str(free_port())}


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(autouse=True)
def no_fetched_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Ignores tools that were downloaded before, and the developer's choice of a Docker daemon."""
    monkeypatch.setenv("TOOLS_FOLDER", str(tmp_path / "tools"))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)


@pytest.fixture
def stubs(tmp_path: pathlib.Path) -> Stubs:
    """A folder for programs that stand for others."""
    (tmp_path / "stubs").mkdir()
    return Stubs(tmp_path / "stubs")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
