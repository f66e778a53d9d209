# shellcheck shell=bash
# shellcheck disable=SC2154 # some variables are set by whoever sources this
#
# What a deployment promises, each proven from outside. Sourced by a script that has sourced scripts/lib.sh and parts.sh,
# that defines deploy RELEASE OPTION... (which leaves Ansible's output in $folder/ansible.log), and that sets, beside
# what parts.sh wants,
#
#   release, domain, address, replicas   what is deployed, where
#   socket_filter_image                  any image with a shell in it
#   passed=0, made_images=()             what is counted here, and what is to be removed at the end

# passes WHAT COMMAND...
passes() {
  local what=$1
  shift
  "$@" || fail "not so: $what"
  echo "ok - $what"
  passed=$((passed + 1))
}

prove_everything() {
  prove_deployment
  prove_outside
  prove_inside
  prove_roll_out
  prove_rollback
  prove_secrecy
}

# ---- deploying, and deploying again

prove_deployment() {
  step "deploying $release to a new host"
  passes "a new host gets everything" deploy "$release"
  step "deploying it again"
  passes "a second deployment changes nothing" changes_nothing
  step "asking what another release would change"
  made_images+=("$release-next")
  docker build --quiet --tag "$release-next" - <<<"FROM $release
LABEL herolo.rehearsal=next" >/dev/null 2>&1
  passes "check mode shows the change to another release, and makes none" previews_a_change
}

changes_nothing() {
  deploy "$release" && changed_are 0
}

# changed_are NUMBER: tasks that changed something in the last run, in all plays.
changed_are() {
  [ "$(sed -n 's/.* changed=\([0-9]*\) .*/\1/p' "$folder/ansible.log" | awk '{sum += $1} END {print sum}')" = "$1" ]
}

previews_a_change() {
  local before
  before=$(services)
  deploy "$release-next" --check && grep -q "^+.*herolo.release: \"$release-next\"" "$folder/ansible.log" &&
    [ "$(services)" = "$before" ]
}

services() {
  # shellcheck disable=SC2016
  on_host sh -c 'docker service inspect --format "{{.ID}} {{.Version.Index}}" $(docker service ls --quiet)' </dev/null
}

# ---- from outside

prove_outside() {
  passes "the certificate is the ACME server's, for the domain" certificate_is_issued
  passes "the contract works over HTTPS: sign up, log in, send, list, read, mark, delete" round_trip
  passes "requests reach all $replicas replicas" reaches_all_replicas
  passes "TLS 1.1 is refused" refuses_old_tls
  passes "plain HTTP leads nowhere, and is not redirected" plain_http_leads_nowhere
  passes "probes and metrics lead nowhere, however they are spelt" probes_lead_nowhere
  passes "a body of 2 MiB, a header of 64 KiB and an encoded slash are refused" refuses_excess
  passes "a page of 100 of the longest messages comes through" long_page
  passes "a client that sends too much is slowed down with 429" limits_rate
  passes "ports 22, 80 and 443 are open, and no other" only_three_ports
}

# request METHOD PATH [BODY [TOKEN]]: the status; the answer's body is then in $folder/answer.
request() {
  local options=(--silent --show-error --max-time 15 --cacert "$folder/acme-ca.pem" --resolve "$domain:443:$address"
    --output "$folder/answer" --write-out '%{http_code}' --request "$1" --path-as-is)
  [ -z "${3:-}" ] || options+=(--header 'Content-Type: application/json' --data-binary "$3")
  [ -z "${4:-}" ] || options+=(--header "Authorization: Bearer $4")
  curl "${options[@]}" "https://$domain$2"
}

# A field of the last answer: field NAME
field() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$folder/answer" "$1"
}

certificate_is_issued() {
  openssl s_client -connect "$address:443" -servername "$domain" -verify_hostname "$domain" -verify_return_error \
    -CAfile "$folder/acme-root.pem" </dev/null >"$folder/tls" 2>&1 &&
    grep -q 'issuer=.*Pebble Intermediate CA' "$folder/tls" && grep -q 'Verification: OK' "$folder/tls"
}

