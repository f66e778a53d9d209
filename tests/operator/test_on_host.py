"""What a host tells about itself, with programs in the place of docker and the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import REPOSITORY

SCRIPT = REPOSITORY / "scripts/herolo_operator/on_host.py"
PROGRAMS = {
    "docker": """\
#!/bin/sh
case "$*" in
  *service.name=edge_problems) [ -n "$PROBLEMS" ] && echo 2 ;;
  *service.name=edge_traefik) echo 1 ;;
  *"--filter id=1 "*) echo "Up 3 hours (healthy)" ;;
  *"--filter id=2 "*) echo "$PROBLEMS" ;;
  *) exit 1 ;;
esac
""",
    "herolo-drain": '#!/bin/sh\n[ "$1" = status ] && echo "$DRAIN"\n',
    "apt-get": "#!/bin/sh\n",
    "openssl": "#!/bin/sh\nexit 1\n",
    "systemctl": '#!/bin/sh\n[ "$2" = herolo-upkeep.timer ] && echo "$UPKEEP"\n',
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of a host that serves."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, value in {"PROBLEMS": "Up 3 hours", "DRAIN": "serving", "UPKEEP": "disabled"}.items():
        monkeypatch.setenv(name, value)


def ask(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """The rows by name, of a host that requires a restart."""
    required = tmp_path / "reboot-required"
    required.touch()
    text = SCRIPT.read_text(encoding="utf-8")
    for path in ("/usr/local/sbin/herolo-drain", "/run/reboot-required"):
        assert path in text
        text = text.replace(path, str(tmp_path / Path(path).name))
    done = subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True, check=True)
    return {name: (state, details) for name, state, details in json.loads(done.stdout)}


@pytest.mark.usefixtures("host")
def test_the_server_of_error_documents_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(tmp_path)["problems"] == ("running", "Up 3 hours")
    monkeypatch.setenv("PROBLEMS", "Restarting (1) 2 seconds ago")
    assert ask(tmp_path)["problems"][0] == "NOT RUNNING"
    monkeypatch.setenv("PROBLEMS", "")
    state, details = ask(tmp_path)["problems"]
    assert state == "NOT RUNNING" and details.startswith("not running: ")


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(("said", "shown"), [("serving", None), ("draining", "draining"), ("drained", "drained")])
def test_a_drain_is_shown(said: str, shown: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIN", said)
    assert ask(tmp_path).get("drain", (None, ""))[0] == shown


@pytest.mark.usefixtures("host")
def test_a_host_of_an_older_version_cannot_drain(tmp_path: Path) -> None:
    (tmp_path / "herolo-drain").unlink()
    assert "drain" not in ask(tmp_path)


@pytest.mark.usefixtures("host")
def test_the_time_of_a_restart_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(tmp_path)["updates"] == ("restart due", "the host restarts by itself at 03:30 UTC")
    monkeypatch.setenv("UPKEEP", "enabled")
    assert "in its hour of the night, while all others are well" in ask(tmp_path)["updates"][1]
