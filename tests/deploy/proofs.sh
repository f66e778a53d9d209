# shellcheck shell=bash
# shellcheck disable=SC2154 # some variables are set by whoever sources this
#
# What a deployment promises, each proven from outside. Sourced by the rehearsal after scripts/lib.sh, parts.sh and
# differences.sh; it defines operate TARGET [VARIABLE=VALUE...], deploy [RELEASE] and in_cloud, and sets, beside what
# parts.sh wants,
#
#   environment, domain, replicas   what is deployed
#   ssh_port                        where the host's SSH is
#   socket_filter_image             any image with a shell in it
#   passed=0                        what is counted here

# begin_section TITLE: a row of the table at the end, with the proofs and the time until the next.
begin_section() {
  end_section
  section=$1
  section_begin=$SECONDS
  section_passed=$passed
  section_figures=
  step "$section"
}

end_section() {
  [ -z "${section:-}" ] ||
    printf '| %-64s | %6d | %5d s | %s\n' "$section" "$((passed - section_passed))" "$((SECONDS - section_begin))" "$section_figures" >>"$folder/table"
}

print_table() {
  end_section
  printf '\n| %-64s | %6s | %7s | %s\n' 'what was done and proven' proofs time figures
  cat "$folder/table"
  printf '| %-64s | %6d | %5d s |\n' 'all of it' "$passed" "$SECONDS"
  printf '\nWhat differs from a deployment to AWS:\n\n%s\n\n' "$(list_differences)"
  echo "$passed passed, 0 failed"
}

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
  prove_targets
  prove_roll_out
  prove_rollback
  prove_another_domain
  prove_secrecy
}

# ---- deploying, and deploying again

prove_deployment() {
  begin_section 'an empty account and a form become a service'
  passes 'nothing is deployed without a form' refuses_no_form
  passes 'nothing is there to look at before' refuses_to_look
  passes 'make deploy asks, and does nothing when nobody answers' asks_first
  passes 'make deploy sets everything up, by the plan that it has shown' deploy
  learn_of_deployment
  sed -n '/^  [a-z]/p' "$folder/deploy.log" >&2
  begin_section 'a second deployment'
  passes 'make deploy again changes nothing: Terraform has no changes, Ansible changed=0' changes_nothing
  begin_section 'another release is planned'
  build_next_release
  passes 'make plan shows the change of the release, and makes none' previews_a_change
}

refuses_no_form() {
  ! make deploy ENV=production </dev/null >"$folder/refusal" 2>&1 && grep -q '^error: .*cp environments/example.tfvars' "$folder/refusal"
}

refuses_to_look() {
  ! operate status && grep -q "^error: .*make deploy ENV=$environment" "$folder/deploy.log"
}

asks_first() {
  ! operate deploy && grep -q '^error: .*YES=1 does' "$folder/deploy.log" && leaves_nothing_in_cloud
}

# What the scripts have told the operator.
learn_of_deployment() {
  release=$(sed -n 's/^==> .* serves \(herolo:[0-9a-f]*\) from .*/\1/p' "$folder/deploy.log")
  address=$("$here/../../scripts/infra" output "$environment" address 2>/dev/null)
  lead_to "$domain" "$address"
  cat "$folder/environments/.$environment"/known_hosts.* >"$folder/known_hosts"
}

changes_nothing() {
  deploy && grep -Eq '^  on AWS +none$' "$folder/deploy.log" && changed_are 0
}

# changed_are NUMBER: tasks that changed something in the last run, in all plays.
changed_are() {
  [ "$(sed -n 's/.* changed=\([0-9]*\) .*/\1/p' "$folder/environments/.$environment/ansible.log" | awk '{sum += $1} END {print sum}')" = "$1" ]
}

build_next_release() {
  docker build --quiet --label "$label" --tag "$release-next" - <<<"FROM $release
LABEL herolo.rehearsal.next=1" >/dev/null 2>&1
}

