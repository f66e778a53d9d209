"""Runs on the host as root, fed to its Python over SSH: prints the host's state as a JSON list of [name, state,
details]. A state that begins with NOT is a fault. Needs only the standard library and the commands that the roles
install."""

import json
import os
import shutil
import ssl
import subprocess
import time

# Both as the alarms have them (infra/monitoring.tf).
RENEWED = 20  # days. Traefik renews a certificate of 90 days 30 days before its end.
FULL = 80  # percent
STALE = 300  # seconds, of metrics that are written every minute
METRICS = "/var/lib/herolo-monitoring/state.json"  # which the role `monitoring` writes
DRAIN = "/usr/local/sbin/herolo-drain"  # of the role `drain`
UPKEEP = "herolo-upkeep.timer"  # of the role `upkeep`, if there are several hosts
LIMIT = 20  # seconds for one command
DOCKER = ("containerd", "docker-cli", "docker.io", "runc")  # which unattended upgrades leave alone
READYZ = """
import urllib.request, urllib.error
try:
    print(urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=5).status)
except urllib.error.HTTPError as fault:
    print(fault.code)
except OSError as fault:
    print(fault)
"""


def run(*arguments, stdin=""):
    """The standard output of a command, or None if it fails or does not end."""
    try:
        result = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def inspect(*arguments):
    """What `docker inspect` says of one object, or None."""
    found = run("docker", *arguments)
    return json.loads(found)[0] if found else None


def containers_of(service):
    label = f"label=com.docker.swarm.service.name={service}"
    return (run("docker", "ps", "--quiet", "--filter", label) or "").split()


def status_of(container):
    return run("docker", "ps", "--filter", f"id={container}", "--format", "{{.Status}}") or "gone"


def certificate(service):
    rule = service["Spec"]["Labels"]["traefik.http.routers.herolo.rule"] if service else "Host(``)"
    domain = rule.split("`")[1]
    hello = run("openssl", "s_client", "-connect", "127.0.0.1:443", "-servername", domain)
    found = hello and run("openssl", "x509", "-noout", "-enddate", "-issuer", stdin=hello)
    # Until the authority has issued one, Traefik serves a certificate of its own.
    if not found or "TRAEFIK DEFAULT CERT" in found:
        return [("certificate", "NOT THERE", f"Traefik has none for {domain or 'the domain'} (make logs says why)")]
    fields = dict(line.split("=", 1) for line in found.splitlines())
    days = int((ssl.cert_time_to_seconds(fields["notAfter"]) - time.time()) // 86400)
    state = "valid" if days >= RENEWED else "NOT RENEWED"
    issuer = fields["issuer"].strip()
    details = f"{domain}, {days} days left, until {fields['notAfter']}, issued by {issuer}"
    return [("certificate", state, details)]


def edge():
    running = " ".join(status_of(container) for container in containers_of("edge_traefik"))
    if "(healthy)" in running:
        return [("traefik", "healthy", running), *problems()]
    return [("traefik", "NOT HEALTHY", f"{running or 'not running'} (make logs says why)"), *problems()]


def problems():
    """The server of the documents with which Traefik answers its own errors."""
    running = " ".join(status_of(container) for container in containers_of("edge_problems"))
    if running.startswith("Up"):
        return [("problems", "running", running)]
    return [("problems", "NOT RUNNING", f"{running or 'not running'}: errors of Traefik are answered without document")]


def drain():
    """Only of a host that leaves, or has left, the balancer."""
    found = run(DRAIN, "status")
    if found not in ("draining", "drained"):
        return []
    return [("drain", found, "the balancer is told to send nothing; a deployment ends that (herolo-drain stop)")]


def replicas(service):
    if not service:
        return [("service", "NOT DEPLOYED", "deploy, or see whether the host has just started")]
    rows = [replica(container) for container in containers_of("herolo_api")]
    ready = sum(state == "ready" for _, state, _ in rows)
    wanted = service["Spec"]["Mode"]["Replicated"]["Replicas"]
    if ready == 0 or ready < wanted:
        rows.append(("service", "NOT COMPLETE", f"{ready} of {wanted} replicas are ready (make logs says why)"))
        return rows if ready else [*rows, ("database", "NOT REACHED", "by any replica")]
    update = service.get("UpdateStatus") or {}
    last = f"{update['State']} {update.get('CompletedAt', '')[:19]}".strip() if update else "none"
    release = service["Spec"]["Labels"].get("herolo.release")
    rows.append(("service", f"{ready} of {wanted}", f"{release}, last update: {last}"))
    rows.append(("database", "reached", f"by {ready} replicas, with the schema that they need"))
    return rows


def replica(container):
    """Its release, since when it runs, and what its own /readyz says of the database."""
    details = inspect("inspect", container)
    if not details:
        return ("replica", "NOT READY", "it has just ended")
    process = str(details["State"]["Pid"])
    answer = run("nsenter", "--net", "--target", process, "python3", "-c", READYZ) or "no answer"
    # During an update there are replicas of two images.
    image = inspect("image", "inspect", details["Image"])
    release = ((image and image["RepoTags"]) or ["unknown"])[0]
    state = "ready" if answer == "200" else "NOT READY"
    return ("replica", state, f"{release}, {status_of(container)}, readyz: {answer}")


def disk():
    total, used, free = shutil.disk_usage("/")
    percent = -(-100 * used // (used + free))
    images = len(set((run("docker", "image", "ls", "--quiet") or "").split()))
    state = f"{percent} % used" if percent <= FULL else "NOT MUCH LEFT"
    return [("disk", state, f"{gib(used)} of {gib(total)} used; {images} images")]


def memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
    total, used = values["MemTotal"], values["MemTotal"] - values["MemAvailable"]
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return [("memory", f"{100 * used // total} % used", f"{gib(used)} of {gib(total)}, load {load}")]


def metrics():
    try:
        with open(METRICS, encoding="utf-8") as file:
            state = json.load(file)
    except OSError:
        return [("metrics", "NOT WRITTEN", "never (systemctl status herolo-monitoring.timer)")]
    age = int(time.time() - state.get("written", 0))
    last = f"{age} s ago" if "written" in state else "never"
    if age < STALE:
        return [("metrics", "written", last)]
    return [("metrics", "NOT WRITTEN", f"{last}: {state.get('error', 'journalctl -u herolo-monitoring')}")]


def gib(size):
    return f"{size / 2**30:.1f} GiB"


def when_it_restarts():
    """Several hosts restart one after the other, each in an hour of its own."""
    if run("systemctl", "is-enabled", UPKEEP) != "enabled":
        return "at 03:30 UTC"
    return f"in its hour of the night, while all others are well (systemctl list-timers {UPKEEP})"


def updates():
    due = []
    if os.path.exists("/run/reboot-required"):
        due.append(("updates", "restart due", f"the host restarts by itself {when_it_restarts()}"))
    simulated = run("apt-get", "--simulate", "--only-upgrade", "install", *DOCKER) or ""
    found = [line.split() for line in simulated.splitlines() if line.startswith("Inst ")]
    versions = [f"{words[1]} {words[3].strip('(')}" for words in found if words[1] in DOCKER]
    if versions:
        details = ", ".join(versions)
        due.append(("updates", "Docker due", f"{details}: make deploy installs them, which restarts all containers"))
    return due


def main():
    service = inspect("service", "inspect", "herolo_api")
    rows = certificate(service) + edge() + drain() + replicas(service) + disk() + memory() + metrics() + updates()
    print(json.dumps(rows))


main()
