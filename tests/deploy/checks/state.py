#!/usr/bin/env python3
"""Checks what Terraform made (or would make) against what an operator is promised.

    state.py protected STATE.json      the applied state of the form in ../forms/protected.tfvars
    state.py trial PLAN.json           the plan of the form in ../forms/trial.tfvars

Both files come from `terraform show -json`. Prints a line for each promise; fails if one is not kept.
"""

import json
import sys

from promises import judge

EVERYBODY = ["0.0.0.0/0"]


class Made:
    """The resources, by type."""

    def __init__(self, document):
        values = document.get("planned_values") or document["values"]
        self.outputs = {name: output.get("value") for name, output in values["outputs"].items()}
        self.resources = [r for r in values["root_module"]["resources"] if r["mode"] == "managed"]

    def all(self, kind):
        return [r["values"] for r in self.resources if r["type"] == kind]

    def one(self, kind, name=None):
        found = [r["values"] for r in self.resources if r["type"] == kind and name in (None, r["name"])]
        assert len(found) == 1, f"there are {len(found)} of {kind} {name or ''}"
        return found[0]

    def rules(self, group, direction):
        group_id = self.one("aws_security_group", group)["id"]
        return [
            r
            for r in self.all("aws_security_group_rule")
            if r["security_group_id"] == group_id and r["type"] == direction
        ]


# --- The form with protection: promises about what was made ---


def only_web_ports_are_open_to_everybody(made):
    rules = [r for r in made.rules("host", "ingress") if r["cidr_blocks"] == EVERYBODY]
    assert sorted((r["protocol"], r["from_port"], r["to_port"]) for r in rules) == [("tcp", 80, 80), ("tcp", 443, 443)]
    assert not any(r["ipv6_cidr_blocks"] for r in made.all("aws_security_group_rule"))


def ssh_is_open_to_the_networks_of_the_form_only(made):
    rules = [r for r in made.rules("host", "ingress") if r["cidr_blocks"] != EVERYBODY]
    assert all((r["protocol"], r["from_port"], r["to_port"]) == ("tcp", 22, 22) for r in rules)
    assert sorted(r["cidr_blocks"] for r in rules) == [["198.51.100.0/24"], ["203.0.113.7/32"]]


def mysql_is_open_to_the_host_only(made):
    (rule,) = made.rules("database", "ingress")
    assert (rule["protocol"], rule["from_port"], rule["to_port"]) == ("tcp", 3306, 3306)
    assert rule["source_security_group_id"] == made.one("aws_security_group", "host")["id"] and not rule["cidr_blocks"]
    assert made.rules("database", "egress") == []


def the_host_reaches_only_what_it_needs(made):
    rules = made.rules("host", "egress")
    assert sorted((r["protocol"], r["from_port"], r["to_port"]) for r in rules) == [
        ("tcp", 80, 80),
        ("tcp", 443, 443),
        ("tcp", 3306, 3306),
        ("udp", 123, 123),
    ]
    (to_database,) = [r for r in rules if r["from_port"] == 3306]
    assert to_database["source_security_group_id"] == made.one("aws_security_group", "database")["id"]


def every_rule_says_what_it_is_for(made):
    assert all(r["description"] for r in made.all("aws_security_group_rule"))


def the_default_security_group_lets_nothing_through(made):
    group = made.one("aws_default_security_group")
    assert group["ingress"] == [] and group["egress"] == []


def the_database_is_in_two_zones_without_a_way_to_the_internet(made):
    private = {s["id"]: s for s in made.all("aws_subnet") if s["tags"]["Name"].startswith("herolo-prod-private")}
    assert set(made.one("aws_db_subnet_group")["subnet_ids"]) == set(private)
    assert len({s["availability_zone"] for s in private.values()}) == 2
    tables = {a["route_table_id"] for a in made.all("aws_route_table_association") if a["subnet_id"] in private}
    assert tables.isdisjoint({r["route_table_id"] for r in made.all("aws_route")}) and tables
    assert made.one("aws_db_instance")["publicly_accessible"] is False


