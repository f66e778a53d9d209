"""One of several hosts, or all of them: `status`, `logs` and `ssh`, with a program in the place of ssh."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from herolo_operator import status
from herolo_operator.cli import main
from herolo_operator.console import Failure
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.host import Host, choose_hosts, find_hosts, require_number
from herolo_operator.playbook import Playbook, count_changes
from support.fleet import deployment

ROWS = [
    ["certificate", "valid", "60 days left"],
    ["traefik", "healthy", "Up 3 hours (healthy)"],
    ["service", "3 of 3", "herolo:1234"],
    ["disk", "20 % used", "4.0 GiB"],
]
# Answers with the rows of its host, or runs what it is told like a host would: as lines about itself.
SSH = """\
#!/bin/sh
for argument; do case $argument in *@*) address=${argument#*@} ;; esac; done
echo "$*" >>"$RECORD"
case " $SILENT " in *" $address "*) exit 255 ;; esac
for last; do :; done
case $last in
  "sudo python3 -") cat >/dev/null; cat "$ROWS.$address" 2>/dev/null || cat "$ROWS" ;;
  *) sed "s/^/$address: /" ;;
esac
"""


@pytest.fixture
def found() -> Deployment:
    """What Terraform says: three hosts."""
    return deployment(database={"host": "herolo-prod.x.rds.amazonaws.com"})


@pytest.fixture
def ssh(
    stand_in: Callable[[str, str], Path], found: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The calls of ssh. Nothing else is asked."""
    record = stand_in("ssh", SSH)
    (tmp_path / "rows").write_text(json.dumps(ROWS))
    monkeypatch.setenv("ROWS", str(tmp_path / "rows"))
    monkeypatch.setattr("herolo_operator.host.find_ssh_key", lambda *_: tmp_path / "key")
    monkeypatch.setattr(status, "check_form", lambda _: None)
    monkeypatch.setattr(status, "read_deployment", lambda _: found)
    monkeypatch.setattr(status, "request_from_outside", lambda *_: ("https", "answers", "200"))
    monkeypatch.setattr(status, "show_backups", lambda *_: [])
    monkeypatch.setattr(status, "show_balancer", lambda *_: [("balancer, 1", "healthy", "http: healthy")])
    return record


def test_each_host_has_a_line(
    ssh: Path, environment: Environment, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = [["service", "NOT COMPLETE", "2 of 3 replicas"], ["updates", "restart due", "the host restarts"], *ROWS[3:]]
    (tmp_path / "rows.192.0.2.2").write_text(json.dumps(wrong))
    with pytest.raises(Failure, match="there is a fault, marked NOT"):
        status.show_status(environment, Options(), as_json=False)
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines() if line]
    assert lines == [
        "prod: herolo.example.com at 198.51.100.1, 198.51.100.2",
        "https answers 200",
        "host 1 well i-1 eu-central-1a 192.0.2.1; certificate valid; service 3 of 3; disk 20 % used",
        "host 2 NOT WELL i-2 eu-central-1b 192.0.2.2; disk 20 % used",
        "host 2, service NOT COMPLETE 2 of 3 replicas",
        "host 2, updates restart due the host restarts",
        "host 3 well i-3 eu-central-1c 192.0.2.3; certificate valid; service 3 of 3; disk 20 % used",
        "balancer, 1 healthy http: healthy",
        "alarms not sent environments/prod.tfvars has neither alarm_email nor alarm_webhook",
        "dashboard https://dashboard",
    ]


