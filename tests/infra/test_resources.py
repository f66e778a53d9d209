"""Compares the resources of a production form and of a trial form with the documented guarantees."""

EVERYBODY = ["0.0.0.0/0"]


# --- Production: the form with protection ---


def test_only_web_ports_are_open_to_everybody(production):
    rules = [r for r in production.rules("host", "ingress") if r["cidr_blocks"] == EVERYBODY]
    assert sorted((r["protocol"], r["from_port"], r["to_port"]) for r in rules) == [("tcp", 80, 80), ("tcp", 443, 443)]
    assert not any(r["ipv6_cidr_blocks"] for r in production.all("aws_security_group_rule"))


def test_ssh_is_open_to_the_networks_of_the_form_only(production):
    rules = [r for r in production.rules("host", "ingress") if r["cidr_blocks"] != EVERYBODY]
    assert all((r["protocol"], r["from_port"], r["to_port"]) == ("tcp", 22, 22) for r in rules)
    assert sorted(r["cidr_blocks"] for r in rules) == [["198.51.100.0/24"], ["203.0.113.7/32"]]


def test_mysql_is_open_to_the_host_only(production):
    (rule,) = production.rules("database", "ingress")
    assert (rule["protocol"], rule["from_port"], rule["to_port"]) == ("tcp", 3306, 3306)
    assert (
        rule["source_security_group_id"] == production.one("aws_security_group", "host")["id"]
        and not rule["cidr_blocks"]
    )
    assert production.rules("database", "egress") == []


def test_the_host_reaches_only_what_it_needs(production):
    rules = production.rules("host", "egress")
    assert sorted((r["protocol"], r["from_port"], r["to_port"]) for r in rules) == [
        ("tcp", 80, 80),
        ("tcp", 443, 443),
        ("tcp", 3306, 3306),
        ("udp", 123, 123),
    ]
    (to_database,) = [r for r in rules if r["from_port"] == 3306]
    assert to_database["source_security_group_id"] == production.one("aws_security_group", "database")["id"]


def test_a_mail_server_is_reached_if_there_is_a_sender_of_mails(trial, mailing):
    def ports(made):
        return {rule["to_port"] for rule in made.all("aws_security_group_rule") if rule["type"] == "egress"}

    assert ports(mailing) - ports(trial) == {465}
    assert 465 not in ports(trial)


def test_every_rule_says_what_it_is_for(production):
    assert all(r["description"] for r in production.all("aws_security_group_rule"))


def test_the_default_security_group_lets_nothing_through(production):
    group = production.one("aws_default_security_group")
    assert group["ingress"] == [] and group["egress"] == []


def test_the_database_is_in_two_zones_without_a_way_to_the_internet(production):
    private = {s["id"]: s for s in production.all("aws_subnet") if s["tags"]["Name"].startswith("herolo-prod-private")}
    assert set(production.one("aws_db_subnet_group")["subnet_ids"]) == set(private)
    assert len({s["availability_zone"] for s in private.values()}) == 2
    tables = {a["route_table_id"] for a in production.all("aws_route_table_association") if a["subnet_id"] in private}
    assert tables.isdisjoint({r["route_table_id"] for r in production.all("aws_route")}) and tables
    assert production.one("aws_db_instance")["publicly_accessible"] is False


def test_the_database_is_encrypted_on_disk_and_on_the_way(production):
    assert production.one("aws_db_instance")["storage_encrypted"] is True
    parameters = {p["name"]: p["value"] for p in production.one("aws_db_parameter_group")["parameter"]}
    assert parameters["require_secure_transport"] == "1"
    assert "strict_trans_tables" in parameters["sql_mode"].lower()
    assert production.one("aws_db_instance")["parameter_group_name"] == production.one("aws_db_parameter_group")["name"]


def test_the_database_has_room_for_all_replicas_during_an_update(production):
    parameters = {p["name"]: p["value"] for p in production.one("aws_db_parameter_group")["parameter"]}
    assert int(parameters["max_connections"]) >= (3 + 1) * 20 + 10


def test_the_database_is_mysql_with_backups_and_protection(production):
    database = production.one("aws_db_instance")
    assert (database["engine"], database["engine_version"].split(".")[:2]) == ("mysql", ["8", "4"])
    assert database["backup_retention_period"] == 14 and database["copy_tags_to_snapshot"] is True
    assert database["deletion_protection"] is True and database["skip_final_snapshot"] is False
    assert database["final_snapshot_identifier"].startswith("herolo-prod-final-")
    assert database["auto_minor_version_upgrade"] is True and database["multi_az"] is False


