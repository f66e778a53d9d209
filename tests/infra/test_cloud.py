"""The life of an environment in a stand-in of the AWS API: plan, apply, a plan without changes, a state that moves to
S3, and destroy."""

import json
import re
import shutil

import pytest
import yaml
from infra.environments import Made
from support.cloud import REGION
from support.commands import attempt, errors_of, operate, run, says

S3_BACKEND = """\
bucket       = "states"
key          = "herolo/prod.tfstate"
region       = "{region}"
use_lockfile = true

# Because the API is a stand-in:
endpoints                   = {{ s3 = "{endpoint}" }}
use_path_style              = true
skip_credentials_validation = true
skip_metadata_api_check     = true
skip_requesting_account_id  = true
"""


@pytest.fixture(scope="module")
def second_plan(applied, operator):
    """What a plan finds when everything was applied."""
    operator.operate("infra", "plan", "prod")
    return operator.changes()


@pytest.fixture(scope="module")
def s3_backend(second_plan, operator):
    """The bucket for the state of prod is named."""
    text = S3_BACKEND.format(region=REGION, endpoint=operator.cloud.endpoint)
    (operator.environments.folder / "prod.s3.tfbackend").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def moved(s3_backend, operator):
    """The state is in the bucket; the objects there."""
    operator.operate("move-state", "prod")
    return operator.cloud.states()


@pytest.fixture(scope="module")
def left_before(moved, operator):
    """The resources after two unconfirmed `destroy` commands."""
    command = operate("infra", "destroy", "prod")
    says(command, "set CONFIRM=prod", env=operator.variables)
    says(command, "nothing was destroyed", env={**operator.variables, "CONFIRM": "yes"})
    return operator.cloud.left()


@pytest.fixture(scope="module")
def deleted_in_console(left_before, operator):
    """A second database of production, which is in its state, but not at AWS."""
    operator.change_databases("add", "20260201-000000", "latest")
    operator.cloud.delete_database("herolo-prod-20260201-000000")


@pytest.fixture(scope="module")
def destroyed(deleted_in_console, operator):
    """Production is destroyed; what destroy said."""
    done = attempt(*operate("infra", "destroy", "prod"), env={**operator.variables, "CONFIRM": "prod"})
    output = done.stdout + done.stderr
    (operator.folder / "destroy.log").write_text(output, encoding="utf-8")
    assert done.returncode == 0, output
    return output


def test_the_form_of_a_trial_is_planned(trial):
    assert trial.resources


def test_the_first_plan_of_production_only_adds(applied):
    assert re.fullmatch("[0-9]{2} to add, 0 to change, 0 to destroy", applied.changes)


def test_the_plan_is_applied(production):
    assert production.resources


def test_ansible_gets_the_outputs_as_one_variable(applied, operator):
    assert yaml.safe_load(operator.operate("infra", "output", "prod"))["deployment"]["domain"] == "herolo.example.com"
    assert operator.operate("infra", "output", "prod", "url").strip() == "https://herolo.example.com"


def test_a_second_plan_has_nothing_to_do(second_plan):
    assert second_plan == "none"


def test_the_cost_is_that_of_the_plan_and_of_what_is_deployed(second_plan, operator):
    cost = json.loads(operator.operate("cost", "prod", "--json"))
    assert cost["deployed"] == cost["planned"]
    assert cost["deployed"]["complete"] is True
    items = {item["name"]: item["monthly"] for item in cost["deployed"]["items"]}
    assert items["host, t3.small"] == 17.52 and items["hosted zone in Route 53"] == 0.5
    assert cost["deployed"]["total"] == round(sum(items.values()), 2)
    assert re.search(r"^ *database, db.t4g.small, single-AZ +27.01 +27.01 *$", operator.operate("cost", "prod"), re.M)


