"""An empty account and a form become a service on three hosts."""

import re

import pytest
from rehearsal.settings import DOMAIN
from rehearsal.world import NEW_RELEASE, World

HOSTS = (1, 2, 3)


def test_plan_names_the_hosts_and_what_they_cost_a_month(world: World) -> None:
    said = world.operate("plan", **({"IMAGE": NEW_RELEASE} if NEW_RELEASE else {}))
    assert said.succeeded
    assert said.says(r"^  on the hosts +new hosts: everything$")
    assert said.says(r"^  cost +.*USD")
    assert world.cloud.left() == []


@pytest.mark.prerequisite
def test_deploy_sets_up_three_hosts_and_leads_the_domain_to_the_balancer(world: World, show) -> None:
    said = world.deploy(NEW_RELEASE)
    assert said.succeeded
    served = re.search(r"^==> .* serves (herolo:[0-9a-f]+) from ", said.text, re.MULTILINE)
    assert served
    hosts = world.cloud.hosts()
    assert [host.number for host in hosts] == list(HOSTS)
    world.learn(release=served[1], previous=served[1], address=hosts[0].address)
    world.follow_domain(DOMAIN)
    [balancer] = world.cloud.balancers()
    assert sorted(world.addresses()) == balancer.addresses
    show(f"{len(balancer.addresses)} addresses")


@pytest.mark.parametrize("number", HOSTS)
def test_every_host_runs_all_replicas(world: World, number: int) -> None:
    assert world.replicas_of(world.release, number) == world.settings.replicas


@pytest.mark.prerequisite
def test_the_balancer_finds_every_host_healthy(world: World) -> None:
    world.await_healthy(*HOSTS)


def test_status_has_a_row_for_each_host_and_one_for_the_balancers_view_of_it(world: World) -> None:
    said = world.operate("status")
    assert said.succeeded
    replicas = world.settings.replicas
    for number in HOSTS:
        assert said.says(rf"^  host {number} +well .*service {replicas} of {replicas}; ")
        assert said.says(rf"^  balancer, {number} +healthy ")
