"""Every template as Ansible renders it when it runs site.yml, against what a deployment promises."""

import hashlib
import json
import pathlib
import re
import shutil

import pytest
import yaml
from configuration.rendered import CANARY, DOMAIN, FORMER_STORAGE, PINNED_IMAGE, ROUTING, Rendered, Sources, change
from support.commands import REPOSITORY


def test_daemon_json_is_json_and_rotates_logs(rendered):
    daemon = json.loads(rendered.texts["host/daemon.json"])
    assert daemon["log-driver"] == "json-file" and {"max-size", "max-file"} <= set(daemon["log-opts"])
    assert daemon["no-new-privileges"] is True


def test_ssh_lets_in_the_operators_user_only_and_by_key_only(rendered):
    settings = dict(line.split(" ", 1) for line in rendered.texts["host/sshd.conf"].splitlines() if line[:1].isalpha())
    assert settings["AllowUsers"] == "admin" and settings["PermitRootLogin"] == "no"
    assert settings["AuthenticationMethods"] == "publickey" and settings["PasswordAuthentication"] == "no"


def test_the_firewall_drops_what_it_does_not_name_and_names_only_ssh(rendered):
    lines = [line.strip() for line in rendered.texts["host/nftables.conf"].splitlines()]
    assert "type filter hook input priority filter; policy drop;" in lines
    accepting = lines[lines.index("chain input {") :]
    assert [line for line in accepting if "dport" in line] == ["tcp dport 22 accept"]


def test_only_traefik_publishes_ports_of_the_host_itself(rendered):
    published = {name: service["ports"] for name, service in rendered.services().items() if "ports" in service}
    assert published == {"traefik": [{"target": port, "published": port, "mode": "host"} for port in (80, 443, 8081)]}


def test_every_container_is_read_only_without_capabilities_and_without_root(rendered):
    for name, service in rendered.services().items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert not service["user"].startswith(("0", "root")), name


def test_every_container_has_a_limit_of_memory_and_of_processes(rendered):
    for name, service in rendered.services().items():
        assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name


def test_every_container_runs_an_image_by_its_id(rendered):
    assert {name: service["image"] for name, service in rendered.services().items()} == {
        "api": "sha256:service",
        "traefik": "sha256:edge",
        "socket-filter": "sha256:filter",
        "problems": "sha256:filter",
    }


def test_the_digest_of_an_image_is_part_of_its_tag_on_the_host(rendered):
    tags = yaml.safe_load(rendered.texts["images/variables"])["images_tags"]
    assert tags == {
        "herolo:release": "herolo:release",
        "traefik:edge": "traefik:edge",
        PINNED_IMAGE: "registry.example.com:5000/haproxy:filter-0123456789ab",
    }
    assert rendered.variables_of_edge["edge_repositories"] == ["traefik", "registry.example.com:5000/haproxy"]


def test_only_the_filter_has_the_socket_of_docker_and_traefik_no_way_around_it(rendered):
    holders = [
        name
        for name, service in rendered.services().items()
        if any("docker.sock" in volume["source"] for volume in service.get("volumes", []) if "source" in volume)
    ]
    assert holders == ["socket-filter"]
    assert rendered.edge["networks"]["socket"]["internal"] is True
    assert rendered.edge["services"]["socket-filter"]["networks"] == ["socket"]
    assert rendered.install["providers"]["swarm"]["endpoint"] == "tcp://socket-filter:2375"


def test_secrets_come_by_name_and_are_readable_for_the_service_only(rendered):
    api = rendered.service["services"]["api"]
    assert all(secret["external"] is True for secret in rendered.service["secrets"].values())
    for secret in api["secrets"]:
        assert secret["uid"] == api["user"].split(":")[0] and secret["mode"] == 0o400
    files = {f"/run/secrets/{secret['target']}" for secret in api["secrets"]}
    assert {value for name, value in api["environment"].items() if name.endswith("_FILE")} == files


def test_no_secret_is_in_a_file_of_the_host(rendered):
    assert any(CANARY in text for name, text in rendered.texts.items() if name.endswith("/variables"))
    assert not [name for name, text in rendered.texts.items() if CANARY in text and not name.endswith("/variables")]


