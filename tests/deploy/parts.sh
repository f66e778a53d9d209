# shellcheck shell=bash
# shellcheck disable=SC2154 # some variables are set by whoever sources this
#
# The parts of a deployment that are somebody else's on AWS, as containers on a private Docker network of this machine.
# Sourced after scripts/lib.sh, never run. Whoever sources it sets
#
#   run      a name for this run; containers and the network are called after it
#   label    the label that everything carries, so that it can be removed (remove_parts)
#   folder   a folder for files, some of them secret
#
# and may then start_network, start_database, start_acme and start_host, in this order.

parts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly parts

remove_parts() {
  local network
  remove_containers "$label"
  docker network ls --quiet --filter "label=$label" | while read -r network; do
    docker network rm "$network" >/dev/null
  done
}

start_network() {
  docker network create --label "$label" "$run" >/dev/null
}

# start_part NAME OPTION... IMAGE ARGUMENT...
start_part() {
  local name=$1
  shift
  docker run --detach --name "$run-$name" --hostname "$name" --label "$label" --network "$run" "$@" >/dev/null
}

# An authority for certificates: make_authority NAME
make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Herolo test $1" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$folder/$1-ca.key" -out "$folder/$1-ca.pem" 2>/dev/null
}

# make_certificate AUTHORITY HOST_NAME FILE: signed by it, for that name; writes FILE.pem and FILE.key.
make_certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
    -keyout "$3.key" -out "$3.csr" 2>/dev/null
  openssl x509 -req -in "$3.csr" -CA "$folder/$1-ca.pem" -CAkey "$folder/$1-ca.key" -CAcreateserial -days 2 \
    -extfile <(printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n' "$2") \
    -out "$3.pem" 2>/dev/null
}

# start_database HOST_NAME USER PASSWORD: MySQL as RDS has it: under that name, with a certificate for it, no connection
# without TLS, and a master user who may do much but not everything. Wants `make_authority database` beforehand.
start_database() {
  local image root_password
  image=$("$parts/../../scripts/mysql-image")
  root_password=$(random_hex 16)
  rm -rf "$folder/database"
  mkdir "$folder/database"
  make_certificate database "$1" "$folder/database/server"
  printf 'MYSQL_ROOT_PASSWORD=%s\n' "$root_password" >"$folder/database.env"
  # Copied, not mounted: the daemon may run where it cannot see our files.
  docker create --name "$run-database" --hostname database --label "$label" --network "$run" --network-alias "$1" \
    --env-file "$folder/database.env" "$image" \
    --require-secure-transport=ON --ssl-ca=/database-tls/ca.pem --ssl-cert=/database-tls/server.pem \
    --ssl-key=/database-tls/server.key --skip-log-bin --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF >/dev/null
  cp "$folder/database-ca.pem" "$folder/database/ca.pem"
  chmod 0755 "$folder/database"
  chmod 0644 "$folder/database/"* # for the server's own user; the folder above is closed to others
  docker cp --quiet "$folder/database" "$run-database:/database-tls" >/dev/null
  docker start "$run-database" >/dev/null
  await_mysql "$run-database"
  printf '[client]\nuser=root\npassword=%s\n' "$root_password" >"$folder/database-root.cnf"
  docker cp --quiet "$folder/database-root.cnf" "$run-database:/root/.my.cnf" >/dev/null
  query_database <<END
CREATE USER '$2'@'%' IDENTIFIED BY '$3';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES,
  CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER,
  EVENT, TRIGGER ON *.* TO '$2'@'%' WITH GRANT OPTION;
END
}

# Statements on standard input, as the server's root, who is nobody's on RDS.
query_database() {
  docker exec --interactive "$run-database" mysql --skip-column-names
}

# A test authority that issues certificates by ACME, and the DNS server that it asks. Writes $folder/acme-ca.pem, the
# authorities to trust: the one of its own API, and the one that it signs with.
start_acme() {
  local image
  image=$("$parts/image" pebble)
  mkdir "$folder/acme"
  make_authority acme-api
  make_certificate acme-api "$acme_host" "$folder/acme/server"
  cat >"$folder/acme/config.json" <<END
{"pebble": {"listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000", "httpPort": 80, "tlsPort": 443,
  "certificate": "/acme/server.pem", "privateKey": "/acme/server.key", "ocspResponderURL": "",
  "externalAccountBindingRequired": false}}
END
  start_part names --publish 127.0.0.1::8055 "$image" \
    pebble-challtestsrv -dns01 :53 -http01 '' -https01 '' -tlsalpn01 '' -management :8055 -defaultIPv4 '' -defaultIPv6 ''
  docker create --name "$run-acme" --label "$label" --network "$run" --network-alias "$acme_host" \
    --publish 127.0.0.1::15000 --env PEBBLE_VA_NOSLEEP=1 "$image" \
    pebble -config /acme/config.json -dnsserver names:53 >/dev/null
  docker cp --quiet "$folder/acme" "$run-acme:/acme" >/dev/null
  docker start "$run-acme" >/dev/null
  wait_until 20 curl --silent --fail --insecure --output "$folder/acme-root.pem" \
    "https://$(docker port "$run-acme" 15000/tcp)/roots/0" || fail "the test ACME server does not start: docker" \
    "logs $run-acme"
  cat "$folder/acme-api-ca.pem" "$folder/acme-root.pem" >"$folder/acme-ca.pem"
}

readonly acme_host=acme.test
# shellcheck disable=SC2034 # for whoever sources this
readonly acme_directory=https://$acme_host:14000/dir

# set_record NAME ADDRESS: in the DNS server that the authority asks.
set_record() {
  names_api clear-a "{\"host\": \"$1.\"}"
  names_api add-a "{\"host\": \"$1.\", \"addresses\": [\"$2\"]}"
}

names_api() {
  curl --silent --show-error --fail --output /dev/null --data "$2" "http://$(docker port "$run-names" 8055/tcp)/$1"
}

# start_host ADDRESS SSH_PORT PUBLIC_KEY DOMAIN...: a new machine with that public address (one of 127.0.0.0/8, so
# nothing outside this machine reaches it) that lets that key in as admin, and that sees the domains lead to its
# address.
start_host() {
  local image address=$1 ssh_port=$2 domain names=()
  image=$("$parts/image" host)
  rm -rf "$folder/host"
  mkdir "$folder/host"
  printf '%s\n' "$3" >"$folder/host/authorized_key"
  for domain in "${@:4}"; do names+=(--add-host "$domain:$address"); done
  docker create --name "$run-host" --hostname herolo --label "$label" --network "$run" "${names[@]}" \
    --publish "$address:$ssh_port:22" --publish "$address:80:80" --publish "$address:443:443" \
    --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_PTRACE --stop-signal SIGRTMIN+3 \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined \
    --volume /var/lib/docker --volume /sys/fs/cgroup:/sys/fs/cgroup:rw \
    --tmpfs /run/lock --tmpfs /tmp "$image" >/dev/null
  docker cp --quiet "$folder/host" "$run-host:/etc/herolo-first-boot" >/dev/null
  docker start "$run-host" >/dev/null
}

# The address of a part on the private network: where a public address leads to, as AWS's do.
private_address() {
  docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$run-$1"
}

# on_host COMMAND...: as root, without SSH, so that it is no part of what is tested.
on_host() {
  docker exec --interactive "$run-host" "$@"
}
