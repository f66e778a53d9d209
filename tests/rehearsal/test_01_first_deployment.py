"""An empty account and a form become a service, of the previous release."""

import re
import time

import pytest
from rehearsal.settings import DOMAIN, ENVIRONMENT, PREVIOUS_RELEASE
from rehearsal.world import World


@pytest.mark.prerequisite
def test_the_previous_release_is_built_from_its_commit(world: World, show) -> None:
    begin = time.monotonic()
    world.learn(previous=world.build_commit(PREVIOUS_RELEASE))
    show(f"built in {time.monotonic() - begin:.0f} s")


def test_nothing_is_deployed_without_a_form(world: World) -> None:
    assert world.operate("deploy", environment="production").refuses(r"^error: .*cp environments/example\.tfvars")


def test_status_fails_before_the_first_deployment_and_names_make_deploy(world: World) -> None:
    assert world.operate("status").refuses(f"^error: .*make deploy ENV={ENVIRONMENT}")


def test_deploy_asks_and_changes_nothing_without_an_answer(world: World) -> None:
    assert world.operate("deploy", IMAGE=world.previous).refuses(r"^error: .*set YES=1")
    assert world.cloud.left() == []


def test_a_domain_with_an_ipv6_address_is_refused_before_anything_is_made(world: World) -> None:
    world.enter_records((DOMAIN, "AAAA", ["2001:db8::7"]))
    said = world.deploy(world.previous)
    world.enter_records()
    assert said.refuses(f"^error: ipv6: {DOMAIN} has the AAAA record 2001:db8::7, .*: remove that record")
    assert world.cloud.left() == []


@pytest.mark.prerequisite
def test_deploy_sets_everything_up_by_the_plan_that_it_has_shown(world: World) -> None:
    said = world.deploy(world.previous)
    assert said.succeeded
    served = re.search(r"^==> .* serves (herolo:[0-9a-f]+) from ", said.text, re.MULTILINE)
    assert served
    assert served[1] == world.previous
    [host] = world.cloud.hosts()
    world.learn(release=world.previous, address=host.address)
    world.follow_domain(DOMAIN)