def test_an_update_starts_the_new_replica_first_and_goes_back_by_itself(rendered):
    deploy = rendered.service["services"]["api"]["deploy"]
    assert deploy["update_config"]["order"] == "start-first" and deploy["update_config"]["failure_action"] == "rollback"
    assert deploy["update_config"]["parallelism"] == 1 and deploy["rollback_config"]["failure_action"] == "pause"


def test_the_form_reaches_the_service(rendered):
    deploy = rendered.service["services"]["api"]["deploy"]
    assert deploy["replicas"] == 3 and deploy["labels"]["herolo.release"] == "herolo:release"
    rule = deploy["labels"]["traefik.http.routers.herolo.rule"]
    # Swarm takes `$$` for a dollar.
    assert rule == "Host(`herolo.example.com`) && !PathRegexp(`(?i)^/(readyz|drainz|metrics)(/|$$)`)"


def test_settings_of_the_form_reach_the_service_as_text_and_a_dollar_is_no_variable_of_swarm(rendered):
    environment = rendered.service["services"]["api"]["environment"]
    assert environment["HEROLO_LIMIT_SENDS"] == "600"
    assert environment["HEROLO_CORS_ORIGINS"] == 'a $$b "c" ü: #'
    assert environment["HEROLO_CLIENT_ADDRESS_HEADER"] == "X-Real-Ip"


def test_a_state_from_before_the_settings_existed_has_none(sources, inputs, tmp_path):
    older = json.loads(inputs.read_text(encoding="utf-8"))
    del older["deployment"]["service_settings"]
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps(older), encoding="utf-8")
    environment = Rendered(sources.render(file, tmp_path / "rendered")).service["services"]["api"]["environment"]
    assert sorted(environment) == ["HEROLO_CLIENT_ADDRESS_HEADER", "HEROLO_DATABASE_URL_FILE", "HEROLO_TOKEN_KEYS_FILE"]


def test_with_a_sender_of_mails_the_service_gets_the_mail_server(sources, inputs, tmp_path):
    variables = json.loads(inputs.read_text(encoding="utf-8"))
    variables["deployment"]["service_settings"] = {"HEROLO_MAIL_FROM": "Herolo <herolo@example.com>"}
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps(variables), encoding="utf-8")
    rendered = Rendered(sources.render(file, tmp_path / "rendered"))
    test_secrets_come_by_name_and_are_readable_for_the_service_only(rendered)
    test_no_secret_is_in_a_file_of_the_host(rendered)
    environment = rendered.service["services"]["api"]["environment"]
    assert environment["HEROLO_SMTP_URL_FILE"] == "/run/secrets/smtp_url"
    assert environment["HEROLO_PUBLIC_URL"] == "https://herolo.example.com"


def test_without_one_a_mail_server_among_the_secrets_stays_there(rendered):
    assert set(rendered.service["secrets"]) == {"database_url", "token_keys"}


def test_what_restarts_containers_is_not_upgraded_behind_the_operators_back(rendered):
    blacklist = re.search(r"Package-Blacklist \{(.*?)\};", rendered.texts["host/unattended-upgrades.conf"], re.DOTALL)[
        1
    ]
    patterns = re.findall(r'"(.*?)";', blacklist)
    for package in ("containerd", "docker.io", "docker-cli", "runc"):
        assert any(re.match(pattern, package) for pattern in patterns), package
    # Without them, the security updates of everything else are installed.
    for package in ("libc6", "linux-image-cloud-amd64", "openssl", "python3-docker"):
        assert not any(re.match(pattern, package) for pattern in patterns), package


def test_the_status_looks_at_the_packages_that_only_a_deployment_upgrades(rendered):
    packages = yaml.safe_load(rendered.texts["host/variables"])["host_docker_packages"]
    script = (REPOSITORY / "scripts/herolo_operator/on_host.py").read_text(encoding="utf-8")
    assert re.findall(r'"([^"]+)"', re.search(r"^DOCKER = \((.*?)\)", script, re.MULTILINE)[1]) == packages


def test_pages_have_a_policy_of_their_own_and_all_else_has_that_of_data(rendered):
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
        "/openapi-json",
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


