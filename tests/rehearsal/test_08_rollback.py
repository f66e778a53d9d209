"""Going back to the previous release, with a third database password, under steady load, and forward again."""

import pytest
from rehearsal.mailbox import Mailbox
from rehearsal.settings import REPLICAS
from rehearsal.world import World


@pytest.mark.prerequisite
def test_rollback_goes_back_without_a_failed_request(world: World, mailbox: Mailbox, show) -> None:
    world.forget_secret("database_service_password")  # the second one was never in use
    with world.under_load() as counts:
        said = world.operate("rollback", YES="1")
    show(counts)
    assert said.succeeded
    assert counts.show_no_loss(), counts


@pytest.mark.prerequisite
def test_all_replicas_run_the_previous_release(world: World) -> None:
    assert world.replicas_of(world.previous) == REPLICAS


def test_every_message_is_there_for_the_previous_release(world: World, mailbox: Mailbox, show) -> None:
    assert mailbox.changes() == {}
    show(mailbox)


@pytest.mark.prerequisite
def test_a_second_rollback_undoes_the_first(world: World) -> None:
    assert world.operate("rollback", YES="1").succeeded
    assert world.replicas_of(world.release) == REPLICAS


def test_the_database_accepts_the_password_of_the_file_and_no_second_one(world: World) -> None:
    assert world.parts.database_accepts("herolo_service", world.read_secrets()["database_service_password"])
    assert world.parts.users_with_two_passwords() == []
