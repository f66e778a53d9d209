#!/usr/bin/env python3
"""Checks the files that Ansible's templates became against what a deployment promises.

    rendered.py promises FOLDER ROUTING.yml   FOLDER has a folder for each role, as render.yml writes them
    rendered.py validations ROLES             prints what the roles validate with: role/file, a tab, a command with %s
    rendered.py get FILE KEY...               prints the value at that place of a YAML file

`promises` prints a line for each; fails if one is not kept.
"""

import hashlib
import json
import pathlib
import re
import sys

import yaml
from promises import judge

SECRET = "canary"  # is in every secret that the templates were given


class Rendered:
    """What was rendered, by role and file."""

    def __init__(self, folder, routing):
        self.texts = {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.glob("*/*"))}
        self.edge = yaml.safe_load(self.texts["edge/stack.yml"])
        self.service = yaml.safe_load(self.texts["service/stack.yml"])
        self.install = yaml.safe_load(yaml.safe_load(self.texts["edge/variables"])["edge_install"])
        self.routing = yaml.safe_load(routing.read_text())["http"]

    def services(self):
        return {**self.edge["services"], **self.service["services"]}


def daemon_json_is_json_and_rotates_logs(rendered):
    daemon = json.loads(rendered.texts["host/daemon.json"])
    assert daemon["log-driver"] == "json-file" and {"max-size", "max-file"} <= set(daemon["log-opts"])
    assert daemon["no-new-privileges"] is True


def ssh_lets_in_the_operators_user_only_and_by_key_only(rendered):
    settings = dict(line.split(" ", 1) for line in rendered.texts["host/sshd.conf"].splitlines() if line[:1].isalpha())
    assert settings["AllowUsers"] == "admin" and settings["PermitRootLogin"] == "no"
    assert settings["AuthenticationMethods"] == "publickey" and settings["PasswordAuthentication"] == "no"


def the_firewall_drops_what_it_does_not_name_and_names_only_ssh(rendered):
    lines = [line.strip() for line in rendered.texts["host/nftables.conf"].splitlines()]
    assert "type filter hook input priority filter; policy drop;" in lines
    accepting = lines[lines.index("chain input {") :]
    assert [line for line in accepting if "dport" in line] == ["tcp dport 22 accept"]


def only_traefik_publishes_ports_80_and_443_of_the_host_itself(rendered):
    published = {name: service["ports"] for name, service in rendered.services().items() if "ports" in service}
    assert published == {"traefik": [{"target": port, "published": port, "mode": "host"} for port in (80, 443)]}


def every_container_is_read_only_without_capabilities_and_without_root(rendered):
    for name, service in rendered.services().items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert not service["user"].startswith(("0", "root")), name


def every_container_has_a_limit_of_memory_and_of_processes(rendered):
    for name, service in rendered.services().items():
        assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name


def every_container_runs_an_image_by_its_id(rendered):
    assert {name: service["image"] for name, service in rendered.services().items()} == {
        "api": "sha256:service",
        "traefik": "sha256:edge",
        "socket-filter": "sha256:filter",
    }


def only_the_filter_has_the_socket_of_docker_and_traefik_no_way_around_it(rendered):
    holders = [
        name
        for name, service in rendered.services().items()
        if any("docker.sock" in volume["source"] for volume in service.get("volumes", []) if "source" in volume)
    ]
    assert holders == ["socket-filter"]
    assert rendered.edge["networks"]["socket"]["internal"] is True
    assert rendered.edge["services"]["socket-filter"]["networks"] == ["socket"]
    assert rendered.install["providers"]["swarm"]["endpoint"] == "tcp://socket-filter:2375"


def secrets_come_by_name_and_are_readable_for_the_service_only(rendered):
    api = rendered.service["services"]["api"]
    assert all(secret["external"] is True for secret in rendered.service["secrets"].values())
    for secret in api["secrets"]:
        assert secret["uid"] == api["user"].split(":")[0] and secret["mode"] == 0o400
    files = {f"/run/secrets/{secret['target']}" for secret in api["secrets"]}
    assert {value for name, value in api["environment"].items() if name.endswith("_FILE")} == files


def no_secret_is_in_a_file_of_the_host(rendered):
    assert any(SECRET in text for name, text in rendered.texts.items() if name.endswith("/variables"))
    assert not [name for name, text in rendered.texts.items() if SECRET in text and not name.endswith("/variables")]


def an_update_starts_the_new_replica_first_and_goes_back_by_itself(rendered):
    deploy = rendered.service["services"]["api"]["deploy"]
    assert deploy["update_config"]["order"] == "start-first" and deploy["update_config"]["failure_action"] == "rollback"
    assert deploy["update_config"]["parallelism"] == 1 and deploy["rollback_config"]["failure_action"] == "pause"