def test_large_responses_that_need_no_account_use_up_no_slots_of_the_api(rendered):
    labels = rendered.service["services"]["api"]["deploy"]["labels"]
    path = re.search(r"PathRegexp\(`(.*)`\)", labels["traefik.http.routers.pages.rule"])[1].replace("$$", "$")
    assert all(re.search(path, large) for large in ("/openapi.json", "/docs/swagger-ui-bundle.js")), path
    # Each router counts the requests of its own chain.
    assert labels["traefik.http.routers.pages.middlewares"] != labels["traefik.http.routers.herolo.middlewares"]


def test_the_form_reaches_traefik(rendered):
    acme = rendered.install["certificatesResolvers"]["acme"]["acme"]
    directory = "https://acme.example.com/dir"
    assert acme["email"] == "operator@example.com" and acme["caServer"] == directory


def test_each_domain_and_authority_has_certificates_of_its_own(rendered):
    acme = rendered.install["certificatesResolvers"]["acme"]["acme"]
    name = hashlib.sha256(acme["caServer"].encode()).hexdigest()[:8]
    assert acme["storage"] == f"/acme/herolo.example.com@acme.example.com-{name}.json"


def test_of_a_storage_of_all_domains_the_account_and_the_certificate_of_the_domain_are_kept(rendered):
    kept = rendered.variables_of_edge["edge_storage_of_domain"]["acme"]
    stored = FORMER_STORAGE["acme"]
    assert kept == {"Account": stored["Account"], "Certificates": [stored["Certificates"][1]]}
    assert kept["Certificates"][0]["domain"]["main"] == DOMAIN


def test_what_the_labels_and_the_stacks_name_is_there(rendered):
    labels = rendered.service["services"]["api"]["deploy"]["labels"]
    service = "traefik.http.services.herolo.loadbalancer."
    replicas = rendered.routing["services"]["replicas"]["failover"]
    assert replicas["service"] == "herolo@swarm" and any(label.startswith(service) for label in labels)
    for name in ("herolo", "events", "pages"):
        router = f"traefik.http.routers.{name}."
        assert labels[router + "service"] == "replicas@file"
        assert labels[router + "entrypoints"] in rendered.install["entryPoints"]
        assert labels[router + "tls.certresolver"] in rendered.install["certificatesResolvers"]
        assert labels[router + "middlewares"].removesuffix("@file") in rendered.routing["middlewares"]
    assert labels["traefik.http.routers.health.entrypoints"] in rendered.install["entryPoints"]
    assert labels[service + "serverstransport"].removesuffix("@file") in rendered.routing["serversTransports"]
    network = rendered.service["networks"]["edge"]["name"]
    assert network == labels["traefik.swarm.network"] == rendered.edge["networks"]["service"]["name"]
    assert network == rendered.install["providers"]["swarm"]["network"]
    for stack in (rendered.edge, rendered.service):
        used = {config["source"] for service in stack["services"].values() for config in service.get("configs", [])}
        assert used == set(stack["configs"])


def test_only_traefiks_own_container_reaches_its_metrics(rendered):
    entry_point = rendered.install["metrics"]["prometheus"]["entryPoint"]
    assert rendered.install["entryPoints"][entry_point]["address"].startswith("127.0.0.1:")
    # Where the collector asks for them.
    collector = (REPOSITORY / "ansible/roles/monitoring/files/collector.py").read_text(encoding="utf-8")
    assert f"http://{rendered.install['entryPoints'][entry_point]['address']}/metrics" in collector
    assert rendered.install["metrics"]["prometheus"]["addRoutersLabels"] is True


def test_the_collector_runs_every_minute_with_the_settings_of_the_form(rendered):
    settings = json.loads(rendered.texts["monitoring/monitoring.json"])
    assert settings == {"namespace": "herolo-test", "region": "eu-central-1", "domain": DOMAIN}
    assert "OnCalendar=minutely" in rendered.texts["monitoring/timer"].splitlines()
    assert "/etc/herolo/monitoring.json" in rendered.texts["monitoring/service"]


def test_logs_stay_on_the_host_by_default(rendered):
    assert not any("logging" in service for service in rendered.services().values())