def test_the_host_has_an_encrypted_disk_and_guards_its_metadata(production):
    host = production.one("aws_instance", "host")
    (disk,) = host["root_block_device"]
    assert disk["encrypted"] is True and disk["volume_type"] == "gp3" and disk["volume_size"] == 20
    (metadata,) = host["metadata_options"]
    assert metadata["http_tokens"] == "required" and metadata["http_put_response_hop_limit"] == 1


def test_the_host_is_bare(production):
    host = production.one("aws_instance", "host")
    assert not host["user_data"] and not host["user_data_base64"]
    assert host["ami"] == "ami-0debian13amd64" and host["instance_type"] == "t3.small"


def test_the_domain_points_at_the_address_of_the_host(production):
    record, address = production.one("aws_route53_record"), production.one("aws_eip")
    assert record["name"] == "herolo.example.com" and record["type"] == "A"
    assert record["records"] == [address["public_ip"]] and address["instance"] == production.one("aws_instance")["id"]


def test_everything_carries_the_tags(production):
    for resource in production.resources:
        tags = resource["values"].get("tags_all")
        if tags is not None:
            assert tags.get("Project") == "herolo" and tags.get("Environment") == "prod", resource["address"]


def test_no_statement_is_logged_with_its_values(production):
    parameters = {p["name"]: p["value"] for p in production.one("aws_db_parameter_group")["parameter"]}
    assert parameters["slow_query_log"] == "0" and parameters.get("general_log", "0") == "0"
    # Their digests have none.
    assert parameters["performance_schema"] == "1"


def test_ansible_is_told_all_it_needs(production):
    assert production.outputs["deployment"] == {
        "environment": "prod",
        "region": "eu-central-1",
        "domain": "herolo.example.com",
        "dns_provider": "route53",
        "replicas": 3,
        "hosts": [
            {
                "number": 1,
                "id": production.one("aws_instance")["id"],
                "address": production.one("aws_eip")["public_ip"],
                "private_address": production.one("aws_instance")["private_ip"],
                "zone": production.one("aws_instance")["availability_zone"],
            }
        ],
        "balancer": None,
        "entry": "host",
        "addresses": [production.one("aws_eip")["public_ip"]],
        "service_settings": {"HEROLO_DATABASE_MAX_CONNECTIONS": "20", "HEROLO_LIMIT_SENDS": "600"},
        "ssh_user": "admin",
        "ssh_public_key": production.one("aws_key_pair")["public_key"],
        "database": {
            "host": production.one("aws_db_instance")["address"],
            "port": 3306,
            "name": "herolo",
            "master_user": "herolo_master",
        },
        "monitoring": {
            "namespace": "herolo-prod",
            "log_groups": {"service": "/herolo-prod/service", "edge": "/herolo-prod/edge"},
        },
        "acme": {"email": "ops@example.com", "directory": "https://acme-staging-v02.api.letsencrypt.org/directory"},
    }
    assert production.outputs["dns_record_to_enter"] == "" and production.outputs["url"] == "https://herolo.example.com"


# --- The form of a trial: what its other answers change ---


def test_without_route53_there_is_no_record(trial):
    assert trial.all("aws_route53_record") == []


def test_without_protection_nothing_would_remain(trial):
    database = trial.one("aws_db_instance")
    assert database["deletion_protection"] is False and database["skip_final_snapshot"] is True
    assert database["delete_automated_backups"] is True


def test_the_answers_reach_the_resources(trial):
    database, host = trial.one("aws_db_instance"), trial.one("aws_instance")
    assert database["multi_az"] is True and database["instance_class"] == "db.m7g.large"
    assert (database["allocated_storage"], database["max_allocated_storage"]) == (50, 100)
    assert host["instance_type"] == "m7i.large" and host["root_block_device"][0]["volume_size"] == 40


def test_without_settings_of_the_service_the_database_has_room_for_those_of_the_service(trial):
    parameters = {p["name"]: p["value"] for p in trial.one("aws_db_parameter_group")["parameter"]}
    assert int(parameters["max_connections"]) >= (3 + 1) * 16 + 10