previews_a_change() {
  local before
  before=$(services)
  operate plan "IMAGE=$release-next" && grep -q "^+.*herolo.release: \"$release-next\"" "$folder/deploy.log" &&
    grep -Eq '^  on AWS +none$' "$folder/deploy.log" && [ "$(services)" = "$before" ]
}

services() {
  # shellcheck disable=SC2016
  on_host sh -c 'docker service inspect --format "{{.ID}} {{.Version.Index}}" $(docker service ls --quiet)' </dev/null
}

# ---- from outside

prove_outside() {
  begin_section 'used from outside, over HTTPS at the domain'
  passes "the certificate is the ACME server's, for the domain" certificate_is_issued
  passes "the contract works over HTTPS: sign up, log in, send, list, read, mark, delete" round_trip
  passes 'a message arrives by itself in a stream of events' hears_message
  passes 'the pages come with the policy that they have themselves, and all else with one that lets nothing run' pages_have_their_policy
  passes "requests reach all $replicas replicas" reaches_all_replicas
  passes "TLS 1.1 is refused" refuses_old_tls
  passes "plain HTTP leads nowhere, and is not redirected" plain_http_leads_nowhere
  passes "probes and metrics lead nowhere, however they are spelt" probes_lead_nowhere
  passes "a body of 2 MiB, a header of 64 KiB and an encoded slash are refused" refuses_excess
  passes "100 of the longest messages come through, on as many pages as they take" long_pages
  passes "an export of 100 MB comes through" long_export
  passes "64 clients that never read answers of 100 MB cost the others nothing: no page of theirs fails" unread_costs_nobody
  show_load
  passes "nothing is held afterwards, in Traefik or in a replica: twice of it takes no more than once" nothing_is_held
  passes "a raw quote in a query is redirected to its encoded form, which works" quote_is_encoded
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

hears_message() {
  local listener heard=1
  curl --silent --no-buffer --max-time 60 --config "$folder/curl" --header "Authorization: Bearer $bob" \
    "https://$domain/users/bob/events" >"$folder/events" &
  listener=$!
  wait_until 20 grep '^event:hello' "$folder/events" &&
    [ "$(request POST /users/alice/messages '{"receiver":"bob","subject":"Live","message":"Heard at once."}' "$alice")" = 201 ] &&
    wait_until 20 grep 'Heard at once.' "$folder/events" && heard=0
  kill "$listener" 2>/dev/null || : # it has ended by itself
  return "$heard"
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
  local said
  said=$(openssl s_client -connect "$address:443" -servername "$domain" -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1) && return 1
  [[ $said == *"alert protocol version"* ]]
}

plain_http_leads_nowhere() {
  local path
  for path in / /users /livez /metrics; do
    [ "$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code} %{redirect_url}' \
      --resolve "$domain:80:$address" "http://$domain$path")" = '404 ' ] || return
  done
}

# policy_of PATH: what browsers may do with the answer; it must be said once.
policy_of() {
  curl --silent --cacert "$folder/acme-ca.pem" --resolve "$domain:443:$address" --output /dev/null \
    --write-out '%{http_code} %header{content-security-policy}' "https://$domain$1"
}

pages_have_their_policy() {
  local path policy
  for path in / /inbox/app.js /docs /docs/ /docs/swagger-ui-bundle.js; do
    policy=$(policy_of "$path")
    [[ $policy == "200 default-src 'none'; script-src 'self';"* ]] || {
      echo "$path: $policy" >&2
      return 1
    }
  done
  for path in /livez /users/alice /inbox/none /nowhere; do
    policy=$(policy_of "$path")
    [[ $policy == *" default-src 'none'; frame-ancestors 'none'" ]] || {
      echo "$path: $policy" >&2
      return 1
    }
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

long_pages() {
  local number path='/users/bob/messages?per_page=100' read=0
  {
    printf '{"receiver":"bob","subject":"long","message":"'
    head -c 65535 /dev/zero | tr '\0' m
    printf '"}'
  } >"$folder/long"
  for number in {1..100}; do
    [ "$(request POST /users/alice/messages "@$folder/long" "$alice")" = 201 ] || return
  done
  while [ "$path" != None ]; do
    [ "$(request GET "$path" '' "$bob")" = 200 ] && [ "$(wc -c <"$folder/answer")" -le 5242880 ] || return
    read=$((read + $(grep -o '"subject":"long"' "$folder/answer" | wc -l)))
    path=$(field next)
  done
  [ "$read" -eq 100 ] || {
    echo "read: $read" >&2
    return 1
  }
}

# 140 messages to oneself of 65,535 control characters, each of them six bytes of JSON; an export has them twice.
long_export() {
  local number
  sign_up carol && carol=$(field access_token) || return
  python3 -c 'import json; print(json.dumps({"receiver": "carol", "subject": "long", "message": "\1" * 65535}))' >"$folder/longest"
  for number in {1..140}; do
    [ "$(request POST /users/carol/messages "@$folder/longest" "$carol")" = 201 ] || return
  done
  [ "$(curl --silent --show-error --max-time 120 --config "$folder/curl" --oauth2-bearer "$carol" --output /dev/null \
    --write-out '%{http_code}' "https://$domain/users/carol/export")" = 200 ] &&
    [ "$(curl --silent --max-time 120 --config "$folder/curl" --oauth2-bearer "$carol" "https://$domain/users/carol/export" |
      wc -c)" -ge 100000000 ]
}

unread_costs_nobody() {
  containers=$(containers_at_edge)
  under_load never_read
}

# Other clients than those of the load, so from another address: a container beside the host.
never_read() {
  FLOOD_TOKEN=$carol FLOOD_TARGET=/users/carol/export docker run --rm --interactive --label "$label" --network "$run" \
    --env FLOOD_TOKEN --env FLOOD_TARGET --entrypoint python3 "$("$parts/image" host)" - answer "$domain" \
    "$(private_address host)" 64 30 0.0.0.0 <"$parts/stand-ins/flood.py" >"$folder/unread" || return
  # All were opened, and some were being answered: those over the service's own budget are told to come again.
  if ! grep -q '^64 opened$' "$folder/unread" || ! grep -q "'HTTP/1.1 200': " "$folder/unread"; then
    cat "$folder/unread" >&2
    return 1
  fi
}

# Traefik's and the replicas': a container that was killed is another one.
containers_at_edge() {
  # shellcheck disable=SC2016 # it is run on the host
  on_host sh -c 'for service in edge_traefik herolo_api; do
    docker ps --no-trunc --quiet --filter label=com.docker.swarm.service.name=$service; done' </dev/null | sort
}

# The first time fills what is kept for use again (heaps, connections); what leaks comes on top of it.
nothing_is_held() {
  local once twice
  wait_until 60 connections_are_gone || {
    echo 'there are connections of clients' >&2
    return 1
  }
  once=$(resident) && never_read && wait_until 60 connections_are_gone && twice=$(resident) || return
  echo "MiB once: ${once//$'\n'/ }, twice: ${twice//$'\n'/ }" >&2
  [ "$(containers_at_edge)" = "$containers" ] && has_empty_tmp &&
    paste <(echo "$once") <(echo "$twice") | awk '$2 > $1 + 32 {exit 1}'
}

# MiB of each, in their order.
resident() {
  # shellcheck disable=SC2016 # it is run on the host
  containers_at_edge | on_host sh -c 'while read -r container; do
    awk "/^VmRSS/ {print int(\$2 / 1024)}" /proc/$(docker inspect --format "{{.State.Pid}}" $container </dev/null)/status; done'
}

# Established ones (01) at Traefik's port 443 (01BB).
connections_are_gone() {
  [ "$(in_container_of edge_traefik cat /proc/net/tcp /proc/net/tcp6 | awk '$2 ~ /:01BB$/ && $4 == "01"' | wc -l)" -eq 0 ]
}

has_empty_tmp() {
  # shellcheck disable=SC2016 # it is run on the host
  [ -z "$(on_host sh -c 'process=$(docker inspect --format "{{.State.Pid}}" $(docker ps --quiet \
    --filter label=com.docker.swarm.service.name=edge_traefik)); ls -A /proc/$process/root/tmp' </dev/null)" ]
}

quote_is_encoded() {
  [ "$(request GET '/users/bob/messages?unread="true"' '' "$bob")" = 302 ] &&
    [ "$(curl --silent --globoff --location --config "$folder/curl" --oauth2-bearer "$bob" --output /dev/null \
      --write-out '%{http_code}' "https://$domain/users/bob/messages?unread=\"true\"")" = 200 ]
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
  [ "$open" = '22 80 443' ] || {
    echo "open: $open" >&2
    return 1
  }
}

# ---- inside

prove_inside() {
  begin_section 'what the inside may do'
  passes "the socket filter lets Traefik read four lists and nodes, and refuses all else" filter_refuses
  passes "Traefik and the service run without root, capabilities and a writable root, and cannot gain privileges" are_locked_down
  passes "only the key of the operator logs in, not root and no password" ssh_is_closed
  passes "the database's users can do what they are for and no more, over TLS only" users_are_limited
}

# As a Traefik that somebody has taken over would.
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

# ---- the operator's other targets

prove_targets() {
  begin_section 'looking at it, and repairing it'
  passes 'make status shows replicas, certificate, database and disk, all well' status_is_well
  sed 's/^/   /' "$folder/deploy.log"
  passes 'make logs shows the lines of every replica and of Traefik' shows_logs
  passes 'make ssh leads onto the host' leads_onto_host
  passes 'make rollback says that there is nothing to go back to yet' refuses_to_go_back
  on_host docker service scale --detach herolo_api=0 </dev/null >/dev/null
  passes 'make status fails and names what is wrong when somebody has stopped the service' wait_until 60 status_is_bad
  passes 'make deploy repairs that' repairs
}

refuses_to_go_back() {
  ! operate rollback YES=1 && grep -q '^error: there is no release before' "$folder/deploy.log"
}

status_is_well() {
  operate status && [ "$(grep -cE "^  replica +ready +$release, Up " "$folder/deploy.log")" -eq "$replicas" ] &&
    grep -Eq "^  certificate +valid +$domain, [0-9]+ days left, .*Pebble" "$folder/deploy.log" &&
    grep -Eq '^  database +reached ' "$folder/deploy.log" && grep -Eq '^  disk +[0-9]+ % used ' "$folder/deploy.log" &&
    grep -Eq '^  https +answers +200 ' "$folder/deploy.log"
}

status_is_bad() {
  ! operate status && grep -Eq "^  service +NOT COMPLETE +0 of 0" "$folder/deploy.log" && grep -Eq '^  https +NOT WELL' "$folder/deploy.log"
}

shows_logs() {
  operate logs TAIL=50 && [ "$(grep -oE 'herolo_api\.[0-9]+' "$folder/deploy.log" | sort -u | wc -l)" -ge "$replicas" ] &&
    grep -q 'edge_traefik' "$folder/deploy.log"
}

leads_onto_host() {
  operate ssh 'CMD=hostname; id -u' && grep -qx herolo "$folder/deploy.log" && grep -qx 0 "$folder/deploy.log"
}

repairs() {
  deploy "$release" && replicas_run "$release"
}

# ---- under load

prove_roll_out() {
  begin_section 'a new release, under steady load'
  operate plan "IMAGE=$release-next" || fail "no plan: see $folder/deploy.log"
  passes 'make deploy rolls out what make plan has saved, without a failed request or a lost message' under_load deploy_planned
  show_load
  passes "all replicas run it" replicas_run "$release-next"
}

deploy_planned() {
  deploy "$release-next" && grep -q "what 'make plan' has saved" "$folder/deploy.log"
}

prove_rollback() {
  begin_section 'a release that never becomes healthy, under steady load'
  build_sick_image
  passes 'the swarm goes back to the release before by itself, without a failed request' under_load deploy_fails "$release-sick"
  show_load
  passes 'the deployment says so' grep -q 'Swarm has gone back to the release before' "$folder/deploy.log"
  passes 'all replicas run the release before' replicas_run "$release-next"
  begin_section 'going back to the previous release, under steady load'
  passes 'make rollback does, without a failed request' under_load operate rollback YES=1
  show_load
  passes 'all replicas run the release before' replicas_run "$release"
}

# It migrates like any other, starts, and then does nothing.
build_sick_image() {
  mkdir "$folder/sick"
  # shellcheck disable=SC2016 # it is run in the container
  printf '#!/bin/sh\ncase $1 in serve) exec sleep 3600 ;; healthcheck) exit 1 ;; esac\n' >"$folder/sick/herolo"
  chmod 0755 "$folder/sick/herolo"
  printf 'FROM %s\nCOPY herolo /herolo\nENTRYPOINT ["/herolo"]\nCMD ["serve"]\n' "$socket_filter_image" >"$folder/sick/Dockerfile"
  docker build --quiet --label "$label" --tag "$release-sick" "$folder/sick" >/dev/null 2>&1
}

deploy_fails() {
  ! deploy "$@"
}

# under_load COMMAND...: while requests are sent; none may fail, and the command must not either.
under_load() {
  local status=0
  rm -f "$folder/enough"
  python3 "$parts/load" --address "$address" --domain "$domain" --ca "$folder/acme-ca.pem" --seconds 900 \
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
  section_figures=$(python3 -c '
import json, sys
print("{requests} requests, {per_second} a second, {failed} failed; {acknowledged} messages acknowledged, {lost} lost; p99 {p99_ms} ms"
      .format(**json.load(open(sys.argv[1]))))' "$folder/load.json")
}

# replicas_run RELEASE
replicas_run() {
  local id
  id=$(on_host docker image inspect --format '{{.Id}}' "$1" </dev/null)
  [ "$(on_host docker service ps --filter desired-state=running --format '{{.Image}} {{.CurrentState}}' herolo_api </dev/null |
    grep -c "^$id Running")" -eq "$replicas" ]
}

# ---- another domain, by DuckDNS

prove_another_domain() {
  local form=$folder/environments/$environment.tfvars secrets=$folder/environments/$environment.secrets.yml
  begin_section 'the form names another domain, at DuckDNS'
  domain=$duckdns_domain
  sed -i.before -e "s/^domain .*/domain = \"$domain\"/" -e 's/^dns_provider .*/dns_provider = "duckdns"/' "$form"
  passes 'without its token nothing is changed, and the line to enter it is said' refuses_no_token
  sed -i.before "s/^duckdns_token: .*/duckdns_token: \"$(cat "$folder/duckdns-token")\"/" "$secrets"
  passes 'make plan shows what that would change' operate plan "IMAGE=$release"
  passes 'make deploy tells DuckDNS the address' deploy "$release"
  lead_to "$domain" "$address"
  passes 'the API answers there, with a certificate of its own' certificate_is_issued
  passes 'the account made before logs in there' logs_in
  passes 'the record in Route 53 is gone' has_no_record
}

refuses_no_token() {
  ! deploy "$release" && grep -q 'enter the token that duckdns.org shows you' "$folder/deploy.log"
}

logs_in() {
  [ "$(request POST /users/alice/token '{"password":"a long pass phrase"}')" = 201 ]
}

has_no_record() {
  local left
  left=$(in_cloud left) && [[ $left == *instance* && $left != *"record "* ]]
}

# ---- secrets

# Every secret of this deployment must be nowhere but in its file, in the swarm's store and in the processes that need
# it.
prove_secrecy() {
  begin_section 'where secrets are not'
  {
    sed -n 's/^[a-z_]*: *"\(k1:\)\{0,1\}\(.*\)"$/\2/p' "$folder/environments/$environment.secrets.yml"
    echo "$alice"
  } >"$folder/canaries"
  passes 'there are six to search for' six_canaries
  passes "no secret is in Terraform's state or plan, or in what the scripts and Ansible have said" has_no_canary all_of_operator
  passes "no secret is in what Docker tells of services, containers, secrets, configs and images" has_no_canary inspect_all
  passes "no secret is in a log of the host, of Traefik, of the service or of the database" has_no_canary all_logs
  passes "no secret is in an image" has_no_canary all_layers
  passes "no secret is in a file on the host" has_no_canary all_files
  passes "the search would find one" finds_a_planted_canary
}

six_canaries() {
  [ "$(sort -u "$folder/canaries" | grep -cE '^.{32,}$')" -eq 6 ]
}

all_of_operator() {
  operate plan "IMAGE=$release" >&2 || return
  python3 -m zipfile -e "$folder/environments/$environment.tfplan" "$folder/plan"
  [ -s "$folder/plan/tfplan" ] && [ -s "$folder/environments/$environment.tfstate" ] || return
  find "$folder/environments" "$folder/plan" "$folder/all.log" -type f ! -name "$environment.secrets.yml*" ! -path '*/providers/*' -exec cat {} +
}

has_no_canary() {
  "$@" >"$folder/haystack" || return
  [ -s "$folder/haystack" ] || return
  ! grep -aFf "$folder/canaries" "$folder/haystack" >"$folder/found" || {
    cut -c 1-200 "$folder/found" | head -n 3 >&2
    return 1
  }
}

finds_a_planted_canary() {
  ! {
    all_logs
    head -n 1 "$folder/canaries"
  } | has_no_canary cat 2>/dev/null && [ -s "$folder/found" ]
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
  on_host sh -c 'cat /root/.ansible/tmp/* /home/admin/.ansible/tmp/* 2>/dev/null; grep -raF . /etc /tmp /var/tmp /var/lib/herolo /home /root 2>/dev/null; true' </dev/null # some files come and go
}

# ---- the end of it

prove_destruction() {
  begin_section 'nothing remains'
  passes 'make destroy does nothing without the name' refuses_to_destroy
  docker inspect --format '{{range .Mounts}}{{.Name}}{{"\n"}}{{end}}' "$run-host" "$run-database" | grep . >"$folder/volumes"
  passes 'make destroy removes it' operate destroy "CONFIRM=$environment"
  passes "nothing is left in AWS's API" leaves_nothing_in_cloud
  passes 'nothing is left on the machine' leaves_nothing_here
}

refuses_to_destroy() {
  ! operate destroy && grep -q "CONFIRM=$environment does" "$folder/deploy.log" && in_cloud left | grep '^instance ' >/dev/null
}

leaves_nothing_in_cloud() {
  local left
  left=$(in_cloud left) && [ -z "$left" ] || {
    echo "$left" >&2
    return 1
  }
}

# What the cloud's end of the instance and the database has taken along, and then the parts that were somebody else's.
leaves_nothing_here() {
  local volumes
  wait_until 60 parts_are_gone || return
  volumes=$(docker volume ls --quiet)
  ! grep -Fxf "$folder/volumes" <<<"$volumes" || return
  end_processes
  wait_until 20 processes_are_gone || return
  remove_parts
  [ -z "$(docker ps --all --quiet --filter "label=$label")$(docker network ls --quiet --filter "label=$label")" ] &&
    [ ! -e "$folder/environments/.$environment" ]
}

processes_are_gone() {
  local process
  while read -r process; do
    ! kill -0 "$process" || return
  done <"$folder/pids"
}

parts_are_gone() {
  ! docker ps --all --format '{{.Names}}' --filter "label=$label" | grep -qE -- '-(host|database)$'
}