def test_logs_go_to_cloudwatch_if_the_form_says_so_and_no_container_waits_for_it(sources, inputs, tmp_path):
    deployment = json.loads(inputs.read_text(encoding="utf-8"))["deployment"]
    groups = {"service": "/herolo-test/service", "edge": "/herolo-test/edge"}
    deployment["monitoring"]["log_groups"] = groups
    rendered = Rendered(sources.render(inputs, tmp_path / "rendered", deployment=deployment))
    parts = {"api": "service", "traefik": "edge", "socket-filter": "edge", "problems": "edge"}
    for name, service in rendered.services().items():
        assert service["logging"]["driver"] == "awslogs", name
        options = service["logging"]["options"]
        assert (options["awslogs-region"], options["awslogs-group"]) == ("eu-central-1", groups[parts[name]])
        assert options["mode"] == "non-blocking" and options["tag"] == "{{.Name}}"


def test_the_address_of_a_client_is_what_traefik_says(rendered):
    assert rendered.service["services"]["api"]["environment"]["HEROLO_CLIENT_ADDRESS_HEADER"] == "X-Real-Ip"
    # Traefik believes client addresses of trusted peers. No client can have an address of the public subnets, where the
    # balancer is.
    for entry_point in rendered.install["entryPoints"].values():
        assert "forwardedHeaders" not in entry_point
        assert entry_point.get("proxyProtocol", {"trustedIPs": ["10.20.0.0/20"]}) == {"trustedIPs": ["10.20.0.0/20"]}


def test_no_token_and_no_search_word_is_logged(rendered):
    fields = rendered.install["accessLog"]["fields"]
    assert fields["headers"]["defaultMode"] == fields["queryParameters"]["defaultMode"] == "drop"


def test_errors_slow_requests_and_retries_are_logged_and_nothing_else(rendered):
    filters = rendered.install["accessLog"]["filters"]
    assert filters == {"statusCodes": ["400-599"], "minDuration": "1s", "retryAttempts": True}


# The most memory that Traefik 3.7 was measured to take, garbage included, with slow clients on all its connections.
TRAEFIK_ITSELF = 90 << 20
A_CONNECTION = 100 << 10  # TLS, buffers and unfinished headers of 16 KiB
A_REQUEST = 120 << 10  # under way, beside its connection: one to a replica and a buffer between them
MEASURED_HEADERS = 16384
CHAINS = ("api", "events", "pages")


def test_the_firewall_bounds_the_connections_of_a_client_and_of_all(rendered):
    connections = rendered.texts["host/nftables.conf"]
    counts = [int(count) for count in re.findall(r"ct count over (\d+) drop", connections)]
    in_flight = rendered.routing["middlewares"]["limit-parallel"]["inFlightReq"]["amount"]
    assert re.search(r"^ +ct count over \d+ drop$", connections, re.MULTILINE) and len(counts) == 1
    each = [int(count) for count in re.findall(r"saddr.* ct count over (\d+) } drop", connections)]
    assert len(each) == 2 and each[0] == each[1] and in_flight <= each[0] < counts[0]


def test_what_slow_clients_can_make_traefik_hold_fits_into_its_memory(rendered):
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


def test_the_bound_of_all_requests_counts_by_a_header_that_no_client_chooses(rendered):
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


def test_nothing_is_buffered_at_the_edge(rendered):
    # Of these, each holds a whole body or a whole answer.
    holders = {"buffering", "compress", "forwardAuth", "digestAuth"}
    assert not [name for name, one in rendered.routing["middlewares"].items() if holders & set(one)]
    assert "status" not in rendered.routing["middlewares"]["retry"]["retry"]  # it keeps bodies for that


# --- The rendering itself ---


def test_no_template_is_left_out(rendered):
    templates = [path.relative_to(REPOSITORY / "ansible/roles") for path in REPOSITORY.glob("ansible/**/*.j2")]
    assert templates
    for template in templates:
        assert rendered.texts.get(f"{template.parts[0]}/{template.stem}"), f"nothing was made of {template}"
    # Those that are variables of a role.
    templates = sorted(path.name for path in (REPOSITORY / "traefik").glob("**/*.j2"))
    assert templates == ["install.yml.j2", "problems.cfg.j2", "unrouted.yml.j2"]
    assert rendered.install and rendered.problems_text and rendered.unrouted_text


