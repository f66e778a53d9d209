"""Runs on the host as root, fed to its Python over SSH: starts a release with a restored database beside the service,
migrates the database, and walks through the API. `main` is called with the release, the network, the URLs of the
database and its host name. Prints what was done as a JSON list. Nothing of it remains."""

import base64
import json
import os
import subprocess
import sys
import time

NAMES = ("herolo_drill", "herolo_drill_migrate")  # of the services
SECRETS = {"migrate_url": "herolo_drill_migrate_url", "service_url": "herolo_drill_url", "keys": "herolo_drill_keys"}
LIMIT = 1800  # seconds, of migrations
READY = 60  # seconds

WALK = """
import json, urllib.request

def request(method, path, body=None, token=""):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    whole = urllib.request.Request(f"http://127.0.0.1:8000{path}", data, headers, method=method)
    with urllib.request.urlopen(whole, timeout=20) as answer:
        return json.loads(answer.read() or b"null")

def account(name):
    request("POST", "/users", {"username": name, "email": f"{name}@example.com", "password": PASSWORD})
    return request("POST", f"/users/{name}/token", {"password": PASSWORD})["access_token"]

sender, receiver = account(f"{NAME}-a"), account(f"{NAME}-b")
message = {"receiver": f"{NAME}-b", "subject": "drill", "message": NAME}
sent = request("POST", f"/users/{NAME}-a/messages", message, sender)
(listed,) = request("GET", f"/users/{NAME}-b/messages", None, receiver)["messages"]
path = f"/users/{NAME}-b/messages/{sent['id']}"
assert listed["id"] == sent["id"] and request("GET", path, None, receiver)["message"] == NAME, "another message"
assert request("PATCH", path, {"read": True}, receiver)["read"] is True, "not marked as read"
request("DELETE", path, None, receiver)
assert request("GET", f"/users/{NAME}-b/messages", None, receiver)["messages"] == [], "not deleted"
"""


def main(values):
    remove()
    try:
        print(json.dumps(drill(values)))
    finally:
        remove()


def drill(values):
    image = run("docker", "image", "inspect", "--format", "{{.Id}}", values["release"])
    for part, name in SECRETS.items():
        run("docker", "secret", "create", name, "-", stdin=values.get(part) or new_keys())
    begin = time.monotonic()
    start(NAMES[1], image, SECRETS["migrate_url"], values["network"], "--mode=replicated-job", "migrate")
    wait_for(NAMES[1], "Complete", LIMIT)
    done = [f"the migrations of {values['release']} ran ({time.monotonic() - begin:.0f} s)"]
    start(NAMES[0], image, SECRETS["service_url"], values["network"], "--replicas=1", "serve")
    wait_for(NAMES[0], "Running", READY)
    walk()
    return [*done, "two accounts signed up and logged in", "a message was sent, listed, read, marked and deleted"]


def start(name, image, url, network, mode, command):
    run(
        *("docker", "service", "create", f"--name={name}", mode, "--detach", "--quiet", "--no-resolve-image"),
        *("--no-healthcheck", "--restart-condition=none", f"--network={network}", "--read-only", "--cap-drop=ALL"),
        *("--limit-memory=256M", f"--config=source={authority()},target=/database-ca.pem"),
        f"--secret=source={url},target=database_url,uid=65532,gid=65532,mode=0400",
        f"--secret=source={SECRETS['keys']},target=token_keys,uid=65532,gid=65532,mode=0400",
        "--env=HEROLO_DATABASE_URL_FILE=/run/secrets/database_url",
        "--env=HEROLO_TOKEN_KEYS_FILE=/run/secrets/token_keys",
        *(image, command),
    )


def authority():
    """The config that has the authorities of the database's certificate."""
    spec = json.loads(run("docker", "service", "inspect", "herolo_api"))[0]["Spec"]
    return spec["TaskTemplate"]["ContainerSpec"]["Configs"][0]["ConfigName"]


def wait_for(service, state, limit):
    deadline = time.monotonic() + limit
    while True:
        found = run("docker", "service", "ps", "--no-trunc", "--format", "{{.CurrentState}} {{.Error}}", service)
        if found.startswith(state):
            return
        if found.startswith(("Failed", "Rejected", "Shutdown", "Orphaned", "Complete")) or time.monotonic() > deadline:
            log = run("docker", "service", "logs", "--raw", "--tail", "3", service)
            sys.exit(f"{service} does not reach '{state}': {found} {log}")
        time.sleep(1)


def walk():
    container = run("docker", "ps", "--quiet", "--filter", f"label=com.docker.swarm.service.name={NAMES[0]}")
    process = run("docker", "inspect", "--format", "{{.State.Pid}}", container)
    name = f"drill-{os.urandom(4).hex()}"
    script = f"NAME = {name!r}\nPASSWORD = {os.urandom(12).hex()!r}\n{WALK}"
    deadline = time.monotonic() + READY
    while True:
        result = attempt("nsenter", "--net", "--target", process, "python3", "-", stdin=script)
        if result.returncode == 0:
            return
        # The replica may not listen yet.
        if "refused" not in result.stderr or time.monotonic() > deadline:
            sys.exit(f"the walk through the API failed: {result.stderr.strip().splitlines()[-1:]}")
        time.sleep(1)


def new_keys():
    return f"k1:{base64.b64encode(os.urandom(32)).decode()}"


def remove():
    for name in NAMES:
        attempt("docker", "service", "rm", name)
    for name in SECRETS.values():
        # A container that ends may still hold it.
        for _ in range(20):
            result = attempt("docker", "secret", "rm", name)
            if result.returncode == 0 or "not found" in result.stderr:
                break
            time.sleep(1)


def attempt(*arguments, stdin=""):
    return subprocess.run(arguments, input=stdin, capture_output=True, text=True)


def run(*arguments, stdin=""):
    result = attempt(*arguments, stdin=stdin)
    if result.returncode:
        sys.exit(f"{' '.join(arguments[:3])} failed: {result.stderr.strip()}")
    return result.stdout.strip()
