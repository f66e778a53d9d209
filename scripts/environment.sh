# shellcheck shell=bash
# shellcheck disable=SC2154 # `here`, the folder of the scripts, is set by whoever sources this
#
# What the scripts that deploy share: which environment is meant, and where its files are. Sourced after lib.sh.

# choose_environment NAME: sets `environment` and the paths of its files, all in one folder:
#   NAME.tfvars         the form, which the operator fills in
#   NAME.secrets.yml    the secrets, which scripts/secrets makes
#   NAME.tfstate        what Terraform created, unless NAME.s3.tfbackend says that it is kept in S3
#   NAME.tfplan         what `scripts/infra plan` found that `scripts/infra apply` shall do
#   .NAME/              what the scripts note for themselves, such as their logs; sets `work`
choose_environment() {
  environment=$1
  environments=${HEROLO_ENVIRONMENTS:-$PWD/environments}
  [[ $environment =~ ^[a-z]([a-z0-9]|-[a-z0-9]){0,19}$ && $environment != example ]] ||
    fail "'$environment' is no name for an environment: give a short word in lower case, such as prod (make deploy" \
      "ENV=prod)"
  # Absolute, since Terraform works in another folder.
  environments=$(cd "$environments" 2>/dev/null && pwd) || fail "there is no folder '$environments'"
  form=$environments/$environment.tfvars
  # shellcheck disable=SC2034 # for the script that sources this
  secrets=$environments/$environment.secrets.yml
  work=$environments/.$environment
  # shellcheck disable=SC2034 # likewise
  shown_work=environments/.$environment
}

# read_deployment: writes Terraform's output for Ansible to .NAME/deployment.json; ends the script if there is none.
read_deployment() {
  deployment=$work/deployment.json
  "$here/infra" output "$environment" >"$deployment.new" 2>"$work/output.log" || {
    rm -f "$deployment.new"
    ! grep '^error: ' "$work/output.log" >&2 || exit 1
    fail "$environment is not deployed: type 'make deploy ENV=$environment'"
  }
  mv "$deployment.new" "$deployment"
}

# of_deployment NAME[.NAME]: a value of what read_deployment has read.
of_deployment() {
  python3 -c '
import functools, json, sys
deployment = json.load(open(sys.argv[1]))["deployment"]
print(functools.reduce(dict.get, sys.argv[2].split("."), deployment))' "$deployment" "$1"
}

# choose_ssh: sets `ssh_options`, with which ssh and Ansible reach the host of the deployment. Its key is trusted at the
# first meeting and remembered for this very machine: another that takes its place has another file. (The quotes are for
# ssh, which would take a path with a blank for two.)
choose_ssh() {
  ssh_user=$(of_deployment ssh_user)
  ssh_address=$(of_deployment host_address)
  ssh_port=${HEROLO_SSH_PORT:-22}
  known_hosts=$work/known_hosts.$(of_deployment host_id)
  ssh_options=(-o StrictHostKeyChecking=accept-new -o "UserKnownHostsFile=\"$known_hosts\"" -o ConnectTimeout=10
    -o LogLevel=ERROR -o IdentitiesOnly=yes -p "$ssh_port")
  find_ssh_key
  ssh_options+=(-i "$ssh_key")
}

# find_ssh_key: sets `ssh_key` to the file of the private key for the form's public one. If the agent has it, the public
# one tells ssh which of the agent's keys is meant.
find_ssh_key() {
  local public file
  public=$(sed -n 's/^ *ssh_public_key *= *"\([a-z0-9-]* [A-Za-z0-9+/=]*\).*/\1/p' "$form")
  if [ -n "${SSH_KEY:-}" ]; then
    [ -f "$SSH_KEY" ] || fail "there is no file '$SSH_KEY': SSH_KEY is the private key that belongs to" \
      "ssh_public_key in environments/$environment.tfvars"
    ssh_key=$SSH_KEY
    return
  fi
  if grep -F "$public" <<<"$(ssh-add -L 2>/dev/null)" >/dev/null; then
    mkdir -p "$work"
    ssh_key=$work/operator.pub
    printf '%s\n' "$public" >"$ssh_key"
    return
  fi
  for file in "$HOME"/.ssh/*.pub; do
    ssh_key=${file%.pub}
    if [ -f "$ssh_key" ] && grep -qF "$public" "$file"; then
      ssh-keygen -y -P '' -f "$ssh_key" >/dev/null 2>&1 || fail "$ssh_key has a passphrase, for which nobody can" \
        "be asked in between: type 'ssh-add $ssh_key' first"
      return
    fi
  done
  fail "the private key of ssh_public_key in environments/$environment.tfvars is not in ~/.ssh and not in the" \
    "agent: name it, SSH_KEY=path/to/key"
}

# on_remote: runs the shell commands on standard input on the host, as root.
on_remote() {
  ssh "${ssh_options[@]}" "$ssh_user@$ssh_address" sudo sh -s
}

# ask QUESTION ANSWER: ends the script unless a person types the answer, or YES=1 has given it.
ask() {
  local answer
  [ -z "${YES:-}" ] || return 0
  [ -t 0 ] || fail "nobody is there to answer: YES=1 does, and asks nothing"
  printf '%s ' "$1" >&2
  read -r answer
  [ "$answer" = "$2" ] || fail "nothing was done: '$answer' is not '$2'"
}

require_form() {
  [ -f "$form" ] ||
    fail "there is no environments/$environment.tfvars: cp environments/example.tfvars" \
      "environments/$environment.tfvars, fill it in and run this again"
}
