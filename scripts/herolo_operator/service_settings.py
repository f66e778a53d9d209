"""The service's settings in the form. The release to deploy judges them itself, before anything is changed."""

from __future__ import annotations

import base64
import json
import re
import shlex
import tempfile
from collections.abc import Callable, Mapping

from . import process
from .console import Failure
from .environment import Environment
from .form import InvalidForm, read_values
from .host import Host
from .release import is_here

NAME = "service_settings"
# Lines of their own in the form, with their settings and defaults. A default is left out, because an older release does
# not know the setting.
LINES = {"sign_ups": ("HEROLO_SIGN_UPS", "open"), "mail_from": ("HEROLO_MAIL_FROM", "")}
LINE_OF = {setting: line for line, (setting, _) in LINES.items()}
# Valid values for what the service requires. There is no database: the release reads all settings before it looks.
REQUIRED = {
    "HEROLO_DATABASE_URL": "mysql://nobody:nothing@127.0.0.1:9/nothing",
    "HEROLO_TOKEN_KEYS": f"none:{base64.b64encode(bytes(32)).decode()}",
}
# What the deployment adds if e-mails are sent.
MAIL = {"HEROLO_SMTP_URL": "smtp://127.0.0.1:9", "HEROLO_PUBLIC_URL": "https://herolo.example.com"}
JUDGE = ["migrate", "--wait", "0"]
NOT_STARTED = range(125, 128)  # statuses of `docker run` itself


def read_settings(environment: Environment) -> dict[str, str]:
    """The settings by name, as the form has them."""
    form = environment.form.read_text(encoding="utf-8")
    if not any(line in form for line in (NAME, *LINES)):
        return {}
    values = read_values(environment)
    lines = {setting: (values.get(line, default), default) for line, (setting, default) in LINES.items()}
    settings = {setting: value for setting, (value, default) in lines.items() if value != default}
    # As written there: Terraform makes strings of numbers and booleans in the same way.
    for name, value in values[NAME].items():
        settings[name] = value if isinstance(value, str) else json.dumps(value)
    return settings


def check_settings(
    settings: Mapping[str, str], release: str, environment: Environment, find_host: Callable[[], Host | None]
) -> None:
    """Fails with one line for each setting that the release does not accept. An image that is not here is asked on the
    host."""
    left, complaints = dict(settings), []
    host = None if not settings or is_here(release) else find_host()
    while left and (found := re.search(r"^herolo: (HEROLO_\w+): (.*)$", _judge(left, release, host), re.MULTILINE)):
        name, fault = found.groups()
        if name in MAIL and name not in left:
            name = "HEROLO_MAIL_FROM"  # because of which it is there
        if name not in left:
            raise Failure(f"{release} cannot check {NAME} in {environment.shown(environment.form)}: {name}: {fault}")
        complaints.append(f"{_place(name, environment)}: {name} {fault.replace(' (in the environment)', '')}")
        del left[name]
    if complaints:
        raise InvalidForm(complaints)


def _judge(settings: Mapping[str, str], release: str, host: Host | None) -> str:
    """What the release says of the settings; about the first fault, if there is one."""
    variables = {**REQUIRED, **(MAIL if "HEROLO_MAIL_FROM" in settings else {}), **settings}
    options = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    command = ["docker", "run", "--rm", "--network", "none", *options, release, *JUDGE]
    if host:
        result = host.read(f"{shlex.join(command)} 2>&1")
        status, words = result.status, result.output
    else:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            status = process.run(command, log=log).status
            log.seek(0)
            words = log.read()
    if status in NOT_STARTED:
        raise Failure(f"{release} does not start, so it cannot check {NAME}: {words.strip()}")
    return words


def _place(name: str, environment: Environment) -> str:
    """The line of the form that names the setting; one of the map's, if the name is put together otherwise."""
    lines = environment.form.read_text(encoding="utf-8").splitlines()
    for word in (name, LINE_OF.get(name, NAME)):
        for number, line in enumerate(lines, 1):
            if re.search(rf"\b{word}\b", line.split("#")[0]):
                return f"{environment.shown(environment.form)} line {number}"
    return environment.shown(environment.form)