def test_the_status_finds_the_subscriptions_that_terraform_has_made(second_plan, operator):
    assert operator.show_alarms() == [
        ["email", "confirmed", "ops@example.com"],
        ["webhook", "confirmed", "alarms.example.com"],
    ]


def test_the_cost_of_what_is_only_planned_names_the_prices_that_are_not_known(trial, operator):
    cost = json.loads(operator.operate("cost", "trial", "--json"))
    assert cost["deployed"]["items"] == [] and cost["planned"]["complete"] is False
    unknown = [item["name"] for item in cost["planned"]["items"] if item["monthly"] is None]
    assert unknown == ["database, db.m7g.large, multi-AZ", "host, m7i.large"]


def test_a_plan_that_would_delete_the_database_is_refused_and_not_kept(second_plan, operator):
    # The name of the master user cannot be changed: AWS would have to make another database.
    other = operator.folder / "other"
    shutil.copytree(operator.infra, other)
    database = (other / "database.tf").read_text(encoding="utf-8")
    assert '"herolo_master"' in database
    (other / "database.tf").write_text(database.replace('"herolo_master"', '"root_of_it"'), encoding="utf-8")
    variables = {**operator.variables, "HEROLO_INFRA": str(other)}
    says(operate("infra", "plan", "prod"), "this would delete the database with all messages", env=variables)
    says(operate("infra", "apply", "prod"), "there is no saved plan", env=operator.variables)


@pytest.fixture
def form(second_plan, operator):
    """The form of production, which is as before in the end."""
    file = operator.environments.form("prod")
    before = file.read_text(encoding="utf-8")
    yield file
    file.write_text(before, encoding="utf-8")


def test_a_larger_disk_is_a_change_of_the_host_in_place(form, operator):
    form.write_text(f"{form.read_text(encoding='utf-8')}disk_gib = 30\n", encoding="utf-8")
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "0 to add, 1 to change, 0 to destroy"


def test_a_smaller_disk_is_refused_with_the_size_to_set_and_not_kept(form, operator):
    form.write_text(f"{form.read_text(encoding='utf-8')}disk_gib = 10\n", encoding="utf-8")
    says(operate("infra", "plan", "prod"), "has 20 GiB, and AWS .*: set disk_gib = 20 in", env=operator.variables)
    says(operate("infra", "apply", "prod"), "there is no saved plan", env=operator.variables)


@pytest.fixture
def twin(second_plan, operator):
    """A copy of production's files under another name."""
    environments = operator.environments
    copies = [environments.folder / f"twin.{ending}" for ending in ("tfvars", "secrets.yml", "tfstate")]
    for copy in copies:
        shutil.copy(copy.with_name(copy.name.replace("twin", "prod")), copy)
    yield copies[-1]
    for copy in copies:
        copy.unlink()


def rewrite(file, pattern, replacement):
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"))
    assert count, f"{file.name} has nothing like {pattern}"
    file.write_text(text, encoding="utf-8")


def test_credentials_of_another_account_are_refused(twin, operator):
    rewrite(twin, "123456789012", "210987654321")
    fix = "which is in the account 210987654321"
    says(operate("infra", "plan", "twin"), fix, env=operator.variables)
    says(operate("infra", "destroy", "twin"), fix, env={**operator.variables, "CONFIRM": "twin"})


def test_an_environment_of_a_newer_version_is_refused(twin, operator):
    rewrite(twin, r'("deployment_format": \{\s*"value": )1', r"\g<1>99")
    says(operate("infra", "plan", "twin"), "a newer version of Herolo has deployed twin", env=operator.variables)


@pytest.mark.parametrize("content", [None, ""], ids=["missing", "empty"])
def test_a_lost_state_is_told_from_a_new_environment(content, second_plan, operator):
    state = operator.environments.folder / "prod.tfstate"
    kept = state.rename(operator.folder / "kept")
    try:
        if content is not None:
            state.write_text(content, encoding="utf-8")
        complaint = "the network vpc-[0-9a-f]+ and the database herolo-prod, but environments/prod.tfstate is missing"
        says(operate("infra", "plan", "prod"), complaint, env=operator.variables)
        says(operate("infra", "destroy", "prod"), complaint, env={**operator.variables, "CONFIRM": "prod"})
        says(operate("infra", "output", "prod"), "restore it from your copy", env=operator.variables)
    finally:
        kept.replace(state)


def test_a_damaged_state_is_to_be_restored(twin, operator):
    twin.write_text(twin.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    says(operate("infra", "plan", "twin"), r"environments/twin\.tfstate is damaged", env=operator.variables)


def test_a_damaged_plan_is_to_be_made_again(twin, operator):
    twin.with_suffix(".tfplan").touch()
    says(operate("infra", "changes", "twin"), "plan of twin is damaged.*plan again", env=operator.variables)
    says(operate("infra", "apply", "twin"), "plan of twin is damaged.*plan again", env=operator.variables)


def test_the_history_has_what_was_applied(second_plan, operator):
    history = json.loads(operator.operate("history", "--json", "prod"))
    assert ("infra apply", "succeeded") in {(entry["command"], entry["outcome"]) for entry in history}


def test_a_database_that_is_not_found_is_not_replaced_by_an_empty_one(twin, operator):
    rewrite(twin, '"id": "herolo-prod"', '"id": "herolo-elsewhere"')
    confirmed = {**operator.variables, "CONFIRM": "twin", "OVERRIDE": "twin:new-secrets"}
    says(operate("infra", "plan", "twin"), "OVERRIDE=twin:empty-database plans a new", env=confirmed)


def test_lost_secrets_are_not_replaced_while_there_is_a_database(second_plan, operator):
    file = operator.environments.secrets("prod")
    kept = file.rename(operator.folder / "kept")
    try:
        says(operate("secrets", "prod"), "restore the file from your copy", env=operator.variables)
        says(operate("secrets", "prod"), "OVERRIDE=prod:new-secrets", env={**operator.variables, "CONFIRM": "prod"})
        run(*operate("secrets", "prod"), env={**operator.variables, "OVERRIDE": "prod:new-secrets"})
        says(operate("infra", "plan", "prod"), "is not the file of this deployment", env=operator.variables)
    finally:
        kept.rename(file)


def test_a_deployment_from_before_databases_had_names_keeps_its_database(second_plan, operator):
    file = operator.environments.folder / "prod.tfstate"
    kept = file.read_text(encoding="utf-8")
    state = json.loads(kept)
    for resource in state["resources"]:
        if resource["type"] == "aws_db_instance":
            del resource["instances"][0]["index_key"]
        if (resource["type"], resource["name"]) == ("aws_cloudwatch_log_group", "database"):
            resource["instances"][0]["index_key"] = "error"
    file.write_text(json.dumps(state), encoding="utf-8")
    try:
        operator.operate("infra", "plan", "prod")
        assert operator.changes() == "0 to add, 0 to change, 0 to destroy"
    finally:
        file.write_text(kept, encoding="utf-8")


def test_a_database_whose_creation_was_interrupted_is_kept(second_plan, operator):
    """Terraform would make it anew: Ctrl-C ends its wait for the database, but not RDS."""
    work, address = operator.environments.folder / ".prod", 'aws_db_instance.main["first"]'
    variables = {**operator.variables, "TF_DATA_DIR": str(work / "terraform")}
    run("terraform", f"-chdir={work / 'infra'}", "taint", address, env=variables)
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "none"
    assert "tainted" not in (operator.environments.folder / "prod.tfstate").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def restored(second_plan, operator):
    """A database made from a snapshot, beside the first; what its plan would change."""
    operator.cloud.take_snapshot("herolo-prod", "nightly")
    return operator.change_databases("add", "20260131-140500", "nightly")


def test_a_restored_database_is_made_beside_the_first_and_like_it(restored, operator):
    assert "2 to add, 0 to change, 0 to destroy" in restored
    first, second = sorted(Made(operator.show("prod")).all("aws_db_instance"), key=lambda values: values["identifier"])
    assert second["identifier"] == "herolo-prod-20260131-140500" and second["snapshot_identifier"] == "nightly"
    same = "engine instance_class publicly_accessible deletion_protection storage_encrypted backup_retention_period"
    assert all(second[name] == first[name] for name in same.split())
    assert second["final_snapshot_identifier"] != first["final_snapshot_identifier"]


def test_the_next_plan_keeps_both(restored, operator):
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "none"


def test_alarms_and_outputs_follow_the_current_database(restored, operator):
    assert "0 to add" in operator.change_databases("use", "20260131-140500")
    made = Made(operator.show("prod"))
    assert made.outputs["deployment"]["database"]["host"].startswith("herolo-prod-20260131-140500.")
    assert made.outputs["database_hosts"].keys() == {"first", "20260131-140500"}
    watched = {a["dimensions"].get("DBInstanceIdentifier") for a in made.all("aws_cloudwatch_metric_alarm")}
    assert watched - {None} == {"herolo-prod-20260131-140500"}
    operator.change_databases("use", "first")


def test_the_removal_of_a_database_does_not_deploy_other_changes(restored, form, key, operator):
    form.write_text(f"{form.read_text(encoding='utf-8')}disk_gib = 30\nreplicas = 2\n", encoding="utf-8")
    variables = {**operator.variables, "CONFIRM": "prod", "SSH_KEY": key}
    fault = r'other changes that are not deployed \(.*aws_instance\.host\["1"\], replicas\): deploy them first'
    says(operate("restore-finish", "prod"), fault, env=variables)
    says(operate("infra", "apply", "prod"), "there is no saved plan", env=operator.variables)
    assert "database herolo-prod-20260131-140500" in operator.cloud.left()


def test_a_database_is_removed_after_its_protection_and_leaves_a_snapshot(restored, operator):
    assert "0 to add, 1 to change, 0 to destroy" in operator.change_databases("retire", "20260131-140500")
    assert "0 to add, 0 to change, 2 to destroy" in operator.change_databases("remove", "20260131-140500")
    left = operator.cloud.left()
    assert "database herolo-prod" in left and "database herolo-prod-20260131-140500" not in left
    (snapshot,) = [line for line in left if line.startswith("snapshot herolo-prod-20260131-140500-final-")]
    for name in (snapshot.removeprefix("snapshot "), "nightly"):
        operator.cloud.delete_snapshot(name)


def test_a_database_is_made_from_the_automated_backups_and_changes_no_more(second_plan, operator):
    name, identifier = "20260131-140500", "herolo-prod-20260131-140500"
    assert "2 to add, 0 to change, 0 to destroy" in operator.change_databases("add", name, "2026-01-31T14:05:00Z")
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "none"
    made = {values["identifier"]: values for values in Made(operator.show("prod")).all("aws_db_instance")}
    assert made[identifier]["name"] == made["herolo-prod"]["name"] == "herolo"
    operator.cloud.delete_database(identifier)  # at once, which Terraform does in minutes
    operator.change_databases("remove", name)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param("replicas = 10", "10 replicas do not fit into the memory of t3.small", id="memory"),
        pytest.param('instance_type = "t3.micro"', "3 replicas do not fit into the memory of t3.micro", id="instance"),
    ],
)
def test_replicas_that_do_not_fit_into_the_instance_are_refused(change, fault, second_plan, operator):
    form = operator.environments.form("large")
    form.write_text(f"{operator.environments.form('prod').read_text(encoding='utf-8')}\n{change}\n", encoding="utf-8")
    operator.operate("secrets", "large")
    says(operate("infra", "plan", "large"), fault, env=operator.variables)
    form.unlink()
    operator.environments.secrets("large").unlink()


@pytest.fixture(scope="module")
def team(operator, tmp_path_factory):
    """Two operators of one environment whose secrets are in SSM: the first has generated them, the second has planned.
    The folder of the second, and what the first has generated."""
    first, second = (tmp_path_factory.mktemp("operator") for _ in range(2))
    form = operator.environments.form("prod").read_text(encoding="utf-8")
    for folder in (first, second):
        (folder / "team.tfvars").write_text(f'{form}\nsecrets = "ssm"\n', encoding="utf-8")
    run(*operate("secrets", "team"), env={**operator.variables, "HEROLO_ENVIRONMENTS": str(first)})
    generated = operator.cloud.parameter("/herolo/team/secrets")
    for command in (("secrets", "team"), ("infra", "plan", "team")):
        run(*operate(*command), env={**operator.variables, "HEROLO_ENVIRONMENTS": str(second)})
    assert not (first / "team.secrets.yml").exists()
    return second, generated


def test_a_second_operator_plans_with_the_secrets_in_ssm(team, operator):
    folder, generated = team
    assert operator.cloud.parameter("/herolo/team/secrets") == generated
    variables = {**operator.variables, "HEROLO_ENVIRONMENTS": str(folder)}
    changes = run(*operate("infra", "changes", "team"), env=variables)
    assert re.fullmatch("[0-9]+ to add, 0 to change, 0 to destroy\n", changes)


def test_secrets_in_ssm_are_in_no_file_of_an_operator(team):
    folder, generated = team
    shutil.unpack_archive(folder / "team.tfplan", folder / "plan", "zip")
    secrets = re.findall('"([^"\n]+)"', generated)
    assert len(secrets) == 4
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def test_a_switch_to_s3_while_the_state_is_here_is_stopped(s3_backend, operator):
    says(operate("infra", "plan", "prod"), "type 'make move-state ENV=prod'", env=operator.variables)


def test_the_state_moves_to_the_bucket(moved):
    assert any(line.startswith("herolo/prod.tfstate ") for line in moved)


def test_a_plan_with_the_state_in_s3_has_nothing_to_do(moved, operator):
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "none"
    assert not (operator.infra / "backend_override.tf").exists()


def test_an_older_state_does_not_replace_the_one_in_the_bucket(moved, operator):
    state = operator.environments.folder / "prod.tfstate"
    shutil.copy(state.with_name("prod.tfstate.moved"), state)
    rewrite(state, r'("environment": ")prod', r"\g<1>older")
    try:
        says(
            operate("infra", "plan", "prod"),
            r"if it has one, move environments/prod\.tfstate away$",
            env=operator.variables,
        )
        fix = r"has a state already, and nothing was moved: move environments/prod\.tfstate away"
        says(operate("move-state", "prod"), fix, env=operator.variables)
        assert operator.cloud.states() == moved
    finally:
        state.unlink()


def command_of(operator, pattern):
    """The command that a refused plan tells to type."""
    (error,) = errors_of(*operate("infra", "plan", "prod"), env=operator.variables)
    found = re.search(pattern, error)
    assert found, error
    return found.group(1)


def test_a_state_that_could_not_be_written_is_pushed_by_the_command_that_is_told(moved, operator):
    file = operator.environments.folder / ".prod/infra/errored.tfstate"
    (line,) = [line for line in moved if line.startswith("herolo/prod.tfstate ")]
    state = json.loads(line.partition(" ")[2])
    state["serial"] += 1
    file.write_text(json.dumps(state), encoding="utf-8")
    push = command_of(operator, "type '(TF_DATA_DIR=[^']*)' and run this again")
    run("bash", "-c", f"cd / && {push}", env=operator.variables)
    assert not file.exists()
    (line,) = [line for line in operator.cloud.states() if line.startswith("herolo/prod.tfstate ")]
    assert json.loads(line.partition(" ")[2])["serial"] >= state["serial"]
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "none"


