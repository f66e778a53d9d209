"""Failures of the AWS API."""

from __future__ import annotations

from pathlib import Path

import botocore.exceptions
import pytest
from herolo_operator.aws import Aws
from herolo_operator.console import Failure
from herolo_operator.environment import Environment
from herolo_operator.explanations import explain

SSO = """
[profile team]
sso_session = team
sso_account_id = 123456789012
sso_role_name = operator

[sso-session team]
sso_start_url = https://team.awsapps.com/start
sso_region = eu-central-1
"""


@pytest.fixture
def aws(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    environment.form.write_text('region = "eu-central-1"\n')
    return Aws(environment)


def test_missing_credentials_are_explained(aws: Aws) -> None:
    with pytest.raises(Failure, match=r"^no AWS credentials: 'export AWS_PROFILE"):
        aws.identity()


def test_a_profile_that_does_not_exist_is_explained(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(Failure, match=r"^no AWS credentials: 'export AWS_PROFILE"):
        aws.identity()


TERRAFORM = "Error: No valid credential sources found\n\nError: failed to refresh cached credentials, {}"
BOTOCORE = (
    "UnauthorizedSSOTokenError: The SSO session associated with this profile has expired or is otherwise invalid."
)


@pytest.mark.parametrize(
    "text",
    [
        TERRAFORM.format("the SSO session has expired or is invalid: open ~/.aws/sso/cache/1.json: no such file"),
        TERRAFORM.format("refresh cached SSO token failed, unable to refresh SSO token, InvalidGrantException"),
        TERRAFORM.format("SSOProviderInvalidToken: the SSO session has expired or is invalid"),
        TERRAFORM.format("operation error SSO: GetRoleCredentials, Session token not found or invalid"),
        BOTOCORE,
        "SSOTokenLoadError: Error loading SSO Token: Token for team does not exist",
        "TokenRetrievalError: Error when retrieving token from sso: Token has expired and refresh failed",
    ],
)
def test_an_sso_session_that_is_over_is_begun_anew(text: str, environment: Environment) -> None:
    """Although there are no credentials without it."""
    assert explain(text, environment).endswith(": type 'aws sso login' and run this again")


def test_a_login_of_sso_that_never_was_is_explained(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(SSO)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Failure, match=r"'aws sso login' and run this again$"):
        aws.identity()


def test_an_endpoint_out_of_reach_is_explained(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Failure, match=r"^AWS cannot be reached: fix the network"):
        aws.identity()


def test_a_refusal_names_the_missing_permission(aws: Aws) -> None:
    answer = {"Error": {"Code": "AccessDenied", "Message": "ops is not authorized to perform: rds:CreateDBSnapshot"}}
    with pytest.raises(Failure, match=r"give it the permission .*rds:CreateDBSnapshot"), aws.explained():
        raise botocore.exceptions.ClientError(answer, "CreateDBSnapshot")


def test_a_form_without_a_region_is_told(aws: Aws, environment: Environment) -> None:
    environment.form.write_text("")
    with pytest.raises(Failure, match=r"^environments/prod\.tfvars has no region: enter it"):
        Aws(environment).client("ssm")


def test_any_other_refusal_is_one_line(aws: Aws) -> None:
    answer = {"Error": {"Code": "DBSnapshotNotFound", "Message": "no\nsuch snapshot"}}
    with pytest.raises(Failure, match=r"^AWS refuses that: .*DBSnapshotNotFound.* no such snapshot$"), aws.explained():
        raise botocore.exceptions.ClientError(answer, "DescribeDBSnapshots")
