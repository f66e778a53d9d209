"""How far each size goes: the program bench/scaling, and its tables in docs/scaling.md."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from herolo_operator.prices import load_prices
from moto.ec2.models.instance_types import INSTANCE_TYPES

REPOSITORY = Path(__file__).resolve().parents[2]


def load_program() -> ModuleType:
    """The program as a module; its name has no suffix."""
    loader = importlib.machinery.SourceFileLoader("scaling", str(REPOSITORY / "bench/scaling"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("scaling", loader))
    loader.exec_module(module)
    return module


scaling = load_program()
MODEL = scaling.load_model()
STEPS = scaling.steps_of(MODEL)
ALL_STEPS = pytest.mark.parametrize("number", range(1, len(STEPS) + 1))


def messages_at(name: str, step: Any, model: Any = MODEL) -> float:
    """The messages a day at which a limit of a step ends."""
    return next(limit.messages for limit in model.limits(step) if limit.name == name)


# --- The document ---


def test_the_document_has_the_tables_that_the_program_prints() -> None:
    text = scaling.DOCUMENT.read_text(encoding="utf-8")
    assert scaling.with_tables(text, MODEL) == text, "run bench/scaling --write"


def test_the_document_states_every_assumption_with_its_value() -> None:
    text = scaling.DOCUMENT.read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `(\w+\.\w+)` \| ([\d.,]+) \|", text, re.MULTILINE))
    expected = {
        f"{table}.{name}": f"{value:,}"
        for table in ("workload", "margins", "guesses")
        for name, value in MODEL.facts[table].items()
    }
    assert stated == expected


def test_the_costs_are_named_as_in_the_benchmark() -> None:
    names = [line.split(" | ")[0].removeprefix("| ") for line in scaling.cost_table(MODEL)]
    assert names[2:-1] == list(MODEL.requests_of_user())
    assert set(names[2:-1]) - {"sign-in"} <= set(MODEL.results["data"]["operations"])


# --- Facts that are elsewhere, too ---


@pytest.mark.parametrize(
    ("name", "path", "pattern"),
    [
        ("listeners", "traefik/routing.yml", r"limit-listeners:\n +inFlightReq:\n +amount: (\d+)"),
        ("requests", "traefik/routing.yml", r"limit-all:\n +inFlightReq:\n +amount: (\d+)"),
        ("connections", "ansible/roles/host/templates/nftables.conf.j2", r"\n +ct count over (\d+) drop"),
        ("idle_seconds", "traefik/install.yml.j2", r"idleTimeout: (\d+)s"),
        ("listeners_of_replica", "service/src/live/registry.rs", r"MAX_SUBSCRIBERS: usize = ([\d_]+);"),
        ("stream_minutes", "service/src/live/routes.rs", r"LIFETIME: Duration = Duration::from_mins\((\d+)\)"),
        ("logins_of_replica", "docs/performance.md", r"with one hashing thread \| (\d+) a second"),
        ("replica_mib", "infra/locals.tf", r"replica += (\d+)\n"),
        ("connections_of_replica", "infra/locals.tf", r'HEROLO_DATABASE_MAX_CONNECTIONS"\]\), (\d+)\)'),
    ],
)
def test_the_constants_are_those_of_the_deployment(name: str, path: str, pattern: str) -> None:
    found = re.search(pattern, (REPOSITORY / path).read_text(encoding="utf-8"))
    assert found, f"{path} has no {name}"
    assert MODEL.facts["constants"][name] == int(found.group(1))


def test_a_host_reserves_the_memory_that_terraform_expects() -> None:
    text = (REPOSITORY / "infra/locals.tf").read_text(encoding="utf-8")
    found = re.search(r"edge +=(.+)\n +system += (\d+)", text)
    assert found
    edge = sum(int(number) for number in found.group(1).split("+"))
    assert MODEL.facts["constants"]["other_mib"] == edge + int(found.group(2))


@pytest.mark.parametrize("name", [*MODEL.facts["hosts"], *MODEL.facts["databases"]])
def test_instances_have_what_aws_says_of_them(name: str) -> None:
    """moto has AWS's own descriptions of EC2's instance types. Database classes are those with a prefix."""
    known = INSTANCE_TYPES[name.removeprefix("db.")]
    stated = MODEL.facts["databases" if name.startswith("db.") else "hosts"][name]
    assert stated["vcpus"] == known["VCpuInfo"]["DefaultVCpus"]
    assert stated["memory_gib"] * 1024 == known["MemoryInfo"]["SizeInMiB"]
    assert (stated["earned"] < 1) == known["BurstablePerformanceSupported"]
    if "iops" in stated:
        assert stated["iops"] == known["EbsInfo"]["EbsOptimizedInfo"]["BaselineIops"]
    if "network_gbps" in stated:
        assert stated["network_gbps"] == known["NetworkInfo"]["NetworkCards"][0]["BaselineBandwidthInGbps"]


# --- The steps ---


def test_the_first_step_is_the_form_as_it_is() -> None:
    text = (REPOSITORY / "infra/variables.tf").read_text(encoding="utf-8")
    for name in ("instance_type", "replicas", "database_class", "database_storage_gib"):
        found = re.search(rf'^variable "{name}" \{{.*?^  default +=\s+(.*?)$', text, re.MULTILINE | re.DOTALL)
        assert found and found.group(1).strip('"') == str(getattr(STEPS[0], name))
    assert STEPS[0].hosts == 1


def test_the_steps_end_with_all_hosts_and_the_largest_database() -> None:
    assert STEPS[-1].hosts == 6
    vcpus = {name: facts["vcpus"] for name, facts in MODEL.facts["databases"].items()}
    assert STEPS[-1].database_class == max(vcpus, key=vcpus.__getitem__)


@ALL_STEPS
def test_a_step_fits_into_the_memory_of_its_host_and_its_database(number: int) -> None:
    step = STEPS[number - 1]
    assert MODEL.needed_mib(step) <= MODEL.facts["hosts"][step.instance_type]["memory_gib"] * 1024
    assert MODEL.connections(step) <= MODEL.connections_that_fit(step)
    assert 2 <= step.replicas <= 10


@pytest.mark.parametrize("number", range(1, len(STEPS)))
def test_a_step_raises_what_ended_before_it_and_carries_more(number: int) -> None:
    before, after = STEPS[number - 1 : number + 1]
    first = MODEL.limits(before)[0]
    changed = {name for name in vars(after) if getattr(before, name) != getattr(after, name)}
    assert changed & {*first.setting.split(" or "), "iops" if "IOPS" in first.setting else ""}
    assert MODEL.limits(after)[0].messages > first.messages


@ALL_STEPS
def test_every_price_but_that_of_the_balancer_is_known(number: int) -> None:
    unknown = scaling.bill_of(STEPS[number - 1], load_prices(MODEL.facts["prices"]["region"])).unknown
    assert set(unknown) <= {"aws_lb"}


# --- The model ---


def test_pages_and_sends_cost_what_was_measured_behind_the_edge_and_other_operations_in_proportion_to_a_page() -> None:
    measured = MODEL.results["edge"]["variants"]["shipped"]
    for name, alike in (("page", "page"), ("keyed_send", "send")):
        cost, edge, behind = MODEL.costs[name], measured[alike]["http2"], measured[name]["tls"]
        assert cost.edge_us == edge["traefik_us"] + edge["log_us"]
        assert (cost.replica_us, cost.mysql_us) == (behind["replicas_us"], behind["mysql_us"])
    page, mark = MODEL.costs["page"], MODEL.costs["mark"]
    direct = {name: sizes["large"] for name, sizes in MODEL.results["data"]["operations"].items()}
    assert mark.mysql_us / page.mysql_us == pytest.approx(direct["mark"]["mysql_us"] / direct["page"]["mysql_us"])
    assert mark.edge_us == page.edge_us


def test_a_host_carries_as_many_pages_as_its_processors_have_time_for() -> None:
    page = MODEL.costs["page"].host_us / 1e6
    assert MODEL.requests_a_second("t3.small", "page") == pytest.approx(0.6 * 2 / page)
    assert MODEL.requests_a_second("m7i.xlarge", "page") == pytest.approx(0.6 * 4 / page)


def test_a_calculation_by_hand_of_the_processors_of_a_host() -> None:
    requests = {"keyed_send": 20, "page": 40, "read": 10 + 30 + 10, "mark": 20, "remove": 5, "sign-in": 1}
    assert MODEL.requests_of_user() == requests
    of_user = sum(number * MODEL.costs[name].host_us for name, number in requests.items()) / 1e6
    users = 0.6 * 2 * 86_400 / 3 / of_user  # 60 % of two vCPUs; the busiest hour is three times an average one
    assert messages_at("processors of the hosts", STEPS[0]) == pytest.approx(20 * users)
    assert messages_at("CPU credits of the hosts", STEPS[0]) == pytest.approx(20 * 0.2 * 2 * 86_400 / of_user)


def test_one_of_several_hosts_is_spared_but_its_credits_count() -> None:
    one, three = STEPS[0], replace(STEPS[0], hosts=3)
    assert MODEL.listeners(three) == 2 * MODEL.listeners(one)
    host = messages_at("processors of the hosts", one)
    assert messages_at("processors of the hosts", three) == pytest.approx(2 * host)
    credits = messages_at("CPU credits of the hosts", one)
    assert messages_at("CPU credits of the hosts", three) == pytest.approx(3 * credits)


def test_instances_without_credits_have_no_such_limit() -> None:
    step = replace(STEPS[0], instance_type="m7i.large", database_class="db.r6g.large")
    assert not [limit.name for limit in MODEL.limits(step) if "credits" in limit.name]


def test_disk_operations_end_at_the_class_or_at_the_disk() -> None:
    small = replace(STEPS[0], database_class="db.r6g.4xlarge")
    large = replace(small, database_storage_gib=400)
    settings = {
        step: next(limit.setting for limit in MODEL.limits(step) if "operations" in limit.name)
        for step in (STEPS[0], small, large)
    }
    assert list(settings.values()) == [
        "database_class",
        "database_storage_gib",
        "provisioned IOPS, none in the form",
    ]
    name = "disk operations of the database"
    assert messages_at(name, large) == pytest.approx(4 * messages_at(name, small))
    provisioned = replace(large, iops=64_000)  # of which the class can use 20,000
    assert messages_at(name, provisioned) == pytest.approx(messages_at(name, large) * 20 / 12)


def test_users_and_messages_convert_into_each_other() -> None:
    assert MODEL.online_at_peak(20) == pytest.approx(2 / 24 * 3)
    assert MODEL.online_at_peak(MODEL.messages_of(768)) == pytest.approx(768)
    assert MODEL.online_without_stream(STEPS[0]) == 1280 / (96 / 7200 * 60)


# --- The program ---


def test_an_assumption_can_be_replaced_for_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    doubled = scaling.load_model(["workload.peak=6"])
    for name, share in (("processors of the hosts", 0.5), ("CPU credits of the hosts", 1)):
        assert messages_at(name, STEPS[0], doubled) == pytest.approx(share * messages_at(name, STEPS[0]))
    scaling.main(["--set", "workload.kept_days=36.5", "--step", "1"])
    assert "| disk of the database | 1,100,000 | database_storage_gib |" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["workload.pages", "workload.pages=many", "workload.naps=1", "steps.hosts=2", "x"])
def test_an_assumption_that_does_not_exist_is_refused(change: str) -> None:
    with pytest.raises(SystemExit, match=r"error: .* is no number"):
        scaling.load_model([change])


@pytest.mark.parametrize("arguments", [["--step", "0"], ["--step", "99"], ["--set", "workload.peak=5", "--write"]])
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scaling.main(arguments)
    assert "error: " in capsys.readouterr().err


def test_a_price_that_is_not_known_makes_the_sum_a_least() -> None:
    model = scaling.load_model()
    model.facts["prices"]["region"] = "xx-nowhere-1"
    assert " at least 4 |" in list(scaling.step_table(model))[2]  # the address alone, 3.65


def test_numbers_are_rounded_down_to_two_digits() -> None:
    numbers = (0, 9.9, 99.9, 109, 1999, 123_456_789)
    assert [scaling.rounded(number) for number in numbers] == ["0", "9", "99", "100", "1,900", "120,000,000"]