def the_database_is_encrypted_on_disk_and_on_the_way(made):
    assert made.one("aws_db_instance")["storage_encrypted"] is True
    parameters = {p["name"]: p["value"] for p in made.one("aws_db_parameter_group")["parameter"]}
    assert parameters["require_secure_transport"] == "1"
    assert "strict_trans_tables" in parameters["sql_mode"].lower()
    assert made.one("aws_db_instance")["parameter_group_name"] == made.one("aws_db_parameter_group")["name"]


def the_database_has_room_for_all_replicas_during_an_update(made):
    parameters = {p["name"]: p["value"] for p in made.one("aws_db_parameter_group")["parameter"]}
    assert int(parameters["max_connections"]) >= (3 + 1) * 16 + 10


def the_database_is_mysql_with_backups_and_protection(made):
    database = made.one("aws_db_instance")
    assert (database["engine"], database["engine_version"].split(".")[:2]) == ("mysql", ["8", "4"])
    assert database["backup_retention_period"] == 14 and database["copy_tags_to_snapshot"] is True
    assert database["deletion_protection"] is True and database["skip_final_snapshot"] is False
    assert database["final_snapshot_identifier"].startswith("herolo-prod-final-")
    assert database["auto_minor_version_upgrade"] is True and database["multi_az"] is False


def the_host_has_an_encrypted_disk_and_guards_its_metadata(made):
    host = made.one("aws_instance", "host")
    (disk,) = host["root_block_device"]
    assert disk["encrypted"] is True and disk["volume_type"] == "gp3" and disk["volume_size"] == 20
    (metadata,) = host["metadata_options"]
    assert metadata["http_tokens"] == "required" and metadata["http_put_response_hop_limit"] == 1


def the_host_is_bare(made):
    host = made.one("aws_instance", "host")
    assert not host["user_data"] and not host["user_data_base64"] and not host["iam_instance_profile"]
    assert host["ami"] == "ami-0debian13amd64" and host["instance_type"] == "t3.small"


def the_domain_points_at_the_address_of_the_host(made):
    record, address = made.one("aws_route53_record"), made.one("aws_eip")
    assert record["name"] == "herolo.example.com" and record["type"] == "A"
    assert record["records"] == [address["public_ip"]] and address["instance"] == made.one("aws_instance")["id"]


def everything_carries_the_tags(made):
    for resource in made.resources:
        tags = resource["values"].get("tags_all")
        if tags is not None:
            assert tags.get("Project") == "herolo" and tags.get("Environment") == "prod", resource["address"]


def the_alarms_write_to_the_operator_and_cost_nothing(made):
    alarms, topic = made.all("aws_cloudwatch_metric_alarm"), made.one("aws_sns_topic")["arn"]
    assert 6 <= len(alarms) <= 10
    assert all(a["alarm_actions"] == [topic] and a["ok_actions"] == [topic] and a["alarm_description"] for a in alarms)
    assert made.one("aws_sns_topic_subscription")["endpoint"] == "ops@example.com"


