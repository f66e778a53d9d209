"""`plan` and `deploy` with stages: what is announced, confirmed and saved, with an AWS that only notes its plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from herolo_operator import deploy, interruption, planning
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.deploy import Deployer
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.form import wanted_hosts
from herolo_operator.history import Entry
from herolo_operator.in_service import Fleet
from herolo_operator.plans import Plan, State
from herolo_operator.stages import BOTH, HOST, Shape, settled
from support.fleet import deployment

UPDATE = {"aws_dashboard.main": ["update"]}


def plan_of(changes: dict[str, list[str]], *, outputs: bool = False) -> Plan:
    resources = [
        {
            "address": address,
            "type": address.partition(".")[0],
            "index": address[-3:-2],
            "change": {"actions": actions, "before": {"instance_type": "small"}, "after": {"instance_type": "large"}},
        }
        for address, actions in changes.items()
    ]
    return Plan({"applyable": bool(changes) or outputs, "resource_changes": resources})


class FakeCloud:
    """Plans these changes of a deployment with that shape."""

    def __init__(self, environment: Environment, options: Options) -> None:
        self.environment, self.options = environment, options
        self.now: Shape | None = settled(1)
        self.changes: dict[str, list[str]] = UPDATE
        self.foreseen = {"aws_lb.main[0]": ["create"]}
        self.planned: list[str] = []

    def check_state(self) -> Any:
        outputs = deployment(self.now.hosts, self.now.entry).outputs if self.now else {}
        hosts = range(1, self.now.hosts + 1) if self.now else ()
        return SimpleNamespace(outputs=outputs, databases={"first": {}}, account="", hosts=hosts)

    def outputs(self) -> dict[str, Any]:
        outputs: dict[str, Any] = self.check_state().outputs
        return outputs

    def foresee(self, shape: Shape, arguments: Sequence[str] = ()) -> tuple[Plan, str]:
        self.planned.append(" ".join([f"foresee {shape.hosts} {shape.entry}", *arguments]))
        return plan_of(self.foreseen), "the whole\n"

    def plan(self, *, databases: object, shape: Shape, arguments: list[str]) -> str:
        self.planned.append(" ".join([f"plan {shape.hosts} {shape.entry}", *arguments]))
        self.environment.plan.touch()
        return "the first\n"

    def saved_plan(self) -> Plan:
        return plan_of(self.changes)


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The stages that were confirmed, and what was announced."""
    performed: list[Any] = []

    class Rollout:
        def __init__(self, *_: object) -> None:
            pass

        def perform(self, stages: Any, announced: Any, changes: str) -> Any:
            performed.append(([stage.shape for stage in stages], announced, changes))
            return deployment(stages[-1].shape.hosts)

    monkeypatch.setattr(deploy, "Rollout", Rollout)
    return performed


@pytest.fixture
def deployer(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, performed: list[Any]
) -> Deployer:
    """Asks nothing, and has what a deployment needs."""
    (tmp_path / "infra").mkdir()
    deployer: Any = object.__new__(Deployer)
    deployer.environment, deployer.begin = environment, 0
    deployer.options = Options(yes=True, infra=tmp_path / "infra")
    deployer.cloud = FakeCloud(environment, deployer.options)
    monkeypatch.setattr(Deployer, "_prepare", lambda _: "herolo:1234")
    monkeypatch.setattr(Deployer, "_compare_hosts", lambda *_: "nothing to change")
    for name in ("require_upgrades", "announce_upgrades", "move_secrets"):
        monkeypatch.setattr(deploy, name, lambda *_: None)
    monkeypatch.setattr(interruption, "require_health", lambda *_: None)
    monkeypatch.setattr(deploy, "choose_first_database", lambda _: None)
    monkeypatch.setattr(deploy, "describe_cost", lambda plan, _: f"{len(plan.changes)} USD")
    return deployer


@pytest.fixture(autouse=True)
def in_service(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The hosts that are; all others are dead."""
    in_service = {1, 2, 3}

    def examine(found: Deployment, *_: object) -> Fleet:
        return Fleet(frozenset(in_service), frozenset(), frozenset(found.numbers) - in_service)

    for module in (interruption, planning):
        monkeypatch.setattr(module, "examine", examine)
    return in_service


def ask_for(deployer: Any, hosts: int, *, now: Shape | None, replace: str = "") -> None:
    deployer.environment.form.write_text(f'region = "eu-central-1"\nhosts = {hosts} # in different zones\n')
    deployer.cloud.now = now
    deployer.options = Options(yes=True, infra=deployer.options.infra, replace=replace)
    deployer.cloud.options = deployer.options


def test_all_stages_are_announced_at_once(
    deployer: Any, performed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ask_for(deployer, 3, now=settled(1))
    deployer.deploy(Entry("deploy"))
    told = capsys.readouterr().err
    assert "  on AWS       1 to add, 0 to change, 0 to destroy\n  on the hosts not compared" in told
    assert (
        "  stage 1      makes hosts 2 and 3 and the balancer\n  stage 2      leads the domain to the balancer\n" in told
    )
    assert deployer.cloud.planned == ["foresee 3 balancer", "plan 3 host"]
    shapes, announced, changes = performed[0]
    assert shapes == [Shape(3, HOST), Shape(3, BOTH), settled(3)]
    assert announced == {"aws_lb.main[0]": ["create"]} and changes == "0 to add, 1 to change, 0 to destroy"
    assert (deployer.environment.work / "plan.txt").read_text().split("\n")[:2] == [
        "# All stages together",
        "the whole",
    ]
    assert "herolo:1234 from 3 replicas on each of 3 hosts" in told


def test_what_plan_has_saved_is_what_deploy_does(
    deployer: Any, performed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ask_for(deployer, 1, now=settled(3))
    deployer.plan()
    assert deployer.cloud.planned == ["foresee 1 host", "plan 3 both"]
    deployer.cloud.planned.clear()
    deployer.deploy(Entry("deploy"))
    assert deployer.cloud.planned == []
    shapes, announced, _ = performed[0]
    assert shapes == [Shape(3, BOTH), Shape(3, HOST), settled(1)] and announced == {"aws_lb.main[0]": ["create"]}
    assert "this is what 'make plan' has saved" in capsys.readouterr().err


def test_a_saved_plan_of_other_stages_is_not_used(deployer: Any, performed: list[Any]) -> None:
    ask_for(deployer, 3, now=settled(1))
    deployer.plan()
    deployer.cloud.now = Shape(3, BOTH)  # another operator has gone on
    deployer.cloud.planned.clear()
    deployer.deploy(Entry("deploy"))
    assert deployer.cloud.planned == ["foresee 3 balancer", "plan 3 both"]
    assert performed[0][0] == [Shape(3, BOTH), settled(3)]


def test_a_host_is_replaced_once_the_others_are_healthy(
    deployer: Any, performed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ask_for(deployer, 3, now=settled(3), replace="2")
    deployer.deploy(Entry("deploy"))
    assert deployer.cloud.planned[1:] == ['foresee 3 balancer -replace=aws_instance.host["2"]', "plan 3 balancer"]
    told = capsys.readouterr().err
    assert "  stage 1      brings the hosts up to date, one after the other\n  stage 2      makes host 2 anew\n" in told


def test_a_dead_host_is_replaced_at_once(
    deployer: Any, performed: list[Any], in_service: set[int], capsys: pytest.CaptureFixture[str]
) -> None:
    in_service.remove(2)
    ask_for(deployer, 3, now=settled(3), replace="2")
    deployer.cloud.changes = {'aws_instance.host["2"]': ["delete", "create"]}
    deployer.deploy(Entry("deploy"))
    assert deployer.cloud.planned == ['plan 3 balancer -replace=aws_instance.host["2"]']
    assert "  stage 1      makes host 2 anew\n" in capsys.readouterr().err


def test_no_update_waits_for_a_host_that_serves_out_of_reach(
    deployer: Any, performed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have died a moment ago."""
    fleet = Fleet(frozenset({1, 2, 3}), frozenset(), frozenset(), frozenset({3}))
    monkeypatch.setattr(planning, "examine", lambda *_: fleet)
    ask_for(deployer, 2, now=settled(3))
    deployer.deploy(Entry("deploy"))
    assert performed[0][0] == [settled(2)]


@pytest.mark.parametrize(("hosts", "replace"), [(2, ""), (3, "3")])
def test_a_host_that_an_update_would_make_anew_drains_before(
    hosts: int, replace: str, deployer: Any, performed: list[Any]
) -> None:
    deployer.cloud.changes = {'aws_instance.host["3"]': ["delete", "create"]}
    deployer.cloud.foreseen = deployer.cloud.changes
    ask_for(deployer, hosts, now=settled(3), replace=replace)
    deployer.deploy(Entry("deploy"))
    assert performed[0][0] == [settled(hosts)]


def test_a_host_in_service_does_not_leave_with_a_dead_one_while_another_is_not_healthy(
    deployer: Any, performed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def require_health(*given: Any) -> None:
        raise Failure(f"{given[3]} while {given[2]} are healthy")

    monkeypatch.setattr(interruption, "require_health", require_health)
    ask_for(deployer, 2, now=settled(4))
    with pytest.raises(Failure, match=r"^hosts 3 and 4 can leave only while \(1, 2\) are healthy$"):
        deployer.deploy(Entry("deploy"))
    assert performed == []


def test_dead_hosts_leave_whatever_the_others_are(
    deployer: Any, performed: list[Any], in_service: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruption, "require_health", lambda *_: pytest.fail("waits for the others"))
    in_service.difference_update((1, 3))
    ask_for(deployer, 2, now=settled(4))
    deployer.deploy(Entry("deploy"))
    assert performed[0][0] == [settled(2)]


def test_the_only_host_is_replaced_with_a_warning(deployer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ask_for(deployer, 1, now=settled(1), replace="1")
    deployer.cloud.changes = {'aws_instance.host["1"]': ["delete", "create"]}
    deployer.deploy(Entry("deploy"))
    assert "the host is made anew: no service until it is configured" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["x", "4", "0"])
def test_a_host_to_replace_must_exist_before_the_release_is_built(
    given: str, deployer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for(deployer, 3, now=settled(3), replace=given)
    monkeypatch.setattr(Deployer, "_prepare", lambda _: pytest.fail("the release was built"))
    with pytest.raises(Failure, match=f"^REPLACE='{given}' is not the number of a host: prod has hosts 1 to 3$"):
        deployer.deploy(Entry("deploy"))


@pytest.mark.parametrize(("hosts", "now"), [(3, settled(1)), (2, settled(3)), (3, Shape(3, BOTH)), (1, None)])
def test_no_host_is_replaced_while_their_number_changes(hosts: int, now: Shape | None, deployer: Any) -> None:
    ask_for(deployer, hosts, now=now, replace="1")
    with pytest.raises(Failure, match=r"^prod does not have the hosts of the form yet: 'make deploy ENV=prod' without"):
        deployer.deploy(Entry("deploy"))


def test_a_plan_for_a_replacement_is_not_one_for_a_deployment(deployer: Any) -> None:
    ask_for(deployer, 1, now=settled(1), replace="1")
    deployer.plan()
    ask_for(deployer, 1, now=settled(1))
    deployer.cloud.planned.clear()
    deployer.deploy(Entry("deploy"))
    assert deployer.cloud.planned == ["plan 1 host"]


def test_several_hosts_are_not_made_anew_at_once(deployer: Any, performed: list[Any]) -> None:
    ask_for(deployer, 2, now=settled(2))
    deployer.cloud.changes = {f'aws_instance.host["{number}"]': ["delete", "create"] for number in (1, 2)}
    with pytest.raises(Failure, match=r"^this would make hosts 1 and 2 anew without draining.*REPLACE=1'$"):
        deployer.deploy(Entry("deploy"))
    assert performed == []


@pytest.mark.parametrize("now", [settled(1), Shape(3, HOST), Shape(3, BOTH)])
def test_host_1_does_not_restart_while_the_domain_leads_to_it(now: Shape, deployer: Any, performed: list[Any]) -> None:
    ask_for(deployer, 3, now=now)
    deployer.cloud.changes = {f'aws_instance.host["{number}"]': ["update"] for number in range(1, now.hosts + 1)}
    with pytest.raises(Failure, match=r"^host 1 would restart while the domain leads to it: set instance_type back"):
        deployer.deploy(Entry("deploy"))
    assert performed == []


def test_hosts_that_restart_are_named(deployer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ask_for(deployer, 2, now=settled(2))
    deployer.cloud.changes = {f'aws_instance.host["{number}"]': ["update"] for number in (1, 2)}
    deployer.deploy(Entry("deploy"))
    assert "0 to add, 2 to change, 0 to destroy; hosts 1 and 2 restart, one at a time\n" in capsys.readouterr().err


# --- What Terraform is given


@pytest.mark.parametrize(
    ("form", "now", "shape", "pinned", "entry"),
    [
        ("", None, None, [], "host"),
        ("hosts = 3", None, None, [], "balancer"),
        ("hosts = 1", None, Shape(3, HOST), ["-var=hosts=3"], "host"),
        ("hosts = 3", Shape(1, HOST), None, ["-var=hosts=1"], "host"),  # not before `deploy` has announced it
        ("hosts = 3", Shape(3, BOTH), None, [], "both"),
        ("hosts=3 # more", Shape(1, HOST), Shape(3, BOTH), [], "both"),
    ],
)
def test_terraform_gets_the_shape(
    form: str,
    now: Shape | None,
    shape: Shape | None,
    pinned: list[str],
    entry: str,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.form.write_text(f'region = "eu-central-1"\n{form}\n')
    monkeypatch.setattr(Cloud, "_variables", lambda *_: {})
    cloud = Cloud(environment, Options())
    outputs = deployment(now.hosts, now.entry).outputs if now else {}
    assert cloud._values(outputs, shape) == ([f"-var-file={environment.form}", *pinned], {"TF_VAR_entry": entry})


def test_one_host_is_the_default(environment: Environment) -> None:
    assert wanted_hosts(environment) == 1
    assert State({}).is_empty
