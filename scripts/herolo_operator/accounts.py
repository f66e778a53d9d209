"""The operator's work on accounts: `herolo user`, in a container of the service, which has the service's own database
user. The lines of its log go to the log of that container, and so to `make logs` and CloudWatch."""

from __future__ import annotations

import getpass
import secrets
import shlex
import sys

from .console import Failure
from .environment import Environment, Options
from .identity import current_host, current_user
from .status import reach_hosts

PASSWORD = "--password-stdin"
SCRIPT = """\
container=$(docker ps --quiet --filter label=com.docker.swarm.service.name=herolo_api | head -n 1)
if [ -z "$container" ]; then
  echo "error: no replica of the service runs on this host: 'make status' tells more" >&2
  exit 1
fi
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
docker exec --interactive "$container" {command} 2>"$errors" <<'{end}'
{password}
{end}
status=$?
log=/proc/$(docker inspect --format '{{{{.State.Pid}}}}' "$container")/fd/2
grep '^{{' "$errors" >>"$log" || true
grep -v '^{{' "$errors" >&2 || true
exit $status
"""


def run_user_command(environment: Environment, options: Options) -> int:
    """Runs the command that CMD has on the first host, or on the one that HOST names, and returns its status."""
    script = script_of(options.command)
    _, (host, *_) = reach_hosts(environment, options)
    return host.show(script)


def script_of(text: str) -> str:
    """The script for the host. A new password is part of its input, so it is in no list of processes."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Failure(f"CMD cannot be read ({error}): close each quote") from error
    if not words:
        raise Failure("""CMD is empty: type a command, such as make user CMD="list", or CMD="--help" for all""")
    operator = f"{current_user()}@{current_host()}"
    command = shlex.join(["/herolo", "user", "--operator", operator, *words])
    password = _read_password() if PASSWORD in words else ""
    return SCRIPT.format(command=command, password=password, end=f"END-{secrets.token_hex(16)}")


def _read_password() -> str:
    """One line of standard input, which is not shown if it is typed."""
    return getpass.getpass("New password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
