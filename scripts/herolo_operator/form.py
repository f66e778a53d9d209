"""Checks the form of an environment before anything is created. The rules are the validations of infra/variables.tf,
applied by Terraform itself, without a provider or an account."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import process
from .console import Refusal
from .environment import REPOSITORY, Environment

# Valid values for what the form does not contain.
PLACEHOLDERS = {"TF_VAR_database_master_password": "0" * 32}
# Let's Encrypt refuses certificates for these domains and contacts with these addresses (RFC 2606).
LETS_ENCRYPT = ("production", "staging")
RESERVED = r"(^|[.@])example\.(com|net|org)$|^yourname\.duckdns\.org$"
PLACEHOLDER_FIXES = {"domain": "enter your own domain", "acme_email": "enter an address that you read"}
# Settings of the operator's own Terraform, which would change what is checked.
FOREIGN = {"TF_CLI_ARGS": "", "TF_CLI_ARGS_plan": "", "TF_WORKSPACE": ""}
MISSING = "No value for required variable"  # a summary of Terraform's
# A comment may contain quotes, and a string what begins a comment.
CODE_OR_COMMENT = re.compile(r'(?P<string>"(?:\\.|[^"\\\n])*")|(?:#|//)[^\n]*|/\*.*?\*/', re.DOTALL)


class InvalidForm(Refusal):
    """One complaint for each fault of a form."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("\nerror: ".join(complaints))


def check_form(environment: Environment) -> None:
    """Fails with one line for each fault: the line of the form, and what to type."""
    if complaints := find_faults(environment):
        raise InvalidForm(complaints)


def check_own_form(environment: Environment) -> None:
    """The same, and with one line for each value that is the example's."""
    if complaints := by_line([*find_faults(environment), *find_placeholders(environment)]):
        raise InvalidForm(complaints)


def find_faults(environment: Environment) -> list[str]:
    """One complaint for each value that breaks a rule."""
    environment.require_form()
    process.require_command("ssh", "install an OpenSSH client and run this again")
    return explain_messages(_judge(environment), environment)


def _judge(environment: Environment) -> list[str]:
    """What Terraform says when it plans a folder with nothing but the variables: it only judges their values."""
    with tempfile.TemporaryDirectory() as folder:
        return _plan(environment, folder).splitlines()


def read_values(environment: Environment) -> dict[str, Any]:
    """The values of all settings of a valid form, by name, with the defaults of those that it does not have."""
    with tempfile.TemporaryDirectory() as folder:
        _plan(environment, folder, "-out=plan")
        variables = json.loads(_run_terraform(environment, folder, "show", "-json", "plan"))["variables"]
    return {name: variable["value"] for name, variable in variables.items()}


def _plan(environment: Environment, folder: str, *options: str) -> str:
    shutil.copy(REPOSITORY / "infra/variables.tf", folder)
    arguments = ["-input=false", "-refresh=false", "-json", f"-var-file={environment.form}", *options]
    return _run_terraform(environment, folder, "plan", *arguments)


def _run_terraform(environment: Environment, folder: str, *arguments: str) -> str:
    """Its standard output."""
    variables = {
        **PLACEHOLDERS,
        **FOREIGN,
        "TF_VAR_environment": environment.name,
        "TF_DATA_DIR": f"{folder}/.terraform",
        "TF_IN_AUTOMATION": "1",
    }
    with tempfile.TemporaryFile("w+") as errors:
        command = ["terraform", f"-chdir={folder}", *arguments]
        return process.run(command, capture=True, log=errors, variables=variables).output


def explain_messages(lines: Iterable[str], environment: Environment) -> list[str]:
    """One complaint for each fault, in the order of the form's lines."""
    messages = [message for line in lines if (message := _parse(line))]
    if not any(message.get("type") in ("change_summary", "diagnostic") for message in messages):
        shown = environment.shown(environment.form)
        return [f"{shown}: Terraform does not check it: type `terraform version` and fix what that complains about"]
    diagnostics = [message["diagnostic"] for message in messages if "diagnostic" in message]
    told = {_place(each, environment) for each in diagnostics}
    # A value that cannot be read is told twice: by its line, and as missing.
    missing = [each for each in diagnostics if each["summary"] == MISSING]
    repeated = [each for each in missing if _line_of(_quoted(each["detail"]), environment.form) in told]
    explanations = (_explain(each, environment) for each in diagnostics if each not in repeated)
    return by_line(explanation for explanation in explanations if explanation)