def the_dashboard_shows_this_host_and_this_database(made):
    widgets = json.loads(made.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    shown = {metric[3] for w in widgets if w["type"] == "metric" for metric in w["properties"]["metrics"]}
    assert shown == {made.one("aws_instance")["id"], made.one("aws_db_instance")["identifier"]}
    (alarms,) = [w["properties"]["alarms"] for w in widgets if w["type"] == "alarm"]
    assert sorted(alarms) == sorted(a["arn"] for a in made.all("aws_cloudwatch_metric_alarm"))
    places = [(w["x"], w["y"]) for w in widgets]
    assert len(places) == len(set(places)) and all(w["x"] + w["width"] <= 24 for w in widgets)


def the_logs_of_the_database_end_after_a_month(made):
    groups = {g["name"]: g["retention_in_days"] for g in made.all("aws_cloudwatch_log_group")}
    assert groups == {"/aws/rds/instance/herolo-prod/error": 30}
    assert made.one("aws_db_instance")["enabled_cloudwatch_logs_exports"] == ["error"]


def no_statement_is_logged_with_its_values(made):
    parameters = {p["name"]: p["value"] for p in made.one("aws_db_parameter_group")["parameter"]}
    assert parameters["slow_query_log"] == "0" and parameters.get("general_log", "0") == "0"
    # Their digests have none.
    assert parameters["performance_schema"] == "1"


def ansible_is_told_all_it_needs(made):
    assert made.outputs["deployment"] == {
        "environment": "prod",
        "region": "eu-central-1",
        "domain": "herolo.example.com",
        "dns_provider": "route53",
        "replicas": 3,
        "host_id": made.one("aws_instance")["id"],
        "host_address": made.one("aws_eip")["public_ip"],
        "ssh_user": "admin",
        "ssh_public_key": made.one("aws_key_pair")["public_key"],
        "database": {
            "host": made.one("aws_db_instance")["address"],
            "port": 3306,
            "name": "herolo",
            "master_user": "herolo_master",
        },
        "acme": {"email": "ops@example.com", "directory": "https://acme-staging-v02.api.letsencrypt.org/directory"},
    }
    assert made.outputs["dns_record_to_enter"] == "" and made.outputs["url"] == "https://herolo.example.com"


# --- The form of a trial: what its other answers change ---


def without_route53_there_is_no_record(made):
    assert made.all("aws_route53_record") == []


def without_an_address_for_alarms_nobody_is_written_to(made):
    assert made.all("aws_sns_topic") == [] and made.all("aws_sns_topic_subscription") == []


def without_protection_nothing_would_remain(made):
    database = made.one("aws_db_instance")
    assert database["deletion_protection"] is False and database["skip_final_snapshot"] is True
    assert database["delete_automated_backups"] is True


def the_answers_reach_the_resources(made):
    database, host = made.one("aws_db_instance"), made.one("aws_instance")
    assert database["multi_az"] is True and database["instance_class"] == "db.m7g.large"
    assert (database["allocated_storage"], database["max_allocated_storage"]) == (50, 100)
    assert host["instance_type"] == "m7i.large" and host["root_block_device"][0]["volume_size"] == 40


def instances_without_credits_have_no_alarm_for_them(made):
    assert not any("credits" in a["alarm_name"] for a in made.all("aws_cloudwatch_metric_alarm"))


PROMISES = {
    "protected": [
        only_web_ports_are_open_to_everybody,
        ssh_is_open_to_the_networks_of_the_form_only,
        mysql_is_open_to_the_host_only,
        the_host_reaches_only_what_it_needs,
        every_rule_says_what_it_is_for,
        the_default_security_group_lets_nothing_through,
        the_database_is_in_two_zones_without_a_way_to_the_internet,
        the_database_is_encrypted_on_disk_and_on_the_way,
        the_database_has_room_for_all_replicas_during_an_update,
        the_database_is_mysql_with_backups_and_protection,
        the_host_has_an_encrypted_disk_and_guards_its_metadata,
        the_host_is_bare,
        the_domain_points_at_the_address_of_the_host,
        everything_carries_the_tags,
        the_alarms_write_to_the_operator_and_cost_nothing,
        the_dashboard_shows_this_host_and_this_database,
        the_logs_of_the_database_end_after_a_month,
        no_statement_is_logged_with_its_values,
        ansible_is_told_all_it_needs,
    ],
    "trial": [
        without_route53_there_is_no_record,
        without_an_address_for_alarms_nobody_is_written_to,
        without_protection_nothing_would_remain,
        the_answers_reach_the_resources,
        instances_without_credits_have_no_alarm_for_them,
    ],
}


def main(form, file):
    with open(file, encoding="utf-8") as document:
        judge(PROMISES[form], Made(json.load(document)))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in PROMISES:
        sys.exit(__doc__)
    main(*sys.argv[1:])
