"""The rehearsal: what an operator does with `make deploy`, `plan`, `status`, `rollback` and `destroy`, on this machine
alone, with proofs of what the deployment promises.

Real parts that run here play AWS and all others; differences.py lists all differences. There are three rehearsals: of
one host (tests/rehearsal), of several behind a balancer (tests/rehearsal_hosts), and of planned changes that are
repeated under load (tests/rehearsal_changes). The modules of each are the phases of a
deployment's life, in its order. A test with the mark `prerequisite` leads from one phase to the next: if it fails, all
later ones fail at once, with that reason. scripts/pytest loads this plugin for all.

Environment:
    SHORT=1             leaves out the phases with the mark `long`
    KEEP=1              leaves everything running instead of destroying it, and prints how to look at it
    HEROLO_REHEARSAL    the folder of a rehearsal that was left running, to run single tests on it
    IMAGE               the new release, to which the previous one is upgraded, instead of building the source
    HEROLO_MYSQL_IMAGE  as for scripts/mysql-image
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rehearsal.differences import list_differences
from rehearsal.mailbox import Mailbox
from rehearsal.world import Account, Unusable, World

LAST_LINES = 40

# It migrates like any other, starts, and then does nothing.
SICK = """\
#!/bin/sh
case $1 in serve) exec sleep 3600 ;; healthcheck) exit 1 ;; esac
"""
SUITES = ("rehearsal", "rehearsal_hosts", "rehearsal_changes")
FIRST = "test_01_"  # how the file with the first deployment begins

titles = pytest.StashKey[dict[str, str]]()
unmet = pytest.StashKey[str]()
kept = pytest.StashKey[str]()
start_time = pytest.StashKey[float]()
begin = pytest.StashKey[float]()
the_world = pytest.StashKey[World]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "prerequisite: all later tests of the rehearsal depend on this one")
    config.addinivalue_line("markers", "long: SHORT=1 leaves it out; no later test depends on it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the order of a deployment's life; without its end if everything is to be left running."""
    mine = [item for item in items if item.path.parent.name in SUITES]
    others = [item for item in items if item not in mine]
    left_out = [item for item in mine if is_left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        mine = [item for item in mine if item not in left_out]
    items[:] = others + sorted(mine, key=lambda item: item.path.name)
    config.stash[titles] = {item.nodeid: item.module.__doc__.splitlines()[0].rstrip(".") for item in mine}
    config.stash[begin] = time.monotonic()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fails before the world is set up if nothing would be deployed in it."""
    mine = [item for item in session.items if item.path.parent.name in SUITES]
    if not mine or os.environ.get("HEROLO_REHEARSAL"):
        return
    if not any(item.path.name.startswith(FIRST) and item.get_closest_marker("prerequisite") for item in mine):
        chosen = session.config.getoption("keyword") or "..."
        raise pytest.UsageError(
            f"the first deployment is left out, which all other tests need: select it with them, -k 'deployment or "
            f"{chosen}', or have KEEP=1 leave a rehearsal running, and run single tests on it (HEROLO_REHEARSAL)"
        )


def is_left_out(item: pytest.Item) -> bool:
    """Whether the environment leaves out a test."""
    if is_on("SHORT") and item.get_closest_marker("long"):
        return True
    return is_on("KEEP") and item.path.name.endswith("_destruction.py")


def is_on(name: str) -> bool:
    """Whether a variable of the environment is 1, and not 0, empty or absent."""
    value = os.environ.get(name, "")
    if value not in ("", "0", "1"):
        raise pytest.UsageError(f"{name}='{value}' is neither {name}=1 nor {name}=0")
    return value == "1"


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = item.config.stash.get(unmet, None)
    if reason:
        pytest.fail(f"not run, since a prerequisite has failed: {reason}", pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Notes a prerequisite that has failed, and shows the last words of the logs of a failure."""
    report = (yield).get_result()
    if not report.failed or item.config.stash.get(unmet, None):
        return
    if item.get_closest_marker("prerequisite") and report.when != "teardown":
        item.config.stash[unmet] = item.name
    world = item.config.stash.get(the_world, None)
    for log in (world.folder / "world.log", world.log) if world else ():
        # Those that nothing has been written to since would mislead.
        if log.is_file() and log.stat().st_mtime >= time.time() - report.duration - 1:
            lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            report.sections.append((f"the last of {log.name}", "\n".join(lines)))


@pytest.fixture(scope="session")
def hosts() -> int:
    """The number of hosts with which the rehearsal begins."""
    return 1


@pytest.fixture(scope="session")
def world(pytestconfig: pytest.Config, hosts: int) -> Iterator[World]:
    """The world in which the deployment takes place. It is removed at the end, however the tests end."""
    reused = os.environ.get("HEROLO_REHEARSAL")
    try:
        world = World.reuse(Path(reused)) if reused else World.create(hosts)
    except Unusable as reason:
        pytest.exit(f"error: {reason}", returncode=2)
    pytestconfig.stash[the_world] = world
    if reused:
        yield world
        return
    # Told to end, pytest would leave everything behind; interrupted, it ends its fixtures.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    start = time.monotonic()
    try:
        world.start()
        pytestconfig.stash[start_time] = time.monotonic() - start
        yield world
    except Unusable as reason:
        pytest.exit(f"error: {reason}", returncode=2)
    finally:
        if is_on("KEEP") and (world.folder / "pids").is_file():
            pytestconfig.stash[kept] = world.how_to_look(Path(pytestconfig.args[0]).name)
        else:
            remove(world)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def remove(world: World) -> None:
    """Uninterrupted: half removed is worse than a few seconds more."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        world.remove()
    finally:
        for number, handler in zip(numbers, handlers):
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def alice(world: World) -> Account:
    """An account of the deployment."""
    return world.sign_up("alice")


@pytest.fixture(scope="session")
def bob(world: World) -> Account:
    """Another account of the deployment."""
    return world.sign_up("bob")


@pytest.fixture(scope="session")
def mailbox(world: World) -> Mailbox:
    """Messages from before an upgrade or a rollback."""
    return Mailbox(world)


@pytest.fixture(scope="module")
def sick_release(world: World) -> str:
    """The name of a release that never becomes healthy."""
    base = world.settings.socket_filter_image  # any image with a shell in it
    dockerfile = f'FROM {base}\nCOPY herolo /herolo\nENTRYPOINT ["/herolo"]\nCMD ["serve"]\n'
    return world.build_release("sick", dockerfile, herolo=SICK)


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Adds figures to the phase's row of the table at the end."""

    def add(figures: object) -> None:
        request.node.user_properties.append(("figures", str(figures)))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of phases, and the differences from a deployment to AWS."""
    if config.stash.get(the_world, None) is None:
        return
    rows = phases(terminalreporter, config)
    terminalreporter.write_line("")
    write_row(terminalreporter, "done and proven", "proofs", "time", "figures")
    if start_time in config.stash:  # else another run has started them
        write_row(terminalreporter, "the parts that others operate on AWS", 0, f"{config.stash[start_time]:.0f} s")
    for title, (proofs, failures, seconds, figures) in rows.items():
        failed = f"{failures} FAILED  " if failures else ""
        write_row(terminalreporter, title, proofs, f"{seconds:.0f} s", failed + "; ".join(figures))
    proofs = sum(row[0] for row in rows.values())
    write_row(terminalreporter, "all of it", proofs, f"{time.monotonic() - config.stash[begin]:.0f} s")
    if start_time in config.stash:
        terminalreporter.write_line(f"\nAll differences from a deployment to AWS:\n\n{list_differences()}")
    terminalreporter.write_line(config.stash.get(kept, ""))


def phases(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> dict[str, list]:
    """For each title: the numbers of proofs and of failures, the time and the figures."""
    rows: dict[str, list] = {}
    reports = [report for key in ("passed", "failed", "error", "") for report in terminalreporter.getreports(key)]
    # `getreports("")` has the preparations and ends of the tests, which take time, too.
    for report in sorted(reports, key=lambda report: report.start):
        title = config.stash[titles].get(report.nodeid)
        if title:
            row = rows.setdefault(title, [0, 0, 0.0, []])
            row[0] += report.passed and report.when == "call"
            row[1] += report.failed
            row[2] += report.duration
            row[3] += [value for name, value in report.user_properties if name == "figures" and report.when == "call"]
    if rows:
        next(iter(rows.values()))[2] -= config.stash.get(start_time, 0)
    return rows


def write_row(terminalreporter, title: str, proofs: object, seconds: str, figures: str = "") -> None:
    terminalreporter.write_line(f"| {title:<64} | {proofs!s:>6} | {seconds:>7} | {figures}")
