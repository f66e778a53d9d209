# shellcheck shell=bash
# shellcheck disable=SC2154 # the variables are the rehearsal's
#
# All that a rehearsal has otherwise than a deployment to AWS. Sourced by the rehearsal, which prints the list and hands
# the scripts what apply_differences exports. The scripts do not know that they are rehearsed.

list_differences() {
  cat <<'END'
AWS's API            moto on this machine; an instance that is ordered there becomes a container, a database a MySQL, a record an answer
Terraform provider   hashicorp/aws 3.39.0, for which these are translated (the names are checked against the schema of 6.25.0):
END
  tests/deploy/stand-ins/translate.py list | sed 's/^/                       /'
  cat <<'END'
EC2 host             a Debian 13 container with systemd and sshd instead of Debian's machine image: no cloud-init, the kernel is shared
address              the Elastic IP that moto gives, one of 127.0.0.0/8; SSH on another port if this machine's own sshd has 22
security groups      checked in the state only; on the host its own firewall is proven
RDS                  MySQL under the name that moto gives, with TLS enforced and a master user with RDS's rights; a version that can be had
its authority        made here instead of AWS's bundle (HEROLO_DATABASE_CA)
DNS                  a test server that has the records of moto's Route 53 and of DuckDNS's stand-in, with the address inside; the host and this machine are told the domain
Let's Encrypt        Pebble, with its own authority to trust (acme_ca_file)
DuckDNS              its update API as documented, on this machine (duckdns_url)
images of the edge   built from packages where the public ones cannot be pulled (edge_image, socket_filter_image)
END
}

apply_differences() {
  "$here/stand-ins/translate.py" infra "$folder/infra" "$endpoint"
  cat >"$folder/settings.json" <<END
{"edge_image": "$edge_image", "socket_filter_image": "$socket_filter_image", "acme_ca_file": "$folder/acme-ca.pem",
 "duckdns_url": "http://127.0.0.1:$(cat "$folder/duckdns-port")"}
END
  printf 'export %q\n' "HEROLO_ENVIRONMENTS=$folder/environments" "HEROLO_INFRA=$folder/infra" \
    "HEROLO_SETTINGS=$folder/settings.json" "HEROLO_SSH_PORT=$ssh_port" "HEROLO_DATABASE_CA=file://$folder/database-ca.pem" \
    "HEROLO_CURL_CONFIG=$folder/curl" "TF_CLI_CONFIG_FILE=$PWD/.tools/deploy/terraform.rc" "SSH_KEY=$folder/ssh" >"$folder/operator"
  # shellcheck source=/dev/null
  . "$folder/operator"
}

# This machine's own resolver knows neither the domain nor the authority: lead_to DOMAIN ADDRESS
lead_to() {
  printf 'cacert = "%s"\nresolve = "%s:443:%s"\nresolve = "%s:80:%s"\n' "$folder/acme-ca.pem" "$1" "$2" "$1" "$2" >"$folder/curl"
}
