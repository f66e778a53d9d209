"""Looks into the stand-in of the AWS API, past Terraform."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

REGION = "eu-central-1"
OUTSIDE = "us-east-1"  # the region of Route 53's metrics
BUCKET = "states"


@dataclasses.dataclass(frozen=True, order=True)
class Host:
    """A running instance."""

    number: int
    id: str
    private_address: str
    address: str


@dataclasses.dataclass(frozen=True)
class TargetGroup:
    """To which hosts a balancer passes the connections at one of its ports, and how it checks them (in seconds)."""

    port: int
    path: str
    matcher: str
    health_port: str
    interval: int
    timeout: int
    rise: int
    fall: int
    sends_addresses: bool
    preserves_addresses: bool
    targets: list[str]


@dataclasses.dataclass(frozen=True)
class Balancer:
    """A network load balancer: its DNS name, its addresses and its target groups by port."""

    name: str
    addresses: list[str]
    services: dict[int, TargetGroup]

    def targets(self) -> set[str]:
        """The ids of the instances that are in all of its target groups."""
        return set.intersection(*(set(group.targets) for group in self.services.values()))

    def without_targets(self) -> Balancer:
        """The same whichever instances are registered."""
        return dataclasses.replace(
            self, services={port: dataclasses.replace(group, targets=[]) for port, group in self.services.items()}
        )


class Cloud:
    """The account that the stand-in plays."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._clients: dict[tuple[str, str], Any] = {}  # to make one takes boto3 longer than a request

    def _client(self, service: str, region: str = REGION) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=region,
                aws_access_key_id="stand-in",
                aws_secret_access_key="stand-in",
            )
        return self._clients[service, region]

    def prepare(self) -> None:
        """Makes the resources that an operator has beforehand: the hosted zone, and a bucket for states."""
        self._client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
        self._client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def states(self) -> list[str]:
        """The objects in the bucket: the key of each and its content, divided by a blank."""
        s3 = self._client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return [f"{key} {s3.get_object(Bucket=BUCKET, Key=key)['Body'].read().decode()}" for key in keys]

    def put_state(self, key: str, content: str) -> None:
        """Writes an object into the bucket."""
        self._client("s3").put_object(Bucket=BUCKET, Key=key, Body=content.encode())

    def parameter(self, name: str) -> str:
        """The decrypted value of an SSM parameter."""
        answer = self._client("ssm").get_parameter(Name=name, WithDecryption=True)
        value: str = answer["Parameter"]["Value"]
        return value

    def left(self) -> list[str]:
        """A line, such as `instance i-123`, for each resource that costs or stays."""
        return [f"{kind} {name}" for kind, names in self._resources().items() for name in names]

    def _resources(self) -> dict[str, list[str]]:
        ec2, rds = self._client("ec2"), self._client("rds")
        instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        parameters = [g["DBParameterGroupName"] for g in rds.describe_db_parameter_groups()["DBParameterGroups"]]
        watch, watch_outside = self._client("cloudwatch"), self._client("cloudwatch", OUTSIDE)
        iam, dns, balancing = self._client("iam"), self._client("route53"), self._client("elbv2")
        return {
            "instance": [i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"],
            "volume": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
            "address": [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]],
            "balancer": [b["LoadBalancerName"] for b in balancing.describe_load_balancers()["LoadBalancers"]],
            "target group": [g["TargetGroupName"] for g in balancing.describe_target_groups()["TargetGroups"]],
            "key pair": [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]],
            "vpc": [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]],
            "security group": [g["GroupName"] for g in groups if g["GroupName"] != "default"],
            "gateway": [g["InternetGatewayId"] for g in ec2.describe_internet_gateways()["InternetGateways"]],
            "database": [d["DBInstanceIdentifier"] for d in rds.describe_db_instances()["DBInstances"]],
            "snapshot": [s["DBSnapshotIdentifier"] for s in rds.describe_db_snapshots()["DBSnapshots"]],
            "parameter group": [name for name in parameters if "herolo" in name],
            "subnet group": [g["DBSubnetGroupName"] for g in rds.describe_db_subnet_groups()["DBSubnetGroups"]],
            "log group": [g["logGroupName"] for g in self._client("logs").describe_log_groups()["logGroups"]],
            "alarm": [a["AlarmName"] for a in watch.describe_alarms()["MetricAlarms"]],
            "dashboard": [d["DashboardName"] for d in watch.list_dashboards()["DashboardEntries"]],
            "topic": [t["TopicArn"] for t in self._client("sns").list_topics()["Topics"]],
            "alarm of HTTPS": [a["AlarmName"] for a in watch_outside.describe_alarms()["MetricAlarms"]],
            "topic of HTTPS": [t["TopicArn"] for t in self._client("sns", OUTSIDE).list_topics()["Topics"]],
            "health check": [c["Id"] for c in dns.list_health_checks()["HealthChecks"]],
            "role": [r["RoleName"] for r in iam.list_roles()["Roles"]],
            "instance profile": [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]],
            "record": [r["Name"] for r in self._records() if r["Type"] not in ("NS", "SOA")],
        }

    def alarms(self, namespace: str) -> dict[str, str]:
        """The alarms on metrics of a namespace: name to metric."""
        alarms = self._client("cloudwatch").describe_alarms()["MetricAlarms"]
        return {a["AlarmName"]: a["MetricName"] for a in alarms if a["Namespace"] == namespace and not a["Dimensions"]}

    def metric(self, namespace: str, name: str) -> list[float]:
        """The values of a metric without dimensions in the last quarter of an hour, the oldest first."""
        now = datetime.now(UTC)
        query = {"Id": "values", "ReturnData": True}
        query["MetricStat"] = {"Metric": {"Namespace": namespace, "MetricName": name}, "Period": 1, "Stat": "Maximum"}
        start, end = now - timedelta(minutes=15), now + timedelta(minutes=1)
        answer = self._client("cloudwatch").get_metric_data(
            MetricDataQueries=[query], StartTime=start, EndTime=end, ScanBy="TimestampAscending"
        )
        return answer["MetricDataResults"][0]["Values"]

    def log_events(self, group: str) -> dict[str, list[str]]:
        """The messages of each stream of a log group."""
        logs = self._client("logs")
        streams = [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]]
        return {
            stream: [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]]
            for stream in streams
        }

    def make_log_group(self, group: str) -> None:
        """Makes an empty log group."""
        self._client("logs").create_log_group(logGroupName=group)

    def remove_log_group(self, group: str) -> None:
        """Removes a log group with all it has."""
        self._client("logs").delete_log_group(logGroupName=group)

    def _records(self) -> list[dict[str, Any]]:
        dns = self._client("route53")
        zones = [zone["Id"] for zone in dns.list_hosted_zones()["HostedZones"]]
        return [r for zone in zones for r in dns.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]]

    def names(self) -> dict[tuple[str, str], list[str]]:
        """The values of all records by name and kind, as a name server answers them."""
        return self._names(self.balancers())

    def _names(self, among: list[Balancer]) -> dict[tuple[str, str], list[str]]:
        balancers = {balancer.name: balancer.addresses for balancer in among}
        found = {}
        for record in self._records():
            values = [value["Value"] for value in record.get("ResourceRecords", [])]
            if alias := _alias(record):
                values = balancers.get(alias, [])
            if record["Type"] == "NS":  # moto leaves out the final dot
                values = [f"{value}." for value in values]
            found[record["Name"].rstrip("."), record["Type"]] = values
        return found

    def hosts(self) -> list[Host]:
        """The running instances that have a public address, by number."""
        ec2 = self._client("ec2")
        elastic = {a["InstanceId"]: a["PublicIp"] for a in ec2.describe_addresses()["Addresses"] if "InstanceId" in a}
        running = [{"Name": "instance-state-name", "Values": ["running"]}]
        reservations = ec2.describe_instances(Filters=running)["Reservations"]
        found = []
        for instance in (instance for reservation in reservations for instance in reservation["Instances"]):
            name = next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name")
            suffix = name.rpartition("-")[2]
            # The first has the name of the environment alone.
            number = int(suffix) if suffix.isdigit() else 1
            address = elastic.get(instance["InstanceId"]) or ("" if number == 1 else instance.get("PublicIpAddress"))
            if address:
                found.append(Host(number, instance["InstanceId"], instance["PrivateIpAddress"], address))
        return sorted(found)

    def balancers(self) -> list[Balancer]:
        """The network load balancers that have a listener."""
        elb, found = self._client("elbv2"), []
        for balancer in elb.describe_load_balancers()["LoadBalancers"]:
            listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
            zones = [zone.get("LoadBalancerAddresses", []) for zone in balancer["AvailabilityZones"]]
            addresses = sorted(address["IpAddress"] for zone in zones for address in zone)
            services = {
                listener["Port"]: self._target_group(listener["DefaultActions"][0]["TargetGroupArn"])
                for listener in listeners
            }
            if services:
                found.append(Balancer(balancer["DNSName"], addresses, services))
        return found

    def _target_group(self, arn: str) -> TargetGroup:
        elb = self._client("elbv2")
        [group] = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
        attributes = {
            a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        }
        targets = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return TargetGroup(
            port=group["Port"],
            path=group.get("HealthCheckPath", ""),
            matcher=group["Matcher"]["HttpCode"],
            health_port=group["HealthCheckPort"],
            interval=group["HealthCheckIntervalSeconds"],
            timeout=group["HealthCheckTimeoutSeconds"],
            rise=int(group["HealthyThresholdCount"]),
            fall=int(group["UnhealthyThresholdCount"]),
            sends_addresses=attributes.get("proxy_protocol_v2.enabled") == "true",
            preserves_addresses=attributes.get("preserve_client_ip.enabled") != "false",
            targets=sorted(target["Target"]["Id"] for target in targets),
        )

    def orders(self) -> list[tuple[Any, ...]]:
        """The orders that are to become real, those first that others need: ("snapshot", name, identifier of the
        database), ("database", identifier, host name), ("standby", identifier, host name), ("host", `Host`),
        ("balancer", `Balancer` without targets), ("targets", the same `Balancer`, the `Host`s) and ("record", name,
        address of a host or of the balancer)."""
        hosts, balancers = self.hosts(), self.balancers()
        rds = self._client("rds")
        found: list[tuple[Any, ...]] = [
            ("snapshot", s["DBSnapshotIdentifier"], s["DBInstanceIdentifier"])
            for s in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        ]
        databases = rds.describe_db_instances()["DBInstances"]
        found += [("database", d["DBInstanceIdentifier"], d["Endpoint"]["Address"]) for d in databases]
        found += [("standby", d["DBInstanceIdentifier"], d["Endpoint"]["Address"]) for d in databases if d["MultiAZ"]]
        found += [("host", host) for host in hosts]
        for balancer in balancers:
            found.append(("balancer", balancer.without_targets()))
            found.append(
                ("targets", balancer.without_targets(), [host for host in hosts if host.id in balancer.targets()])
            )
        known = {host.address for host in hosts} | {a for balancer in balancers for a in balancer.addresses}
        for (name, kind), values in self._names(balancers).items():
            if kind == "A":
                found += [("record", name, value) for value in values if value in known]
        return found

    def take_snapshot(self, database: str, name: str) -> None:
        """As an operator does in the console."""
        self._client("rds").create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier=name)

    def delete_snapshot(self, name: str) -> None:
        """Likewise."""
        self._client("rds").delete_db_snapshot(DBSnapshotIdentifier=name)

    def delete_database(self, identifier: str) -> None:
        """Likewise, without a final snapshot."""
        rds = self._client("rds")
        rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False)
        rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)

    def databases(self) -> list[str]:
        """The identifiers of all databases."""
        return [d["DBInstanceIdentifier"] for d in self._client("rds").describe_db_instances()["DBInstances"]]


def _alias(record: dict[str, Any]) -> str:
    """The name to which a record of Route 53 is an alias."""
    name: str = record.get("AliasTarget", {}).get("DNSName", "")
    return name.rstrip(".").removeprefix("dualstack.")
