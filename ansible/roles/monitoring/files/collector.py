"""Measures this host and writes the metrics to CloudWatch. systemd's timer runs it as root every minute.

    collector.py SETTINGS STATE

SETTINGS is a JSON file with the namespace of the metrics, the region, the domain, and the number of this host if there
are several, which is a dimension of its metrics. STATE is a JSON file with what the last run has left: the time of the
last successful write, the reason if the last write failed, and Traefik's counters.
What cannot be measured is not written, so that the alarm for it has no data. Exits with 1 if CloudWatch did not take
the metrics; the next run then writes what both have counted.
"""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time

# The metrics by name, with CloudWatch's unit. Alarms and dashboard in infra/ use these names.
METRICS = {
    "DiskUsed": "Percent",
    "MemoryUsed": "Percent",
    "ReplicasReady": "Count",
    "EdgeHealthy": "Count",
    "CertificateDays": "Count",
    "Requests": "Count",
    "ServerErrors": "Count",
    "DurationP99": "Seconds",
}
LIMIT = 10  # seconds for one command, and for one attempt to reach CloudWatch

# Run in the network of Traefik's container, where alone its metrics are served.
FETCH = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8082/metrics", timeout=5).read().decode())
"""


def main(settings_file, state_file):
    settings, state = read_json(settings_file), read_json(state_file)
    counters = read_counters()
    metrics = measure(settings["domain"]) | changes(state.get("counters"), counters)
    try:
        write(settings, metrics)
    except Exception as error:  # boto3 has no common class for all of its failures
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        write_json(state_file, {**state, "error": reason})
        sys.exit(f"error: CloudWatch did not take the metrics: {reason}")
    write_json(state_file, {"written": time.time(), "counters": counters or state.get("counters")})


# --- The host


def measure(domain):
    """All metrics but those that Traefik counts."""
    replicas, edge = healthy_containers("herolo_api"), healthy_containers("edge_traefik")
    metrics = {
        "DiskUsed": disk_used(),
        "MemoryUsed": memory_used(),
        # Without an answer of Docker, nothing can be said to run.
        "ReplicasReady": len(replicas),
        "EdgeHealthy": min(len(edge), 1),
        "CertificateDays": certificate_days(domain),
    }
    return {name: value for name, value in metrics.items() if value is not None}


def disk_used():
    """In percent, as df rounds it."""
    _, used, free = shutil.disk_usage("/")
    return -(-100 * used // (used + free))


def memory_used():
    """In percent; what the kernel can free at once is not used."""
    with open("/proc/meminfo", encoding="ascii") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return round(100 * (1 - values["MemAvailable"] / values["MemTotal"]), 1)


def healthy_containers(service):
    """The ids of the containers of a service whose health check succeeds."""
    label = f"label=com.docker.swarm.service.name={service}"
    return (run("docker", "ps", "--quiet", "--filter", label, "--filter", "health=healthy") or "").split()


def certificate_days(domain):
    """The days for which the certificate that Traefik serves is still valid: 0 if it has none for the domain, None if
    it does not answer."""
    hello = run("openssl", "s_client", "-connect", "127.0.0.1:443", "-servername", domain)
    found = hello and run("openssl", "x509", "-noout", "-enddate", "-issuer", stdin=hello)
    if not found:
        return None
    if "TRAEFIK DEFAULT CERT" in found:
        return 0
    end = re.search(r"^notAfter=(.*)$", found, re.MULTILINE)[1]
    return max(round((ssl.cert_time_to_seconds(end) - time.time()) / 86400, 2), 0)


# --- Traefik


def read_counters():
    """Traefik's counters since its start, with the id of its container; None if it does not answer."""
    containers = healthy_containers("edge_traefik")
    process = containers and run("docker", "inspect", "--format", "{{.State.Pid}}", containers[0])
    text = process and run("nsenter", "--net", "--target", process, sys.executable, "-c", FETCH)
    return {"container": containers[0], **parse_counters(text)} if text else None


def parse_counters(text):
    """Adds up Prometheus's text format: requests, server errors, and the cumulated numbers of requests by the longest
    duration in seconds. Event streams last for minutes by design, so they have no duration here."""
    requests = errors = 0
    durations = {}
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE):
        label = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
        if name == "traefik_entrypoint_requests_total" and label["entrypoint"] == "websecure":
            requests += float(value)
            errors += float(value) if label["code"].startswith("5") else 0
        elif name == "traefik_router_request_duration_seconds_bucket" and not label["router"].startswith("events@"):
            durations[label["le"]] = durations.get(label["le"], 0) + float(value)
    return {"requests": requests, "errors": errors, "durations": durations}


def changes(before, now):
    """The metrics of what has happened since the counters `before`."""
    if not now:
        return {}
    if not before or before["container"] != now["container"]:  # counted from its start, at 0
        before = {"requests": 0, "errors": 0, "durations": {}}
    metrics = {"Requests": now["requests"] - before["requests"], "ServerErrors": now["errors"] - before["errors"]}
    durations = {le: count - before["durations"].get(le, 0) for le, count in now["durations"].items()}
    p99 = percentile(0.99, durations)
    return metrics if p99 is None else {**metrics, "DurationP99": p99}


def percentile(share, durations):
    """The duration that this share of requests did not exceed, interpolated within its bucket as Prometheus's
    histogram_quantile does; None without requests."""
    buckets = sorted((float(le), count) for le, count in durations.items())
    if not buckets or buckets[-1][1] <= 0:
        return None
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0
    for high, count in buckets:
        if count >= wanted:
            # The last bucket has no end, so nothing more is known than its beginning.
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (count - below)
        low, below = high, count
    return low


# --- Outside


def write(settings, metrics):
    """One request to CloudWatch, by the role of the host."""
    import boto3  # takes long, and is of no use to the tests of all else
    from botocore.config import Config

    config = Config(connect_timeout=LIMIT, read_timeout=LIMIT, retries={"mode": "standard", "total_max_attempts": 2})
    host = {"Dimensions": [{"Name": "Host", "Value": settings["host"]}]} if "host" in settings else {}
    data = [{"MetricName": name, "Value": value, "Unit": METRICS[name], **host} for name, value in metrics.items()]
    client = boto3.client("cloudwatch", region_name=settings["region"], config=config)
    client.put_metric_data(Namespace=settings["namespace"], MetricData=data)


def run(*arguments, stdin=""):
    """The standard output of a command, or None if it fails or does not end."""
    try:
        result = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def read_json(path):
    """Empty if there is no such file, or if its last writing was interrupted by a crash."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def write_json(path, value):
    """Readers see the old content or the new one."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    main(*sys.argv[1:])
