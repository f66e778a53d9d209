"""An upgrade from the previous release, with messages and under steady load."""

import re

import pytest
from rehearsal.mailbox import Mailbox
from rehearsal.settings import REPLICAS
from rehearsal.world import NEW_RELEASE, World


@pytest.mark.prerequisite
def test_plan_shows_the_change_of_the_release_and_makes_none(world: World, mailbox: Mailbox) -> None:
    before = world.service_versions()
    said = world.operate("plan", **({"IMAGE": NEW_RELEASE} if NEW_RELEASE else {}))
    assert said.succeeded
    planned = re.search(r'^\+.*herolo\.release: "(herolo:[0-9a-f]+)"', said.text, re.MULTILINE)
    assert planned
    assert planned[1] != world.previous
    assert said.says(r"^  on AWS +none$")
    assert world.service_versions() == before
    world.learn(release=planned[1])


@pytest.mark.prerequisite
def test_deploy_rolls_out_what_plan_has_saved_without_a_failed_request_or_a_lost_message(world: World, show) -> None:
    with world.under_load() as counts:
        said = world.deploy(world.release)
    show(counts)
    assert said.succeeded
    assert said.says("what 'make plan' has saved")
    assert counts.show_no_loss(), counts


@pytest.mark.prerequisite
def test_all_replicas_run_the_new_release(world: World) -> None:
    assert world.replicas_of(world.release) == REPLICAS


def test_every_message_of_before_is_there_unchanged_for_the_sessions_of_before(
    world: World, mailbox: Mailbox, show
) -> None:
    assert mailbox.changes() == {}
    show(mailbox)
