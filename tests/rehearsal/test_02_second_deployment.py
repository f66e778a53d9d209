"""A second deployment."""

from rehearsal.world import World


def test_a_second_deployment_changes_nothing_neither_by_terraform_nor_by_ansible(world: World) -> None:
    said = world.deploy(world.previous)
    assert said.succeeded
    assert said.says(r"^  on AWS +none$")
    assert world.changed_tasks() == 0


def test_rollback_says_that_there_is_no_release_before_yet(world: World) -> None:
    assert world.operate("rollback", YES="1").refuses("^error: there is no release before")


def test_a_setting_that_the_release_does_not_know_is_refused_by_its_line_before_the_plan(world: World) -> None:
    before = world.form.read_text()
    wrong = before.replace("HEROLO_LIMIT_SENDS", "HEROLO_LIMIT_SENSD")
    number = 1 + [line.split()[:1] for line in wrong.splitlines()].index(["HEROLO_LIMIT_SENSD"])
    world.form.write_text(wrong)
    try:
        said = world.operate("plan", IMAGE=world.release)
    finally:
        world.form.write_text(before)
    assert said.refuses(f"^error: environments/{world.form.name} line {number}: HEROLO_LIMIT_SENSD is not a setting; ")
    assert not said.says("^  infra ")
