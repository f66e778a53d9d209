"""What AWS and Terraform say when they fail, and what to do about it."""

from __future__ import annotations

import re

from .environment import Environment

# (what is said, what to do). The first that matches counts.
EXPLANATIONS = (
    (
        r"AWS [Aa]ccount ID not allowed",
        "the credentials are of another AWS account than {name}, which is in the account {account}: 'export "
        "AWS_PROFILE=...' for that account and run this again",
    ),
    (
        r"SSO session .*(expired|invalid)|SSOProviderInvalidToken|refresh cached SSO token"
        r"|Session token not found or invalid|SSOTokenLoadError|UnauthorizedSSOToken|TokenRetrievalError",
        "there is no SSO session with AWS, or it has expired: type 'aws sso login' and run this again",
    ),
    (
        r"No valid credential sources|failed to refresh cached credentials|Unable to locate credentials"
        r"|failed to get shared config profile|config profile \(.*\) could not be found|PartialCredentials",
        "no AWS credentials: 'export AWS_PROFILE=...' (a profile that 'aws configure' or 'aws configure sso' has made) "
        "and run this again",
    ),
    (
        r"ExpiredToken|RequestExpired|InvalidClientTokenId|UnrecognizedClient|AuthFailure|SignatureDoesNotMatch"
        r"|Token has expired",
        "AWS does not accept the credentials (expired, of another account, or the clock of this machine is wrong): "
        "renew them and run this again",
    ),
    (
        r"AccessDenied|UnauthorizedOperation|is not authorized to perform",
        "the AWS user is not permitted to do this: give it the permission named above and run this again",
    ),
    (
        r"FreeTierRestrictionError|[Nn]ot eligible for (the )?[Ff]ree [Tt]ier|free tier customers",
        'AWS\'s Free plan does not include that: set instance_type = "t3.small", database_class = "db.t4g.micro" and '
        "backup_days = 1 in {form}, or upgrade the account's plan",
    ),
    (
        r"InsufficientInstanceCapacity",
        "AWS has no such instance left in that zone for the moment: run this again later, or change instance_type in "
        "{form}",
    ),
    (
        r"VolumeModificationRateExceeded|IncorrectModificationState|maximum modification rate per volume",
        "AWS enlarges a disk only once in six hours: deploy again later, or set disk_gib back in {form} until then",
    ),
    (
        r"Unreachable Endpoint",
        "AWS does not reach the URL of alarm_webhook, which must answer requests from the internet: correct or remove "
        "it in {form}",
    ),
    (
        r"DBInstanceAlreadyExists",
        "AWS has a database of that name which the state does not know, as after a run that was killed: make sure that "
        "nothing uses it, delete it in AWS's console (RDS) and run this again",
    ),
    (
        r"VcpuLimitExceeded|AddressLimitExceeded|InstanceQuotaExceeded|VpcLimitExceeded",
        "a quota of the account is exhausted: raise the one named above in AWS's console (Service Quotas), or remove "
        "what is no longer used, and run this again",
    ),
    (
        r"[Nn]o matching Route ?53 ?(Hosted )?Zone",
        "the hosted zone is not in this account: make it in Route 53, or set route53_zone or dns_provider in {form}",
    ),
    (
        r"Saved plan is stale",
        "{name} has changed since the plan was saved, and nothing was done now: plan again",
    ),
    (
        r"Failed to read the given file as a state or plan file|Failed to load .* as a plan file",
        "the saved plan of {name} is damaged, and nothing was done now: plan again",
    ),
    (
        r"state file uses format version \d+",
        "a newer Terraform has written {state}: install that version and run this again",
    ),
    (
        r"Unsupported state file format",
        "{state} is damaged: restore it from your copy and run this again",
    ),
    (
        r"Error acquiring the state lock",
        "another command is changing {name}: wait until it has ended{unlock}",
    ),
    (
        r"Failed to query available provider packages|could not connect to",
        "Terraform's provider registry cannot be reached: fix the network, or name a mirror in Terraform's CLI "
        "configuration",
    ),
)


def explain(text: str, environment: Environment, account: str = "", unlock: str = "") -> str:
    """The fix for the first known failure that the text reports, or "". `account` is that of the environment, and
    `unlock` the command that breaks the lock of its state, if that can outlive what holds it."""
    names = {
        "name": environment.name,
        "form": environment.shown(environment.form),
        "account": account,
        "state": environment.shown_state,
        "unlock": f", or if you know that it was killed, type '{unlock}'" if unlock else "",
    }
    for pattern, explanation in EXPLANATIONS:
        if re.search(pattern, text, re.MULTILINE):
            return explanation.format(**names)
    return ""
