"""What is watched and who is told: alarms, dashboard, log groups and the role of the host. Their names are those that
the collector on the host writes."""

import ast
import json
import re

import pytest
from support.commands import REPOSITORY

COLLECTOR = REPOSITORY / "ansible/roles/monitoring/files/collector.py"
NAMESPACE = "herolo-prod"
EMAIL, WEBHOOK = "ops@example.com", "https://alarms.example.com/herolo"


@pytest.fixture(scope="module")
def written() -> set[str]:
    """The metrics that the collector writes, from its list."""
    (metrics,) = re.findall(r"^METRICS = (\{.*?^\})", COLLECTOR.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return set(ast.literal_eval(metrics))


@pytest.fixture
def alarms(production):
    """All alarms by the rest of their names."""
    found = production.all("aws_cloudwatch_metric_alarm")
    return {alarm["alarm_name"].removeprefix("herolo-prod-"): alarm for alarm in found}


def charts(made):
    """The metrics on the dashboard: each as its namespace, its name and its dimension."""
    widgets = json.loads(made.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    return [tuple(metric) for w in widgets if w["type"] == "metric" for metric in w["properties"]["metrics"]]


def statements(made):
    """What the role of the host may do."""
    return json.loads(made.one("aws_iam_role_policy")["policy"])["Statement"]


# --- Alarms ---


def test_all_faults_that_users_would_notice_have_an_alarm(alarms):
    assert set(alarms) == {
        *("https-down", "certificate-expires", "server-errors", "replicas-missing", "edge-down"),
        *("host-down", "host-busy", "host-credits", "host-disk-full", "host-memory-low"),
        *("database-busy", "database-credits", "database-storage-low", "database-memory-low", "database-connections"),
    }


def test_every_alarm_says_what_to_do(alarms):
    for name, alarm in alarms.items():
        verbs = r"\b(see|choose|check|raise|look for|shows|names|repairs|has the reason|orders it again)\b"
        assert re.search(verbs, alarm["alarm_description"]), name


def test_every_alarm_on_a_metric_of_the_host_watches_one_that_the_collector_writes(alarms, written):
    own = {alarm["metric_name"]: alarm for alarm in alarms.values() if alarm["namespace"] == NAMESPACE}
    assert set(own) <= written and len(own) == 6
    assert not any(alarm["dimensions"] for alarm in own.values())


def test_every_metric_that_the_collector_writes_is_on_the_dashboard(production, written):
    assert {metric[1] for metric in charts(production) if metric[0] == NAMESPACE} == written


def test_a_missing_replica_is_one_less_than_the_form_asks_for(alarms):
    alarm = alarms["replicas-missing"]
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("LessThanThreshold", 3)


def test_a_collector_that_has_stopped_is_a_fault(alarms):
    assert alarms["replicas-missing"]["treat_missing_data"] == "breaching"


def test_https_is_requested_from_outside_under_the_domain(production, alarms):
    check = production.one("aws_route53_health_check")
    assert (check["type"], check["fqdn"], check["port"]) == ("HTTPS", "herolo.example.com", 443)
    assert check["resource_path"] == "/livez" and not check["ip_address"]
    alarm = alarms["https-down"]
    assert (alarm["namespace"], alarm["metric_name"]) == ("AWS/Route53", "HealthCheckStatus")
    assert alarm["dimensions"] == {"HealthCheckId": check["id"]}


def test_every_alarm_tells_the_topic_of_its_own_region(alarms, production):
    topics = {topic["name"]: topic["arn"] for topic in production.all("aws_sns_topic")}
    assert ":us-east-1:" in topics["herolo-prod-https"] and ":eu-central-1:" in topics["herolo-prod-alarms"]
    for name, alarm in alarms.items():
        topic = topics["herolo-prod-https" if name == "https-down" else "herolo-prod-alarms"]
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [topic], name
        assert alarm["arn"].split(":")[3] == topic.split(":")[3]


def test_the_address_and_the_webhook_of_the_form_are_told_by_both_topics(production):
    topics = {topic["arn"] for topic in production.all("aws_sns_topic")}
    told = {(s["topic_arn"], s["protocol"], s["endpoint"]) for s in production.all("aws_sns_topic_subscription")}
    ways = (("email", EMAIL), ("https", WEBHOOK))
    assert told == {(topic, *way) for topic in topics for way in ways}


def test_without_an_address_and_a_webhook_no_notification_is_sent(trial):
    assert trial.all("aws_sns_topic") == [] and trial.all("aws_sns_topic_subscription") == []


def test_instances_without_credits_have_no_alarm_for_them(trial):
    assert not any("credits" in a["alarm_name"] for a in trial.all("aws_cloudwatch_metric_alarm"))


# --- The dashboard ---


def test_the_dashboard_shows_this_host_this_database_and_the_edge(production):
    host, database = production.one("aws_instance")["id"], production.one("aws_db_instance")["identifier"]
    assert {metric[3] for metric in charts(production) if len(metric) == 4} == {host, database}
    assert {metric[0] for metric in charts(production)} == {NAMESPACE, "AWS/EC2", "AWS/RDS"}
    widgets = json.loads(production.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    (alarms,) = [w["properties"]["alarms"] for w in widgets if w["type"] == "alarm"]
    assert sorted(alarms) == sorted(a["arn"] for a in production.all("aws_cloudwatch_metric_alarm"))
    places = [(w["x"], w["y"]) for w in widgets]
    assert len(places) == len(set(places)) and all(w["x"] + w["width"] <= 24 for w in widgets)


# --- The role of the host, and its logs ---


def test_the_host_has_a_role_that_only_ec2_can_assume(production):
    role = production.one("aws_iam_role")
    (trust,) = json.loads(role["assume_role_policy"])["Statement"]
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    profile = production.one("aws_iam_instance_profile")
    assert profile["role"] == role["name"] and production.one("aws_instance")["iam_instance_profile"] == profile["name"]
    assert not role["managed_policy_arns"]


def test_the_host_can_write_metrics_of_its_namespace_and_lines_of_its_log_groups_and_nothing_else(production):
    metrics, *logs = statements(production)
    assert metrics == {
        "Effect": "Allow",
        "Action": ["cloudwatch:PutMetricData"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"cloudwatch:namespace": NAMESPACE}},
    }
    groups = [f"arn:aws:logs:eu-central-1:123456789012:log-group:/herolo-prod/{part}" for part in ("edge", "service")]
    assert logs == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"{group}:log-stream:*"],
        }
        for group in groups
    ]


def test_containers_do_not_reach_the_credentials_of_the_role(production):
    (metadata,) = production.one("aws_instance")["metadata_options"]
    assert metadata["http_tokens"] == "required" and metadata["http_put_response_hop_limit"] == 1


def test_logs_are_kept_as_long_as_the_form_says_and_those_of_the_database_for_a_month(production):
    groups = {g["name"]: g["retention_in_days"] for g in production.all("aws_cloudwatch_log_group")}
    assert groups == {
        "/aws/rds/instance/herolo-prod/error": 30,
        "/herolo-prod/service": 14,
        "/herolo-prod/edge": 14,
    }
    assert production.one("aws_db_instance")["enabled_cloudwatch_logs_exports"] == ["error"]


def test_logs_that_stay_on_the_host_have_no_group(trial):
    assert [g["name"] for g in trial.all("aws_cloudwatch_log_group")] == ["/aws/rds/instance/herolo-trial/error"]
