"""Checks what a deployment needs, before it is found missing in the middle of one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from . import checks_machine, console
from .checks import OK, UNKNOWN, WARNING, Known, unknown
from .checks_aws import AccountChecks
from .checks_domain import DomainChecks
from .cloud import Cloud
from .console import Failure
from .environment import Environment, Options
from .nameservers import NameServers
from .status import Row, is_fault

LONGEST = 30  # seconds that others have for their answers

# Deploy waits for the record itself, after it has made the address.
OWN_PHASE = "address record"


def show_doctor(environment: Environment, options: Options, *, as_json: bool) -> None:
    """A table, or a JSON document; fails if there is a fault."""
    rows = examine(environment, options)
    faulty = any(is_fault(row) for row in rows)
    if as_json:
        checks = [{"name": row[0], "state": row[1], "details": row[2], "healthy": not is_fault(row)} for row in rows]
        print(json.dumps({"environment": environment.name, "healthy": not faulty, "checks": checks}, indent=2))
    else:
        console.print_rows(rows, [is_fault(row) for row in rows])
    if faulty:
        raise Failure("a check has failed: each line with NOT says how to fix it")


def check_before(cloud: Cloud) -> str:
    """The checks as the first phase of a command, which the faults end. Returns a summary."""
    rows = examine(cloud.environment, cloud.options, cloud)
    for row in rows:
        if row[1] != OK:
            console.say(f"{row[1]}  {row[0]}: {row[2]}")
    if faults := [row for row in rows if is_fault(row) and row[0] != OWN_PHASE]:
        raise Failure("\nerror: ".join(f"{name}: {details}" for name, _, details in faults))
    count = {state: sum(row[1] == state for row in rows) for state in (WARNING, UNKNOWN)}
    found = [f"{number} {state.lower()}" for state, number in count.items() if number]
    return f"{', '.join(found)}: see make doctor" if found else "all well"


def examine(environment: Environment, options: Options, cloud: Cloud | None = None) -> list[Row]:
    """The rows of all checks."""
    rows = [checks_machine.check_tools(), checks_machine.check_docker(options)]
    if not environment.form.is_file():
        return [*rows, ("form", "NOT THERE", environment.way_to_form)]
    rows.append(checks_machine.check_settings(environment))
    if is_fault(rows[-1]):
        return [*rows, *(unknown(name, "needs a valid form") for name in ("account", "domain"))]
    rows += [checks_machine.check_ssh_key(environment, options), checks_machine.check_secrets(environment)]
    try:
        known = _look_up(environment, options, cloud or Cloud(environment, options))
    except Failure as failure:
        rows.append(("state", "NOT READABLE", str(failure)))
        known = Known(environment, options, "", {})
    return [*rows, *_ask_others(known)]


def _look_up(environment: Environment, options: Options, cloud: Cloud) -> Known:
    state = cloud.state()
    return Known(environment, options, state.account, state.outputs.get("deployment", {}))


def _ask_others(known: Known) -> list[Row]:
    """What others answer, asked at the same time."""
    groups: dict[str, Callable[[], list[Row]]] = {
        "account": lambda: AccountChecks(known).run(),
        "domain": lambda: DomainChecks(known, NameServers(known.options.dns_server)).run(),
        "own address": lambda: [checks_machine.check_own_address(known)],
    }
    deadline = time.monotonic() + LONGEST
    answers = {name: _ask(group) for name, group in groups.items()}
    rows: list[Row] = []
    for name, answer in answers.items():
        try:
            rows += answer.result(max(0, deadline - time.monotonic()))
        except TimeoutError:
            rows.append(unknown(name, f"no answer within {LONGEST} s"))
    return rows


def _ask(group: Callable[[], list[Row]]) -> Future[list[Row]]:
    """Runs the checks in a thread that does not outlive the command, unlike those of an executor."""
    answer: Future[list[Row]] = Future()

    def run() -> None:
        try:
            answer.set_result(group())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer
