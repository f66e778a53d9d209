"""What the operator's commands say when something is not there: each names the fix."""

import pytest
from infra.environments import TERRAFORM_SETTINGS, translate
from support.commands import environment, operate, run, says, typed, write_program

NO_CLOUD = "http://127.0.0.1:9"  # nothing of this gets as far as the cloud


@pytest.fixture
def lone(tmp_path, environments, key):
    """The variables for an environment, `lone`, that was never deployed."""
    environments.form("lone").write_text(environments.own_form("trial"), encoding="utf-8")
    return {
        **environments.variables,
        "HEROLO_INFRA": str(translate(tmp_path / "infra", NO_CLOUD)),
        "TF_CLI_CONFIG_FILE": str(TERRAFORM_SETTINGS),
        "SSH_KEY": str(key),
    }


def with_terraform(variables, folder, version, words):
    """The variables with a Terraform that is of that version and fails with these words."""
    body = f'if [ "$1" = version ]; then echo "Terraform v{version}"; else echo "{words}"; exit 1; fi'
    write_program(folder / "stub/terraform", body)
    return {**variables, "PATH": f"{folder / 'stub'}:{environment()['PATH']}"}


def test_an_unknown_action_of_terraform_is_refused_with_those_that_there_are():
    says(operate("infra", "deploy", "prod"), "it does plan, changes, planned, apply")


def test_a_plan_without_secrets_is_refused(lone):
    says(operate("infra", "plan", "lone"), f"type '{typed('secrets', 'lone')}'", env=lone)


def test_an_apply_without_a_plan_is_refused(lone):
    says(operate("infra", "apply", "lone"), f"type '{typed('infra', 'plan', 'lone')}'", env=lone)


def test_a_move_of_a_state_that_is_not_there_is_refused(lone):
    says(operate("move-state", "lone"), "infra/backend.tf says what to write", env=lone)


def test_an_unknown_action_of_the_deployment_is_refused_with_those_that_there_are():
    says(operate("now", "prod"), "it does doctor, plan, deploy, rollback")


def test_a_deployment_without_a_form_is_refused(environments):
    says(operate("deploy", "lonely"), r"cp environments/example\.tfvars", env=environments.variables)


def test_a_private_key_that_is_not_there_is_refused(environments, tmp_path):
    environments.form("prod").write_text(environments.own_form("prod"), encoding="utf-8")
    variables = {**environments.variables, "SSH_KEY": tmp_path / "none"}
    says(operate("deploy", "prod"), "SSH_KEY is the private key that belongs to", env=variables)


def test_a_private_key_that_nobody_has_is_to_be_named(environments, tmp_path):
    environments.form("prod").write_text(environments.own_form("prod"), encoding="utf-8")
    variables = {**environments.variables, "HOME": tmp_path, "SSH_AUTH_SOCK": ""}
    says(operate("plan", "prod"), "run this again with SSH_KEY=path/to/key", env=variables)


@pytest.mark.parametrize("target", ["rollback", "status"])
def test_what_was_never_deployed_is_to_be_deployed_first(lone, target):
    run(*operate("secrets", "lone"), env=lone)
    command = ["make", "--no-print-directory", target, "ENV=lone"]
    says(command, "type 'make deploy ENV=lone'", env={**lone, "YES": "1"})


@pytest.mark.parametrize("version", [pytest.param("1.10.5", id="too old"), pytest.param("", id="unknown")])
def test_a_terraform_that_cannot_be_used_is_to_be_replaced(environments, tmp_path, version):
    variables = with_terraform(environments.variables, tmp_path, version, "")
    says(operate("form", "prod"), r"install 1\.11 or newer", env=variables)


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        pytest.param("Error: No valid credential sources found", "export AWS_PROFILE=", id="no credentials"),
        pytest.param(
            "api error ExpiredToken: The security token is expired", "renew them", id="credentials that are over"
        ),
        pytest.param(
            "api error UnauthorizedOperation", "give it the permission named above", id="a permission that is missing"
        ),
        pytest.param(
            "Error: no matching Route 53 Hosted Zone found", "set route53_zone", id="a hosted zone of another account"
        ),
        pytest.param(
            "api error FreeTierRestrictionError: The specified backup retention period exceeds the maximum",
            'database_class = "db.t4g.micro" and backup_days = 1',
            id="a setting that the Free plan lacks",
        ),
        pytest.param(
            "api error InsufficientInstanceCapacity", "or change instance_type", id="a zone without such an instance"
        ),
        pytest.param("api error VcpuLimitExceeded", "a quota of the account", id="a quota that is exhausted"),
        pytest.param(
            "Error: Failed to query available provider packages", "name a mirror", id="a registry out of reach"
        ),
    ],
)
def test_a_usual_failure_of_terraform_is_explained(environments, tmp_path, words, fix):
    (tmp_path / "infra").mkdir()
    variables = {**environments.variables, "HEROLO_INFRA": str(tmp_path / "infra")}
    says(operate("infra", "plan", "trial"), fix, env=with_terraform(variables, tmp_path, "1.11.4", words))
