"""Several hosts behind a balancer in a stand-in of the AWS API: from one to three, through the stages of the entry, and
back; and a state from before there were several. Terraform runs here without the operator's commands."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest
from infra.environments import TERRAFORM_SETTINGS, Made, translate
from support.cloud import REGION, Cloud
from support.commands import attempt, run

FORM = """\
environment              = "many"
domain                   = "many.example.com"
region                   = "{region}"
dns_provider             = "route53"
acme_email               = "ops@example.com"
ssh_cidrs                = ["203.0.113.7/32"]
ssh_public_key           = "{public_key}"
protect                  = false
database_master_password = "{password}"
"""
ANYWHERE = ["0.0.0.0/0"]
AS_KNOWN = "-refresh=false"  # what the state says is true, since the change before was applied here
UNCHANGED = (["no-op"], ["read"])
OF_FIRST_HOST = ('aws_instance.host["1"]', "aws_eip.host", 'aws_db_instance.main["first"]')


@dataclasses.dataclass(frozen=True)
class Stages:
    """An environment whose number of hosts and whose entry change."""

    folder: pathlib.Path

    def terraform(self, *arguments: str | pathlib.Path) -> str:
        """What Terraform says, which must succeed."""
        return run("terraform", f"-chdir={self.folder / 'infra'}", *arguments, env=self.variables)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of Terraform."""
        return {"TF_CLI_CONFIG_FILE": str(TERRAFORM_SETTINGS), "TF_INPUT": "0", "TF_IN_AUTOMATION": "1"}

    @property
    def state(self) -> pathlib.Path:
        """The state, a file."""
        return self.folder / "state"

    def settings(self, **settings: int | str) -> list[str]:
        """The arguments for a plan."""
        return [f"-var-file={self.folder / 'form.tfvars'}", *(f"-var={name}={v}" for name, v in settings.items())]

    def plan(self, *options: str, **settings: int | str) -> Planned:
        """What a change would do, which can be applied then."""
        self.terraform("plan", "-out=saved", *options, *self.settings(**settings))
        return Planned(json.loads(self.terraform("show", "-json", "saved")))

    def refusal(self, **settings: int | str) -> str:
        """What Terraform says about a change that it must refuse, on one line."""
        command = ("terraform", f"-chdir={self.folder / 'infra'}", "plan", "-no-color", *self.settings(**settings))
        done = attempt(*command, env=self.variables)
        assert done.returncode != 0, done.stdout
        return " ".join(done.stderr.replace("│", " ").split())

    def apply(self) -> Made:
        """Does what was planned."""
        self.terraform("apply", "-var=database_master_password=" + "p" * 32, "saved")
        return Made(json.loads(self.terraform("show", "-json")))


class Planned:
    """A plan."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.actions = {
            change["address"]: change["change"]["actions"]
            for change in document["resource_changes"]
            if change["mode"] == "managed"
        }
        self.moved = {c["address"] for c in document["resource_changes"] if "previous_address" in c}

    def having(self, action: str) -> set[str]:
        """The addresses of the resources with an action, apart from alarms, whose names follow the number of hosts."""
        return {a for a, done in self.actions.items() if action in done and "_metric_alarm." not in a}

    @property
    def changes(self) -> set[str]:
        """The addresses of all resources that change."""
        return {address for address, actions in self.actions.items() if actions not in UNCHANGED}


@pytest.fixture(scope="module")
def stages(cloud: Cloud, key: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """The environment before its first deployment."""
    stages = Stages(tmp_path_factory.mktemp("many"))
    public_key = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    form = FORM.format(region=REGION, public_key=public_key, password="p" * 32)
    (stages.folder / "form.tfvars").write_text(form, encoding="utf-8")
    translate(stages.folder / "infra", cloud.endpoint)
    stages.terraform("init", f"-backend-config=path={stages.state}")
    return stages


@pytest.fixture(scope="module")
def at_once(stages: Stages) -> Made:
    """What a first deployment with three hosts would make."""
    return Made(stages.plan(hosts=3, entry="balancer").document)


@pytest.fixture(scope="module")
def one(at_once: Made, stages: Stages) -> Made:
    """One host."""
    stages.plan()
    return stages.apply()


@pytest.fixture(scope="module")
def of_before(one: Made, stages: Stages) -> Planned:
    """What changes when the state is one from before there were several hosts."""
    state = json.loads(stages.state.read_text(encoding="utf-8"))
    single = {"host", "ingress_http", "ingress_https"}
    changed = [r for r in state["resources"] if r["mode"] == "managed" and r["name"] in single]
    for resource in changed:
        resource["instances"][0].pop("index_key", None)
    assert len(changed) > len(single)  # others are called "host", too
    stages.state.write_text(json.dumps(state), encoding="utf-8")
    return stages.plan()


@pytest.fixture(scope="module")
def growth(of_before: Planned, stages: Stages) -> Planned:
    """The first stage from one host to three: they are there, and DNS leads to the first still."""
    return stages.plan(hosts=3, entry="host")


@pytest.fixture(scope="module")
def three(growth: Planned, stages: Stages) -> Made:
    """It is applied."""
    return stages.apply()


@pytest.fixture(scope="module")
def again(three: Made, stages: Stages) -> Planned:
    """A plan after that, which should find nothing."""
    return stages.plan(hosts=3, entry="host")


@pytest.fixture(scope="module")
def to_both(again: Planned, stages: Stages) -> Planned:
    """The second stage: DNS leads to the balancer."""
    return stages.plan(AS_KNOWN, hosts=3, entry="both")


@pytest.fixture(scope="module")
def both(to_both: Planned, stages: Stages) -> Made:
    """It is applied."""
    return stages.apply()


@pytest.fixture(scope="module")
def to_balancer(both: Made, stages: Stages) -> Planned:
    """The last stage: nobody else reaches the hosts."""
    return stages.plan(AS_KNOWN, hosts=3, entry="balancer")


@pytest.fixture(scope="module")
def balanced(to_balancer: Planned, stages: Stages) -> Made:
    """It is applied."""
    return stages.apply()


@pytest.fixture(scope="module")
def ways_back(balanced: Made, stages: Stages) -> list[Planned]:
    """The stages back to one host as far as they leave three, planned one by one."""
    return [stages.plan(AS_KNOWN, hosts=3, entry=entry) for entry in ("both", "host")]


@pytest.fixture(scope="module")
def to_two(ways_back: list[Planned], stages: Stages) -> Planned:
    """One host less."""
    return stages.plan(AS_KNOWN, hosts=2, entry="balancer")


@pytest.fixture(scope="module")
def replacement(to_two: Planned, stages: Stages) -> Planned:
    """The second host is replaced."""
    return stages.plan(AS_KNOWN, '-replace=aws_instance.host["2"]', hosts=3, entry="balancer")


@pytest.fixture(scope="module")
def to_one(replacement: Planned, to_two: Planned, stages: Stages) -> Planned:
    """The last stage to one host."""
    return stages.plan(AS_KNOWN, hosts=1, entry="host")


@pytest.fixture(scope="module")
def one_again(to_one: Planned, stages: Stages) -> Made:
    """It is applied."""
    return stages.apply()


def open_ports(made: Made) -> list[int]:
    """The ports of a host that are open to everybody."""
    return sorted(rule["from_port"] for rule in made.rules("host", "ingress") if rule["cidr_blocks"] == ANYWHERE)


# --- A first deployment, and one from before ---


def test_three_hosts_are_deployed_at_once(at_once):
    assert len(at_once.all("aws_instance")) == 3 and len(at_once.all("aws_lb")) == 1
    names = {resource["name"] for resource in at_once.resources}
    assert "ingress_entry" in names and not names & {"ingress_http", "ingress_https"}


def test_a_deployment_from_before_changes_nothing(of_before):
    assert of_before.changes == set()
    assert 'aws_instance.host["1"]' in of_before.moved


def test_a_single_host_has_no_balancer(one):
    assert one.all("aws_lb") == [] and one.all("aws_lb_target_group") == [] and len(one.all("aws_eip")) == 1
    assert one.outputs["deployment"]["balancer"] is None and one.outputs["deployment"]["entry"] == "host"
    assert one.outputs["deployment"]["addresses"] == [one.one("aws_eip")["public_ip"]]
    assert open_ports(one) == [80, 443]


# --- From one to three ---


def test_growth_touches_neither_the_first_host_nor_the_record(growth):
    assert growth.having("delete") == set()
    kept = (*OF_FIRST_HOST[:2], "aws_route53_record.domain[0]", "aws_security_group_rule.ingress_http[0]")
    assert {growth.actions[address][0] for address in kept} == {"no-op"}


def parameters_of(made: Made) -> dict[str, str]:
    return {p["name"]: p["value"] for p in made.one("aws_db_parameter_group")["parameter"]}


def test_the_database_prepares_the_statements_of_all_connections_of_one_host(one):
    parameters = parameters_of(one)
    assert int(parameters["max_prepared_stmt_count"]) == 300 * int(parameters["max_connections"])
    assert "sync_binlog" not in parameters


def test_a_plan_after_growth_has_nothing_to_do(again):
    assert again.changes == set()


def test_the_database_gets_a_standby_and_room_for_all_hosts_in_place(growth, three):
    assert growth.actions['aws_db_instance.main["first"]'] == ["update"]
    assert three.one("aws_db_instance")["multi_az"] is True
    parameters = parameters_of(three)
    assert int(parameters["max_connections"]) == 3 * (3 + 2) * 16 + 20
    assert parameters["innodb_flush_log_at_trx_commit"] == parameters["sync_binlog"] == "1"
    assert int(parameters["max_prepared_stmt_count"]) == 300 * int(parameters["max_connections"])


def test_hosts_are_in_different_zones_with_addresses_of_their_own(three):
    hosts = three.outputs["deployment"]["hosts"]
    assert [host["number"] for host in hosts] == [1, 2, 3]
    for name in ("id", "address", "private_address", "zone"):
        assert len({host[name] for host in hosts}) == 3, name
    assert hosts[0]["address"] == three.one("aws_eip", "host")["public_ip"]


def test_the_balancer_has_an_address_in_each_zone_and_leads_to_all_hosts(three):
    balancer = three.one("aws_lb")
    assert balancer["load_balancer_type"] == "network" and balancer["internal"] is False
    assert balancer["enable_cross_zone_load_balancing"] is True
    assert balancer["security_groups"] == [three.one("aws_security_group", "balancer")["id"]]
    ids = {address["id"] for address in three.all("aws_eip") if "balancer" in address["tags"]["Name"]}
    assert {mapping["allocation_id"] for mapping in balancer["subnet_mapping"]} == ids and len(ids) == 3
    targets = {(t["target_id"], t["port"]) for t in three.all("aws_lb_target_group_attachment")}
    assert targets == {(h["id"], port) for h in three.outputs["deployment"]["hosts"] for port in (80, 443)}


def test_connections_are_passed_on_with_the_address_of_the_client(three):
    groups = {group["port"]: group for group in three.all("aws_lb_target_group")}
    assert set(groups) == {80, 443}
    for group in groups.values():
        assert group["protocol"] == "TCP" and group["proxy_protocol_v2"] is True
        assert group["preserve_client_ip"] == "false" and len(group["name"]) <= 32
    listeners = {e["port"]: (e["protocol"], e["default_action"][0]["target_group_arn"]) for e in listeners_of(three)}
    assert listeners == {port: ("TCP", group["arn"]) for port, group in groups.items()}


def listeners_of(made: Made) -> list[dict[str, Any]]:
    """The listeners of the balancer."""
    return made.all("aws_lb_listener")


def test_the_balancer_asks_each_host_for_its_health(three):
    for group in three.all("aws_lb_target_group"):
        (check,) = group["health_check"]
        assert (check["protocol"], check["port"], check["path"]) == ("HTTP", "8081", "/healthz")
        assert (check["interval"], check["healthy_threshold"], check["unhealthy_threshold"]) == (5, 2, 2)


def test_only_the_balancer_and_the_hosts_reach_the_health_port(three):
    groups = {three.one("aws_security_group", name)["id"] for name in ("host", "balancer")}
    for port in (80, 443, 8081):
        inner = [r for r in three.rules("host", "ingress") if r["from_port"] == port and not r["cidr_blocks"]]
        assert {rule["source_security_group_id"] for rule in inner} == groups, port
    assert open_ports(three) == [80, 443]
    outer = [rule for rule in three.rules("balancer", "ingress") if rule["cidr_blocks"] == ANYWHERE]
    assert sorted(rule["from_port"] for rule in outer) == [80, 443]


def test_ansible_is_told_of_the_balancer(three):
    told = three.outputs["deployment"]["balancer"]
    assert told["name"] == three.one("aws_lb")["dns_name"] and len(told["addresses"]) == 3
    assert told["target_groups"].keys() == {"http", "https"}
    assert three.outputs["deployment"]["addresses"] == [three.one("aws_eip", "host")["public_ip"]]


def test_every_host_has_alarms_of_its_own(three):
    alarms = {a["alarm_name"].removeprefix("herolo-many-"): a for a in three.all("aws_cloudwatch_metric_alarm")}
    for host in three.outputs["deployment"]["hosts"]:
        number = host["number"]
        assert alarms[f"{number}-edge-down"]["dimensions"] == {"Host": str(number)}
        assert alarms[f"{number}-host-down"]["dimensions"] == {"InstanceId": host["id"]}
        assert f"make logs ENV=many HOST={number}`" in alarms[f"{number}-edge-down"]["alarm_description"]
    assert "edge-down" not in alarms and "database-busy" in alarms
    out = alarms["host-out-of-service"]
    assert out["namespace"] == "AWS/NetworkELB" and out["metric_name"] == "UnHealthyHostCount"
    assert out["dimensions"].keys() == {"LoadBalancer", "TargetGroup"}


def test_the_dashboard_has_a_line_for_each_host(three):
    widgets = json.loads(three.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    metrics = [metric for w in widgets if w["type"] == "metric" for metric in w["properties"]["metrics"]]
    assert [m[2:] for m in metrics if m[1] == "EdgeHealthy"] == [["Host", number] for number in "123"]
    instances = [m[3] for m in metrics if m[1] == "CPUUtilization" and m[2] == "InstanceId"]
    assert instances == [host["id"] for host in three.outputs["deployment"]["hosts"]]
    assert {"UnHealthyHostCount", "NewFlowCount", "ActiveFlowCount"} <= {metric[1] for metric in metrics}


# --- The entry ---


def test_the_second_stage_changes_the_record_only(to_both, both):
    assert to_both.changes == {"aws_route53_record.domain[0]"}
    assert to_both.actions["aws_route53_record.domain[0]"] == ["update"]
    (alias,) = both.one("aws_route53_record")["alias"]
    assert alias["name"] == both.one("aws_lb")["dns_name"]
    deployment = both.outputs["deployment"]
    assert deployment["entry"] == "both" and deployment["addresses"] == deployment["balancer"]["addresses"]


def test_the_last_stage_closes_the_hosts_only(to_balancer, balanced):
    assert to_balancer.having("delete") == to_balancer.changes
    assert to_balancer.changes == {f"aws_security_group_rule.ingress_{name}[0]" for name in ("http", "https")}
    assert open_ports(balanced) == []


def test_the_stages_back_open_the_hosts_before_the_record_leads_there(ways_back):
    opened = {f"aws_security_group_rule.ingress_{name}[0]" for name in ("http", "https")}
    both, host = ways_back
    assert both.changes == opened
    assert host.changes == {*opened, "aws_route53_record.domain[0]"}


# --- A replacement, and fewer ---


def test_a_host_is_replaced_with_its_targets_only(replacement):
    targets = {f'aws_lb_target_group_attachment.host["2-{name}"]' for name in ("http", "https")}
    assert replacement.having("delete") == {'aws_instance.host["2"]', *targets}
    changed = {address for address in replacement.having("update") if "dashboard" not in address}
    assert changed == set()


def test_one_host_less_touches_neither_the_others_nor_the_balancer(to_two):
    removed = {'aws_instance.host["3"]', *(f'aws_lb_target_group_attachment.host["3-{p}"]' for p in ("http", "https"))}
    assert to_two.having("delete") == removed
    assert {to_two.actions[a][0] for a in ('aws_instance.host["2"]', "aws_lb.main[0]")} == {"no-op"}


def test_from_three_to_one_the_first_host_stays_as_it_is(to_one, one, one_again):
    assert {to_one.actions[address][0] for address in OF_FIRST_HOST[:2]} == {"no-op"}
    assert to_one.actions['aws_db_instance.main["first"]'] == ["update"]
    before, after = one.outputs["deployment"], one_again.outputs["deployment"]
    assert after == before
    names = [{a["alarm_name"] for a in made.all("aws_cloudwatch_metric_alarm")} for made in (one, one_again)]
    assert names[0] == names[1]


# --- What is refused ---


def test_a_single_host_is_its_own_entry(stages, one_again):
    assert "the entry must be" in stages.refusal(hosts=1, entry="balancer")


def test_an_instance_type_of_a_single_zone_is_refused_for_several_hosts(stages, one_again):
    said = stages.refusal(hosts=2, instance_type="dl2q.24xlarge")
    assert "several hosts must not share one" in said and "or set hosts = 1" in said