def test_the_lock_of_a_command_that_was_killed_is_broken_by_the_command_that_is_told(moved, operator):
    lock = {"ID": "4d42d3c1-0c9d-6f4b-7a54-0f2f4f9f2a11", "Operation": "OperationTypeApply", "Who": "ops@elsewhere"}
    operator.cloud.put_state("herolo/prod.tfstate.tflock", json.dumps(lock))
    unlock = command_of(operator, "if you know that it was killed, type '(TF_DATA_DIR=[^']*)'$")
    run("bash", "-c", f"cd / && echo yes | {unlock}", env=operator.variables)
    operator.operate("infra", "plan", "prod")


def test_destroy_without_the_name_destroys_nothing(left_before):
    assert "database herolo-prod" in left_before


def test_of_a_destroyed_environment_only_the_last_snapshot_remains(destroyed, operator):
    """That of the database that AWS had: the other was not made anew to be removed."""
    (left,) = operator.cloud.left()
    assert re.fullmatch("snapshot herolo-prod-final-[0-9a-f]+", left)


def test_destroy_names_the_last_snapshot_with_its_price(destroyed):
    assert re.search(r"last snapshot, herolo-prod-final-[0-9a-f]+ \(about .* USD", destroyed)


def test_a_second_destroy_has_nothing_to_do(destroyed, operator):
    done = attempt(*operate("infra", "destroy", "prod"), env={**operator.variables, "CONFIRM": "prod"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def deployed_again(destroyed, operator):
    """Production is made from its last snapshot, and destroyed again; the snapshots that remain, and the former one."""
    (former,) = [line.removeprefix("snapshot ") for line in operator.cloud.left()]
    says(operate("infra", "plan", "prod"), f"FROM={former} makes the database .*, FROM=empty", env=operator.variables)
    chosen = {**operator.variables, "FROM": former}
    run(*operate("infra", "plan", "prod"), env=chosen)
    operator.operate("infra", "apply", "prod")
    (database,) = Made(operator.show("prod")).all("aws_db_instance")
    assert database["snapshot_identifier"] == former
    says(operate("infra", "plan", "prod"), f"'make restore ENV=prod FROM={former}' restores", env=chosen)
    operator.operate("infra", "plan", "prod")
    assert operator.changes() == "none"
    run(*operate("infra", "destroy", "prod"), env={**operator.variables, "CONFIRM": "prod"})
    return operator.cloud.left(), former


def test_a_second_removal_leaves_a_snapshot_of_its_own(deployed_again):
    left, former = deployed_again
    assert len(left) == 2 and f"snapshot {former}" in left
    assert all(re.fullmatch("snapshot herolo-prod-final-[0-9a-f]+", line) for line in left)


def test_no_secret_is_in_the_plan_the_state_a_log_or_on_a_command_line(trial, destroyed, moved, operator):
    # The secrets are random, so that each is its own canary. Only the files that hold them may have them.
    folder, environments = operator.folder, operator.environments
    holders = {environments.secrets(name) for name in ("prod", "trial")}
    canaries = {
        value.partition(":")[2] or value
        for holder in holders
        for value in yaml.safe_load(holder.read_text(encoding="utf-8")).values()
        if value
    }
    assert len(canaries) == 8
    (folder / "s3").write_text("\n".join(moved + operator.cloud.states()), encoding="utf-8")
    searched = [operator.arguments, folder / "plan/tfplan", folder / "plan/tfstate", folder / "prod-state.json"]
    searched += [folder / "s3", folder / "destroy.log", environments.folder / "prod.tfstate.moved"]
    assert not [path for path in searched if not path.is_file() or path.stat().st_size == 0]
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert set(searched) | holders <= set(files)
    found = {path for path in files if any(canary.encode() in path.read_bytes() for canary in canaries)}
    assert found == holders