def the_form_reaches_the_service(rendered):
    deploy = rendered.service["services"]["api"]["deploy"]
    assert deploy["replicas"] == 3 and deploy["labels"]["herolo.release"] == "herolo:release"
    rule = deploy["labels"]["traefik.http.routers.herolo.rule"]
    # Swarm takes `$$` for a dollar.
    assert rule == "Host(`herolo.example.com`) && !PathRegexp(`(?i)^/(readyz|drainz|metrics)(/|$$)`)"


def pages_have_a_policy_of_their_own_and_all_else_has_that_of_data(rendered):
    labels = rendered.service["services"]["api"]["deploy"]["labels"]
    rule = labels["traefik.http.routers.pages.rule"]
    path = re.search(r"PathRegexp\(`(.*)`\)", rule)[1].replace("$$", "$")
    pages = ["/", "/docs", "/docs/", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/inbox/app.js"]
    assert all(re.search(path, page) for page in pages), path
    others = [
        "/users",
        "/users/alice/messages",
        "/metrics",
        "/docs/../metrics",
        "/inbox/a/b",
        "/openapi.json",
        "/docsx",
        "//",
    ]
    assert not any(re.search(path, other) for other in others), path
    policies = {}
    for name in ("api", "events", "pages"):
        chain = rendered.routing["middlewares"][name]["chain"]["middlewares"]
        headers = next(
            rendered.routing["middlewares"][one]["headers"] for one in chain if one.startswith("add-headers")
        )
        assert headers["stsSeconds"] and headers["contentTypeNosniff"]
        policies[name] = headers.get("contentSecurityPolicy")
    data = "default-src 'none'; frame-ancestors 'none'"
    assert policies == {"api": data, "events": data, "pages": None}, policies


def the_form_reaches_traefik(rendered):
    acme = rendered.install["certificatesResolvers"]["acme"]["acme"]
    directory = "https://acme.example.com/dir"
    assert acme["email"] == "operator@example.com" and acme["caServer"] == directory


def each_authority_has_certificates_of_its_own(rendered):
    acme = rendered.install["certificatesResolvers"]["acme"]["acme"]
    name = hashlib.sha256(acme["caServer"].encode()).hexdigest()[:8]
    assert acme["storage"] == f"/acme/acme.example.com-{name}.json"


def what_the_labels_and_the_stacks_name_is_there(rendered):
    labels = rendered.service["services"]["api"]["deploy"]["labels"]
    service = "traefik.http.services.herolo.loadbalancer."
    for name in ("herolo", "events", "pages"):
        router = f"traefik.http.routers.{name}."
        assert labels[router + "service"] == "herolo"
        assert labels[router + "entrypoints"] in rendered.install["entryPoints"]
        assert labels[router + "tls.certresolver"] in rendered.install["certificatesResolvers"]
        assert labels[router + "middlewares"].removesuffix("@file") in rendered.routing["middlewares"]
    assert labels[service + "serverstransport"].removesuffix("@file") in rendered.routing["serversTransports"]
    network = rendered.service["networks"]["edge"]["name"]
    assert network == labels["traefik.swarm.network"] == rendered.edge["networks"]["service"]["name"]
    assert network == rendered.install["providers"]["swarm"]["network"]
    for stack in (rendered.edge, rendered.service):
        used = {config["source"] for service in stack["services"].values() for config in service.get("configs", [])}
        assert used == set(stack["configs"])


def the_address_of_a_client_is_what_traefik_says(rendered):
    assert rendered.service["services"]["api"]["environment"]["HEROLO_CLIENT_ADDRESS_HEADER"] == "X-Real-Ip"
    # From whom it trusts, Traefik would pass on what they say; so it trusts nobody.
    for entry_point in rendered.install["entryPoints"].values():
        assert not {"forwardedHeaders", "proxyProtocol"} & set(entry_point)


def no_token_and_no_search_word_is_logged(rendered):
    fields = rendered.install["accessLog"]["fields"]
    assert fields["headers"]["defaultMode"] == fields["queryParameters"]["defaultMode"] == "drop"


# The most memory that Traefik 3.7 was measured to take, garbage included, with slow clients on all its connections.
TRAEFIK_ITSELF = 90 << 20
A_CONNECTION = 100 << 10  # TLS, buffers and unfinished headers of 16 KiB
A_REQUEST = 120 << 10  # under way, beside its connection: one to a replica and a buffer between them
MEASURED_HEADERS = 16384
CHAINS = ("api", "events", "pages")


def the_firewall_bounds_the_connections_of_a_client_and_of_all(rendered):
    connections = rendered.texts["host/nftables.conf"]
    counts = [int(count) for count in re.findall(r"ct count over (\d+) drop", connections)]
    in_flight = rendered.routing["middlewares"]["limit-parallel"]["inFlightReq"]["amount"]
    assert re.search(r"^ +ct count over \d+ drop$", connections, re.MULTILINE) and len(counts) == 1
    each = [int(count) for count in re.findall(r"saddr.* ct count over (\d+) } drop", connections)]
    assert len(each) == 2 and each[0] == each[1] and in_flight <= each[0] < counts[0]


def what_slow_clients_can_make_traefik_hold_fits_into_its_memory(rendered):
    middlewares = rendered.routing["middlewares"]
    requests = 0
    for name in CHAINS:
        bounds = [
            middlewares[one]["inFlightReq"]
            for one in middlewares[name]["chain"]["middlewares"]
            if "inFlightReq" in middlewares[one]
        ]
        constant = [bound["amount"] for bound in bounds if "requestHeaderName" in bound["sourceCriterion"]]
        assert len(constant) == 1 and len(bounds) == 2, name
        requests += constant[0]
    connections = int(re.search(r"^ +ct count over (\d+) drop$", rendered.texts["host/nftables.conf"], re.MULTILINE)[1])
    for name, entry_point in rendered.install["entryPoints"].items():
        assert entry_point["http"]["maxHeaderBytes"] <= MEASURED_HEADERS, name
    held = TRAEFIK_ITSELF + connections * A_CONNECTION + requests * A_REQUEST
    traefik = rendered.edge["services"]["traefik"]
    memory = size_of(traefik["deploy"]["resources"]["limits"]["memory"])
    assert held <= memory, f"{held >> 20} MiB of {memory >> 20}"
    assert size_of(traefik["environment"]["GOMEMLIMIT"]) < memory


def size_of(text):
    number, unit = re.fullmatch(r"(\d+)([MG])(?:iB)?", text).groups()
    return int(number) << {"M": 20, "G": 30}[unit]


def the_bound_of_all_requests_counts_by_a_header_that_no_client_chooses(rendered):
    middlewares = rendered.routing["middlewares"]
    for name in CHAINS:
        chain = middlewares[name]["chain"]["middlewares"]
        marked = [
            place for place, one in enumerate(chain) if "customRequestHeaders" in middlewares[one].get("headers", {})
        ]
        bound, header = next(
            (place, middlewares[one]["inFlightReq"]["sourceCriterion"]["requestHeaderName"])
            for place, one in enumerate(chain)
            if "requestHeaderName" in middlewares[one].get("inFlightReq", {}).get("sourceCriterion", {})
        )
        assert marked[0] < bound and header in middlewares[chain[marked[0]]]["headers"]["customRequestHeaders"], name


def nothing_is_buffered_at_the_edge(rendered):
    # Of these, each holds a whole body or a whole answer.
    holders = {"buffering", "errors", "compress", "forwardAuth", "digestAuth"}
    assert not [name for name, one in rendered.routing["middlewares"].items() if holders & set(one)]
    assert "status" not in rendered.routing["middlewares"]["retry"]["retry"]  # it keeps bodies for that


PROMISES = [
    daemon_json_is_json_and_rotates_logs,
    ssh_lets_in_the_operators_user_only_and_by_key_only,
    the_firewall_drops_what_it_does_not_name_and_names_only_ssh,
    only_traefik_publishes_ports_80_and_443_of_the_host_itself,
    every_container_is_read_only_without_capabilities_and_without_root,
    every_container_has_a_limit_of_memory_and_of_processes,
    every_container_runs_an_image_by_its_id,
    only_the_filter_has_the_socket_of_docker_and_traefik_no_way_around_it,
    secrets_come_by_name_and_are_readable_for_the_service_only,
    no_secret_is_in_a_file_of_the_host,
    an_update_starts_the_new_replica_first_and_goes_back_by_itself,
    the_form_reaches_the_service,
    pages_have_a_policy_of_their_own_and_all_else_has_that_of_data,
    the_form_reaches_traefik,
    each_authority_has_certificates_of_its_own,
    what_the_labels_and_the_stacks_name_is_there,
    the_address_of_a_client_is_what_traefik_says,
    no_token_and_no_search_word_is_logged,
    the_firewall_bounds_the_connections_of_a_client_and_of_all,
    what_slow_clients_can_make_traefik_hold_fits_into_its_memory,
    the_bound_of_all_requests_counts_by_a_header_that_no_client_chooses,
    nothing_is_buffered_at_the_edge,
]


def promises(folder, routing):
    judge(PROMISES, Rendered(pathlib.Path(folder), pathlib.Path(routing)))


def validations(roles):
    for path in sorted(pathlib.Path(roles).glob("*/tasks/*.yml")):
        for task in yaml.safe_load(path.read_text()):
            template = task.get("ansible.builtin.template", {})
            if "validate" in template:
                print(f"{path.parts[-3]}/{template['src'].removesuffix('.j2')}\t{template['validate']}")


def get(file, *keys):
    value = yaml.safe_load(pathlib.Path(file).read_text())
    for key in keys:
        value = value[int(key) if isinstance(value, list) else key]
    print(value)


if __name__ == "__main__":
    actions = {action.__name__: action for action in (promises, validations, get)}
    if len(sys.argv) < 3 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]](*sys.argv[2:])
