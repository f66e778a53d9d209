#!/usr/bin/env python3
"""Looks into the stand-in of the AWS API, past Terraform. Run it with the Python that stand-ins/install prepares.

cloud.py prepare ENDPOINT REGION   makes what an operator has beforehand: the hosted zone example.com, a bucket "states"
cloud.py left ENDPOINT REGION      prints a line for each thing that somebody made there and that costs or stays
cloud.py state ENDPOINT REGION     prints what is in the bucket
cloud.py watch ENDPOINT REGION     prints a line for what comes and goes, until the stand-in ends: `host ID ADDRESS`,
                                   `database HOST`, `record NAME ADDRESS` (of a host that is there), and the same
                                   with no- before it
"""

import sys
import time

import boto3
import botocore.exceptions

action, endpoint, region = sys.argv[1:]


def client(service):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="stand-in",
        aws_secret_access_key="stand-in",
    )


def prepare():
    client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
    client("s3").create_bucket(Bucket="states", CreateBucketConfiguration={"LocationConstraint": region})


def state():
    for item in client("s3").list_objects_v2(Bucket="states").get("Contents", []):
        print(item["Key"], client("s3").get_object(Bucket="states", Key=item["Key"])["Body"].read().decode())


def left():
    ec2, rds, logs, watch, sns, dns = map(client, ("ec2", "rds", "logs", "cloudwatch", "sns", "route53"))
    instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    show("instance", [i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"])
    show("volume", [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]])
    show("address", [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]])
    show("key pair", [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]])
    own = [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]
    show("vpc", own)
    show(
        "security group",
        [g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
    )
    show("gateway", [g["InternetGatewayId"] for g in ec2.describe_internet_gateways()["InternetGateways"]])
    show("database", [d["DBInstanceIdentifier"] for d in rds.describe_db_instances()["DBInstances"]])
    show("snapshot", [s["DBSnapshotIdentifier"] for s in rds.describe_db_snapshots()["DBSnapshots"]])
    show(
        "parameter group",
        [
            g["DBParameterGroupName"]
            for g in rds.describe_db_parameter_groups()["DBParameterGroups"]
            if "herolo" in g["DBParameterGroupName"]
        ],
    )
    show("subnet group", [g["DBSubnetGroupName"] for g in rds.describe_db_subnet_groups()["DBSubnetGroups"]])
    show("log group", [g["logGroupName"] for g in logs.describe_log_groups()["logGroups"]])
    show("alarm", [a["AlarmName"] for a in watch.describe_alarms()["MetricAlarms"]])
    show("dashboard", [d["DashboardName"] for d in watch.list_dashboards()["DashboardEntries"]])
    show("topic", [t["TopicArn"] for t in sns.list_topics()["Topics"]])
    for zone in dns.list_hosted_zones()["HostedZones"]:
        records = dns.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        show("record", [r["Name"] for r in records if r["Type"] not in ("NS", "SOA")])


def watch():
    ec2, rds, dns = map(client, ("ec2", "rds", "route53"))
    seen = []
    try:
        while True:
            now = things(ec2, rds, dns)
            for thing in [t for t in seen if t not in now]:
                print("no-" + thing, flush=True)
            for thing in [t for t in now if t not in seen]:
                print(thing, flush=True)
            seen = now
            time.sleep(0.5)
    except botocore.exceptions.EndpointConnectionError:
        pass


def things(ec2, rds, dns):
    """In the order in which one needs the other."""
    running = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    running = {i["InstanceId"] for r in running for i in r["Instances"]}
    hosts = {
        a["PublicIp"]: a["InstanceId"] for a in ec2.describe_addresses()["Addresses"] if a.get("InstanceId") in running
    }
    found = [f"database {d['Endpoint']['Address']}" for d in rds.describe_db_instances()["DBInstances"]]
    found += [f"host {instance} {address}" for address, instance in hosts.items()]
    for zone in dns.list_hosted_zones()["HostedZones"]:
        for record in dns.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            values = [value["Value"] for value in record.get("ResourceRecords", [])]
            found += [
                f"record {record['Name'].rstrip('.')} {v}" for v in values if record["Type"] == "A" and v in hosts
            ]
    return found


def show(kind, names):
    for name in names:
        print(f"{kind} {name}")


{"prepare": prepare, "left": left, "state": state, "watch": watch}[action]()