def test_traefik_gets_the_certificates_of_an_extra_authority(sources, inputs, tmp_path):
    authority = inputs.with_name("ca.pem")
    rendered = Rendered(sources.render(inputs, tmp_path / "rendered", acme_ca_file=str(authority)))
    file = "/etc/traefik/acme-ca.pem"
    assert rendered.edge["services"]["traefik"]["configs"][1]["target"] == file
    assert rendered.install["certificatesResolvers"]["acme"]["acme"]["caCertificates"] == [file]


def test_a_variable_that_no_role_knows_is_refused(inputs, tmp_path):
    sources = Sources(tmp_path / "sources")
    change(sources.folder / "ansible/roles/service/templates/stack.yml.j2", "service_replicas", "service_replica")
    assert "'service_replica' is undefined" in sources.refusal(inputs, tmp_path / "rendered")


# --- A broken promise is found ---


@pytest.mark.parametrize(
    ("promise", "file", "right", "wrong"),
    [
        pytest.param(
            test_only_traefik_publishes_ports_of_the_host_itself,
            "service/stack.yml",
            r"^    networks: \[edge\]",
            r"\g<0>\n    ports: [{target: 8000, published: 8000}]",
            id="a published port of the service",
        ),
        pytest.param(
            test_no_secret_is_in_a_file_of_the_host,
            "service/stack.yml",
            "^      HEROLO_TOKEN_KEYS_FILE: .*",
            "      HEROLO_TOKEN_KEYS: k1:canary-key",
            id="a secret in a stack file",
        ),
        pytest.param(
            test_settings_of_the_form_reach_the_service_as_text_and_a_dollar_is_no_variable_of_swarm,
            "service/stack.yml",
            r"\$\$b",
            "$b",
            id="a dollar that Swarm would replace",
        ),
        pytest.param(
            test_what_restarts_containers_is_not_upgraded_behind_the_operators_back,
            "host/unattended-upgrades.conf",
            '^  "\\^runc\\$";\n',
            "",
            id="a package that is upgraded at night",
        ),
        pytest.param(
            test_the_address_of_a_client_is_what_traefik_says,
            "service/stack.yml",
            "X-Real-Ip",
            "X-Forwarded-For",
            id="an address that clients choose",
        ),
        pytest.param(
            test_each_domain_and_authority_has_certificates_of_its_own,
            "edge/variables",
            r"/acme/herolo\.example\.com@acme\.example\.com-[0-9a-f]*\.json",
            "/acme/acme.json",
            id="certificates of all authorities in one file",
        ),
        pytest.param(
            test_what_slow_clients_can_make_traefik_hold_fits_into_its_memory,
            "host/nftables.conf",
            "over 1280",
            "over 1600",
            id="a limit of connections that was raised",
        ),
        pytest.param(
            test_what_slow_clients_can_make_traefik_hold_fits_into_its_memory,
            "edge/stack.yml",
            "memory: 384M",
            "memory: 320M",
            id="less memory for Traefik",
        ),
        pytest.param(
            test_what_slow_clients_can_make_traefik_hold_fits_into_its_memory,
            ROUTING,
            "amount: 768",
            "amount: 1024",
            id="a limit of requests that was raised",
        ),
        pytest.param(
            test_large_responses_that_need_no_account_use_up_no_slots_of_the_api,
            "service/stack.yml",
            r"\|openapi",
            "|other",
            id="a large response among those of the API",
        ),
        pytest.param(
            test_nothing_is_buffered_at_the_edge,
            ROUTING,
            "rateLimit:",
            "buffering:",
            id="an answer that is buffered",
        ),
        pytest.param(
            test_the_bound_of_all_requests_counts_by_a_header_that_no_client_chooses,
            ROUTING,
            "requestHeaderName: X-Edge",
            "requestHeaderName: X-Other",
            id="a bound that counts by what clients choose",
        ),
        pytest.param(
            test_what_the_labels_and_the_stacks_name_is_there,
            "service/stack.yml",
            "api@file",
            "apy@file",
            id="a middleware that is not there",
        ),
    ],
)
def test_a_change_that_breaks_a_promise_is_found(plain, tmp_path, promise, file, right, wrong):
    broken = pathlib.Path(shutil.copytree(plain, tmp_path / "broken"))
    routing = pathlib.Path(shutil.copy(ROUTING, tmp_path / "routing.yml"))
    change(routing if file is ROUTING else broken / file, right, wrong)
    with pytest.raises(AssertionError):
        promise(Rendered(broken, routing))