def test_a_host_that_does_not_answer_leaves_the_others_to_be_shown(
    ssh: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SILENT", "192.0.2.1")
    with pytest.raises(Failure, match="there is a fault, marked NOT"):
        status.show_status(environment, Options(), as_json=False)
    shown = capfd.readouterr().out
    assert "host 1         NOT REACHABLE    i-1 eu-central-1a 192.0.2.1: SSH does not answer" in shown
    assert "host 2         well" in shown and "host 3         well" in shown


@pytest.mark.parametrize("rows", ["", "Traceback", "{}x"])
def test_a_host_whose_checks_do_not_run_is_not_taken_for_unreachable(
    rows: str, ssh: Path, environment: Environment, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.192.0.2.2").write_text(rows)
    with pytest.raises(Failure, match="there is a fault, marked NOT"):
        status.show_status(environment, Options(), as_json=False)
    shown = capfd.readouterr().out
    assert (
        "host 2         NOT WELL         i-2 eu-central-1b 192.0.2.2: SSH answers, but its checks do not run" in shown
    )
    assert "host 3         well" in shown


def test_one_host_is_shown_at_length(ssh: Path, environment: Environment, capfd: pytest.CaptureFixture[str]) -> None:
    status.show_status(environment, Options(host="2"), as_json=False)
    shown = capfd.readouterr().out
    assert "  traefik        healthy          Up 3 hours (healthy)" in shown
    assert len(ssh.read_text().splitlines()) == 1 and "admin@192.0.2.2" in ssh.read_text()


def test_the_document_has_all_checks_of_all_hosts(
    ssh: Path, environment: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    status.show_status(environment, Options(), as_json=True)
    document = json.loads(capfd.readouterr().out)
    assert document["healthy"] is True and document["addresses"] == ["198.51.100.1", "198.51.100.2"]
    assert [check.get("host") for check in document["checks"]] == [None, *[1] * 4, *[2] * 4, *[3] * 4, *[None] * 3]
    assert [host["id"] for host in document["hosts"]] == ["i-1", "i-2", "i-3"]


def test_logs_of_several_hosts_have_their_numbers(
    ssh: Path, environment: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status.show_logs(environment, Options(tail="5")) == 0
    lines = capfd.readouterr().out.splitlines()
    for number in (1, 2, 3):
        prefix = f"{number} | 192.0.2.{number}: "
        assert f"{prefix}for service in herolo_api edge_traefik; do" in lines
    assert all(line[:4] in ("1 | ", "2 | ", "3 | ") for line in lines)


def test_logs_of_the_hosts_that_answer_are_shown(
    ssh: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SILENT", "192.0.2.2")
    assert status.show_logs(environment, Options()) == 255
    assert {line[:1] for line in capfd.readouterr().out.splitlines()} == {"1", "3"}


def test_logs_of_one_host_are_as_they_are(
    ssh: Path, environment: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status.show_logs(environment, Options(host="3")) == 0
    assert all(line.startswith("192.0.2.3: ") for line in capfd.readouterr().out.splitlines())


@pytest.mark.parametrize(("given", "address"), [("", "192.0.2.1"), ("3", "192.0.2.3")])
def test_a_command_runs_on_the_first_host_or_the_one_that_is_named(
    given: str, address: str, ssh: Path, environment: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    status.open_shell(environment, Options(host=given, command="uptime"))
    assert capfd.readouterr().out == f"{address}: uptime\n"


@pytest.mark.parametrize("given", ["9", "0", "x", "-1", "1.5", "²", "01x"])
def test_a_host_that_there_is_not_is_refused(
    given: str, ssh: Path, found: Deployment, environment: Environment
) -> None:
    with pytest.raises(Failure, match=f"^HOST='{given}' is not the number of a host: prod has hosts 1 to 3$"):
        choose_hosts(found, environment, Options(host=given))
    with pytest.raises(Failure, match="prod has host 1 only"):
        require_number("REPLACE", given, [1], "prod")


def test_the_name_of_the_machine_is_not_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shells export it by that name."""
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    assert Options.read({"HOST": "laptop"}).host == ""
    assert Options.read({"HOST": "2", "REPLACE": "3"}) == replace(Options.read({}), host="2", replace="3")


@pytest.mark.parametrize("command", ["status", "logs", "ssh"])
@pytest.mark.parametrize("given", ["abc", "0", "-1", "1.5", "²"])
def test_what_is_no_number_of_a_host_is_refused_before_anything_is_run(
    given: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prod.tfvars").touch()
    monkeypatch.setenv("HEROLO_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setenv("HOST", given)
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was run"))
    assert main([command, "prod"]) == 1
    assert capsys.readouterr().err == f"error: HOST='{given}' is not the number of a host, such as HOST=2\n"


@pytest.mark.parametrize(
    ("variable", "command", "refusal"),
    [
        ("HOST", "deploy", "HOST=2 selects a host for status, logs, user and ssh, and deploy is for all hosts"),
        ("HOST", "rollback", "HOST=2 selects a host for status, logs, user and ssh, and rollback is for all hosts"),
        ("REPLACE", "rollback", "REPLACE=2 is for plan and deploy, not for rollback"),
        ("REPLACE", "status", "REPLACE=2 is for plan and deploy, not for status"),
    ],
)
def test_a_choice_of_a_host_that_would_be_ignored_is_refused(
    variable: str,
    command: str,
    refusal: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "prod.tfvars").touch()
    monkeypatch.setenv("HEROLO_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setenv(variable, "2")
    assert main([command, "prod"]) == 1
    assert capsys.readouterr().err == f"error: {refusal}\n"


def test_a_host_that_dies_ends_the_wait_for_its_answer(environment: Environment) -> None:
    """As ssh itself understands it; without these options it waits for ever."""
    host = Host("192.0.2.1", "admin", "22", Path("/key"), Path("/known_hosts"))
    understood = subprocess.run(
        [*host.command[:1], "-G", *host.command[1:]], capture_output=True, text=True, check=True
    )
    settings = dict(line.split(" ", 1) for line in understood.stdout.splitlines() if " " in line)
    assert 0 < int(settings["serveraliveinterval"]) * int(settings["serveralivecountmax"]) <= 60


# --- Ansible


def test_ansible_knows_each_instance_by_its_own_file(ssh: Path, environment: Environment, found: Deployment) -> None:
    hosts = find_hosts(found, environment, Options())
    for host in hosts:
        host.known_hosts.write_text(f"{host.instance}\n")
    pattern = Playbook(environment, Options(), found, hosts)._provide_known_hosts()
    assert [Path(str(pattern).replace("%h", host.address)).read_text() for host in hosts] == ["i-1\n", "i-2\n", "i-3\n"]
    # Host 2 was replaced, and has the same address.
    (environment.work / "known_hosts.i-9").write_text("i-9\n")
    new = replace(hosts[1], known_hosts=environment.work / "known_hosts.i-9", instance="i-9")
    pattern = Playbook(environment, Options(), found, [hosts[0], new, hosts[2]])._provide_known_hosts()
    assert Path(str(pattern).replace("%h", "192.0.2.2")).read_text() == "i-9\n"
    assert Playbook(environment, Options(), found, hosts[:1])._provide_known_hosts() == hosts[0].known_hosts


def test_changes_of_all_hosts_are_counted() -> None:
    recap = (
        "\nPLAY RECAP ***\nhost-1 : ok=9 changed=2 x=0\nhost-2 : ok=9 changed=3 x=0\nlocalhost : ok=1 changed=7 x=0\n"
    )
    assert count_changes(recap, 2) == "5 to change on 2 hosts"
    restart = "\nTASK [host : Docker | Upgrade Docker and containerd] ***\nok: [host-1]\nchanged: [host-2]\n"
    assert count_changes(restart + recap, 2) == "5 to change on 2 hosts; Docker restarts: one host at a time"
    quiet = recap.replace("changed=2", "changed=0").replace("changed=3", "changed=0")
    assert count_changes(quiet, 2) == "nothing to change"


# --- Older states


def test_the_state_of_an_older_version_has_one_host() -> None:
    older = Deployment({"host_id": "i-0", "host_address": "192.0.2.1", "domain": "herolo.example.com"}, {})
    assert (older.numbers, older.entry, older.balancer, older.addresses) == ([1], "host", None, ["192.0.2.1"])
    assert older.hosts[0]["id"] == "i-0"


def test_a_state_without_monitoring_must_be_deployed_first() -> None:
    values: dict[str, Any] = {"host_id": "i-0", "host_address": "192.0.2.1"}
    with pytest.raises(Failure, match=r"older version of Herolo \(.*no monitoring\): 'make deploy ENV=prod' brings"):
        Deployment(values, {}).require_complete("prod")
    Deployment({**values, "monitoring": {}}, {}).require_complete("prod")


BOOTING = """\
#!/bin/sh
echo "$*" >>"$RECORD"
[ "$(wc -l <"$RECORD")" -gt 2 ] || { echo "Connection refused" >&2; exit 255; }
"""


def test_a_host_that_boots_is_awaited(stand_in: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    record = stand_in("ssh", BOOTING)
    monkeypatch.setattr("herolo_operator.host.PAUSE", 0)
    Host("203.0.113.7", "admin", "22", Path("key"), Path("known_hosts")).require_connection()
    assert len(record.read_text().splitlines()) == 3


def test_a_host_that_ssh_does_not_reach_is_refused_with_the_fix(stand_in: Callable[[str, str], Path]) -> None:
    stand_in("ssh", BOOTING)
    with pytest.raises(Failure, match=r"^SSH does not reach host 1 at 203\.0\.113\.7 .*is your address in ssh_cidrs\?"):
        Host("203.0.113.7", "admin", "22", Path("key"), Path("known_hosts")).require_connection(limit=0)