def _parse(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _explain(diagnostic: dict[str, Any], environment: Environment) -> str | None:
    shown = environment.shown(environment.form)
    summary, detail = diagnostic["summary"], " ".join(diagnostic.get("detail", "").split())
    line = _place(diagnostic, environment)
    where = f"{shown} line {line}" if line else shown
    if summary == MISSING:
        return f"{shown}: a line is missing: {_quoted(detail)} = ... (environments/example.tfvars explains it)"
    if summary == "Value for undeclared variable":
        name = _quoted(detail)
        line = _line_of(name, environment.form)
        return (
            f'{shown} line {line}: there is no setting "{name}": correct its name (environments/example.tfvars has '
            "them all)"
        )
    if summary == "Invalid value for variable":
        return f"{where}: {detail.split(' This was checked by the validation rule at')[0]}"
    if summary == "Variables not allowed":
        return f"{where}: put the value in double quotes"
    if diagnostic["severity"] == "warning":
        return None
    return f"{where}: {summary}: {detail}"


def _place(diagnostic: dict[str, Any], environment: Environment) -> str:
    """The number of the form's line that it is about, or "" if it is about none."""
    place = diagnostic.get("range") or {}
    in_form = Path(place.get("filename", "")).name == environment.form.name
    return str(place["start"]["line"]) if in_form else ""


def find_placeholders(environment: Environment) -> list[str]:
    """One complaint for each value of the examples that Let's Encrypt refuses. Other authorities may know them."""
    if setting_or_default(environment, "acme_authority") not in LETS_ENCRYPT:
        return []
    shown = environment.shown(environment.form)
    return [
        f"{shown} line {_line_of(name, environment.form)}: {value} is the example's: {fix}"
        for name, fix in PLACEHOLDER_FIXES.items()
        if re.search(RESERVED, value := setting_of(environment, name))
    ]


def _quoted(text: str) -> str:
    found = re.search(r'"([^"]*)"', text)
    return found.group(1) if found else "?"


def _line_of(name: str, form: Path) -> str:
    lines = form.read_text(encoding="utf-8").splitlines()
    return next((str(number) for number, line in enumerate(lines, 1) if line.split("=")[0].strip() == name), "?")


def by_line(complaints: Iterable[str]) -> list[str]:
    """The complaints in the order of the form's lines, each once."""
    return sorted(set(complaints), key=_line_in)


def _line_in(complaint: str) -> tuple[int, str]:
    found = re.search(r" line (\d+)", complaint)
    return (int(found.group(1)) if found else 0, complaint)


def code_of(environment: Environment) -> str:
    """The text of the form without its comments, and with blanks in place of tabs."""
    text = environment.form.read_text(encoding="utf-8-sig").expandtabs(1)
    return CODE_OR_COMMENT.sub(lambda found: found["string"] or "", text)


def setting_of(environment: Environment, name: str) -> str:
    """A string of the form as it is written there, or "" if it is absent."""
    found = re.search(rf'^ *{name} *= *"([^"]*)"', code_of(environment), re.MULTILINE)
    return found.group(1) if found else ""


def setting_or_default(environment: Environment, name: str) -> str:
    """A string or a number of the form, or else its default in infra/variables.tf."""
    if found := re.search(rf'^ *{name} *= *"?([^"\s]*)', code_of(environment), re.MULTILINE):
        return found.group(1)
    variables = (REPOSITORY / "infra/variables.tf").read_text(encoding="utf-8")
    declared = re.search(rf'^variable "{name}" {{\n(.*?)^}}', variables, re.MULTILINE | re.DOTALL)
    default = re.search(r'^  default += "?([^"\s]*)', declared.group(1) if declared else "", re.MULTILINE)
    return default.group(1) if default and default.group(1) != "null" else ""


def wanted_hosts(environment: Environment) -> int:
    """The number of hosts that the form asks for."""
    return int(setting_or_default(environment, "hosts") or 1)