sign_up() {
  [ "$(request POST /users "{\"username\":\"$1\",\"email\":\"$1@example.com\",\"password\":\"a long pass phrase\"}")" = 201 ] &&
    [ "$(request POST "/users/$1/token" '{"password":"a long pass phrase"}')" = 201 ]
}

round_trip() {
  local id
  sign_up alice && alice=$(field access_token) && sign_up bob && bob=$(field access_token) &&
    [ "$(request POST /users/alice/messages '{"receiver":"bob","subject":"Hello","message":"It works."}' "$alice")" = 201 ] &&
    id=$(field id) &&
    [ "$(request GET '/users/bob/messages?unread=true' '' "$bob")" = 200 ] && grep -q 'It works.' "$folder/answer" &&
    [ "$(request GET "/users/bob/messages/$id" '' "$bob")" = 200 ] && [ "$(field sender)" = alice ] &&
    [ "$(request PATCH "/users/bob/messages/$id" '{"read":true}' "$bob")" = 200 ] && [ "$(field read)" = True ] &&
    [ "$(request GET "/users/bob/messages/$id" '' "$alice")" = 403 ] &&
    [ "$(request DELETE "/users/alice/messages/$id" '' "$alice")" = 204 ] &&
    [ "$(request GET "/users/bob/messages/$id" '' "$bob")" = 404 ] &&
    [ "$(request GET /users/bob/messages)" = 401 ] && grep -q '"status":401' "$folder/answer"
}

# By what Traefik's access log says of the requests that were sent.
reaches_all_replicas() {
  local number
  for number in {1..12}; do request GET "/livez?$number" >/dev/null; done
  [ "$(traefik_log | grep -o '"ServiceAddr":"[0-9.]*:8000"' | sort -u | wc -l)" -eq "$replicas" ]
}

traefik_log() {
  on_host docker service logs --raw edge_traefik </dev/null 2>&1
}

refuses_old_tls() {
  ! openssl s_client -connect "$address:443" -servername "$domain" -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null >/dev/null 2>&1
}

plain_http_leads_nowhere() {
  local path
  for path in / /users /livez /metrics; do
    [ "$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code} %{redirect_url}' \
      --resolve "$domain:80:$address" "http://$domain$path")" = '404 ' ] || return
  done
}

probes_lead_nowhere() {
  local path status
  for path in /readyz /drainz /metrics /metrics/ //metrics /./metrics /users/../metrics /METRICS '/metrics?x' \
    '/metrics;x' '/%6detrics' '/met%72ics' '/%2fmetrics' '/metrics%2f' '/..%2fmetrics' '/%2e/metrics' '/%5cmetrics' '/metrics%00'; do
    status=$(request GET "$path")
    if [ "$status" -lt 400 ] || grep -qE '^# (HELP|TYPE)|"started"' "$folder/answer"; then
      echo "$path: $status" >&2
      return 1
    fi
  done
}

refuses_excess() {
  head -c 2097152 /dev/zero | tr '\0' x >"$folder/big"
  [ "$(request POST /users "@$folder/big")" = 413 ] &&
    [ "$(curl --silent --http1.1 --cacert "$folder/acme-ca.pem" --resolve "$domain:443:$address" --output /dev/null \
      --write-out '%{http_code}' --header "X-Big: $(head -c 65536 /dev/zero | tr '\0' x)" "https://$domain/livez")" = 431 ] &&
    [ "$(request GET /users/alice%2fmessages)" = 400 ]
}

long_page() {
  local number
  {
    printf '{"receiver":"bob","subject":"long","message":"'
    head -c 65535 /dev/zero | tr '\0' m
    printf '"}'
  } >"$folder/long"
  for number in {1..100}; do
    [ "$(request POST /users/alice/messages "@$folder/long" "$alice")" = 201 ] || return
  done
  [ "$(request GET '/users/bob/messages?per_page=100' '' "$bob")" = 200 ] && [ "$(wc -c <"$folder/answer")" -gt 6553500 ]
}

# 600 requests over a few connections, as fast as they go.
limits_rate() {
  local limited
  limited=$(curl --silent --no-progress-meter --cacert "$folder/acme-ca.pem" --resolve "$domain:443:$address" --parallel --parallel-max 8 \
    --output /dev/null --write-out '%{http_code}\n' "https://$domain/livez?[1-600]" | grep -c 429)
  [ "$limited" -gt 0 ] && sleep 3 && [ "$(request GET /livez)" = 200 ]
}

# Every port, from a container beside the host: a security group would stand before it on AWS, here nothing does.
only_three_ports() {
  local open
  open=$(docker run --rm --label "$label" --network "$run" --entrypoint python3 "$("$parts/image" host)" -c '
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((sys.argv[1], port)) == 0
with ThreadPoolExecutor(1000) as pool:
    print(*(port for port, found in zip(range(1, 65536), pool.map(is_open, range(1, 65536))) if found))
' "$(private_address host)")
  [ "$open" = '22 80 443' ] || { echo "open: $open" >&2; return 1; }
}

# ---- inside

prove_inside() {
  passes "the socket filter lets Traefik read four lists and nodes, and refuses all else" filter_refuses
  passes "Traefik and the service run without root, capabilities and a writable root, and cannot gain privileges" are_locked_down
  passes "only the key of the operator logs in, not root and no password" ssh_is_closed
  passes "the database's users can do what they are for and no more, over TLS only" users_are_limited
}

# From Traefik's network, as a Traefik that somebody has taken over would.
filter_refuses() {
  # shellcheck disable=SC2016 # it is run on the host
  local script='
ask() { printf "%s %s HTTP/1.0\r\n\r\n" "$1" "$2" | { exec 3<>/dev/tcp/127.0.0.1/2375; cat >&3; head -n 1 <&3; }; }
for path in /_ping /version /v1.44/services /v1.44/tasks /v1.44/networks /v1.44/nodes; do
  ask GET $path | grep -q " 200" || { echo "refused: GET $path" >&2; exit 1; }
done
for path in /secrets /v1.44/secrets /configs /containers/json /v1.44/containers/json /images/json /info /events /swarm \
  /services/x/logs /v1.44/services/herolo_api /tasks/x/logs /nodes/x/update /volumes /plugins /system/df /exec/x/json \
  /session /build /auth /distribution/x/json /services/../secrets /services%2f..%2fsecrets //secrets /v1.44//secrets; do
  ask GET $path | grep -q " 40[03]" || { echo "let through: GET $path" >&2; exit 1; }
done
for method in POST PUT DELETE PATCH OPTIONS; do
  for path in /services/create /v1.44/services/herolo_api/update /containers/create /nodes /services /swarm/leave /build; do
    ask $method $path | grep -q " 40[03]" || { echo "let through: $method $path" >&2; exit 1; }
  done
done'
  in_container_of edge_socket-filter bash -c "$script"
}

# in_container_of SERVICE COMMAND...: in its network, with the host's own programs.
in_container_of() {
  local service=$1 container process
  shift
  container=$(on_host docker ps --quiet --filter "label=com.docker.swarm.service.name=$service" </dev/null | head -n 1)
  process=$(on_host docker inspect --format '{{.State.Pid}}' "$container" </dev/null)
  on_host nsenter --net --target "$process" "$@" </dev/null
}

are_locked_down() {
  # shellcheck disable=SC2016
  on_host bash -c '
for container in $(docker ps --quiet); do
  process=$(docker inspect --format "{{.State.Pid}}" $container)
  grep -Eq "^Uid:[[:space:]]+655" /proc/$process/status && grep -Eq "^CapEff:[[:space:]]+0+$" /proc/$process/status &&
    grep -Eq "^NoNewPrivs:[[:space:]]+1$" /proc/$process/status &&
    [ "$(docker inspect --format "{{.HostConfig.ReadonlyRootfs}}" $container)" = true ] ||
    { docker inspect --format "{{.Name}}" $container; exit 1; }
done' </dev/null
}

ssh_is_closed() {
  local offers options=(-p "$ssh_port" -o BatchMode=yes -o "UserKnownHostsFile=$folder/known_hosts" -o IdentitiesOnly=yes)
  ssh "${options[@]}" -i "$folder/ssh" "admin@$address" true </dev/null || return
  ! ssh "${options[@]}" -i "$folder/ssh" "root@$address" true </dev/null 2>/dev/null || return
  offers=$(ssh "${options[@]}" -v -o PubkeyAuthentication=no "admin@$address" true </dev/null 2>&1) && return 1
  grep -Eq 'Authentications that can continue: publickey.?$' <<<"$offers"
}

users_are_limited() {
  local grants
  grants=$(query_database <<<"SHOW GRANTS FOR herolo_service; SHOW GRANTS FOR herolo_migrate;
    SELECT user, ssl_type FROM mysql.user WHERE user LIKE 'herolo\\_%' AND user <> 'herolo_master';")
  # shellcheck disable=SC2016 # MySQL's quotes
  grep -q '^GRANT SELECT, INSERT, UPDATE, DELETE ON `herolo`.\* TO `herolo_service`@`%`$' <<<"$grants" &&
    [ "$(grep -c '^GRANT USAGE ON \*\.\* TO' <<<"$grants")" -eq 2 ] && [ "$(grep -c '^GRANT' <<<"$grants")" -eq 4 ] &&
    [ "$(grep -c 'ANY$' <<<"$grants")" -eq 2 ]
}

# ---- under load

prove_roll_out() {
  step "rolling another release out under load"
  passes "another release rolls out under load without a failed request or a lost message" under_load deploy "$release-next"
  show_load
  passes "all replicas run it" replicas_run "$release-next"
  passes "rolling back is deploying the release before" deploy "$release"
}

prove_rollback() {
  made_images+=("$release-sick")
  build_sick_image
  step "rolling out a release that never becomes healthy, under load"
  passes "a release that never becomes healthy is rolled back without a failed request" under_load deploy_fails "$release-sick"
  show_load
  passes "the deployment says so" grep -q 'Swarm has gone back to the release before' "$folder/ansible.log"
  passes "all replicas run the release before" replicas_run "$release"
}

# It migrates like any other, starts, and then does nothing.
build_sick_image() {
  mkdir "$folder/sick"
  # shellcheck disable=SC2016 # it is run in the container
  printf '#!/bin/sh\ncase $1 in serve) exec sleep 3600 ;; healthcheck) exit 1 ;; esac\n' >"$folder/sick/herolo"
  chmod 0755 "$folder/sick/herolo"
  printf 'FROM %s\nCOPY herolo /herolo\nENTRYPOINT ["/herolo"]\nCMD ["serve"]\n' "$socket_filter_image" >"$folder/sick/Dockerfile"
  docker build --quiet --tag "$release-sick" "$folder/sick" >/dev/null 2>&1
}

deploy_fails() {
  ! deploy "$@"
}

# under_load COMMAND...: while requests are sent; none may fail, and the command must not either.
under_load() {
  local status=0
  rm -f "$folder/enough"
  python3 "$parts/load" --address "$address" --domain "$domain" --ca "$folder/acme-ca.pem" --seconds 400 \
    --until "$folder/enough" >"$folder/load.json" &
  load=$!
  sleep 3
  "$@" || status=1
  sleep 12 # until the last of the old replicas has ended
  touch "$folder/enough"
  wait "$load" || status=1
  load=
  [ "$status" -eq 0 ] || cat "$folder/load.json" >&2
  return "$status"
}

show_load() {
  sed 's/^/   /' "$folder/load.json"
}

# replicas_run RELEASE
replicas_run() {
  local id
  id=$(docker image inspect --format '{{.Id}}' "$1")
  [ "$(on_host docker service ps --filter desired-state=running --format '{{.Image}} {{.CurrentState}}' herolo_api </dev/null |
    grep -c "^$id Running")" -eq "$replicas" ]
}

# ---- secrets

# Every secret of this deployment must be nowhere but in the swarm's store and in the processes that need it.
prove_secrecy() {
  step "searching for secrets"
  { sed -n 's/^[a-z_]*: *"\(k1:\)\{0,1\}\(.*\)"$/\2/p' "$folder/secrets.yml"; echo "$alice"; } >"$folder/canaries"
  passes "no secret is in what Docker tells of services, containers, secrets, configs and images" has_no_canary inspect_all
  passes "no secret is in a log of the host, of Traefik, of the service or of the database" has_no_canary all_logs
  passes "no secret is in an image" has_no_canary all_layers
  passes "no secret is in the deployment's output or in a file on the host" has_no_canary all_files
  passes "the search would find one" finds_a_planted_canary
}

has_no_canary() {
  ! "$@" | grep -aFf "$folder/canaries" >"$folder/found" || { cut -c 1-200 "$folder/found" | head -n 3 >&2; return 1; }
}

finds_a_planted_canary() {
  ! { all_logs; head -n 1 "$folder/canaries"; } | has_no_canary cat 2>/dev/null
}

inspect_all() {
  # shellcheck disable=SC2016
  on_host sh -c 'docker inspect $(docker ps --all --quiet) $(docker image ls --quiet) $(docker network ls --quiet)
    docker service inspect $(docker service ls --quiet); docker secret inspect $(docker secret ls --quiet)
    docker config inspect $(docker config ls --quiet); docker info; ps axww -o args' </dev/null 2>&1
}

all_logs() {
  # shellcheck disable=SC2016
  on_host sh -c 'for service in $(docker service ls --quiet); do docker service logs --raw $service; done
    journalctl --no-pager; cat /var/log/*.log /var/log/*/*.log' </dev/null 2>&1
  docker logs "$run-database" 2>&1
}

all_layers() {
  # shellcheck disable=SC2016
  on_host sh -c 'for image in $(docker image ls --quiet | sort -u); do docker save $image; done' </dev/null
}

all_files() {
  cat "$folder/all.log"
  on_host sh -c 'cat /root/.ansible/tmp/* /home/admin/.ansible/tmp/* 2>/dev/null; grep -raF . /etc /tmp /var/tmp /var/lib/herolo /home /root 2>/dev/null' </dev/null
}
