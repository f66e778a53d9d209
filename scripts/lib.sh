# shellcheck shell=bash
#
# Functions that the scripts share. Sourced, never run:
#
#   . "$(dirname "$0")/lib.sh"
#
# Everything that is said to a person goes to standard error, so that a script's standard output can be its result.
# Written for bash 3.2, which is what macOS has.

# shellcheck source=SCRIPTDIR/provide.sh
. "$(dirname "${BASH_SOURCE[0]}")/provide.sh"

# Says in one line what happens next.
step() {
  printf '==> %s\n' "$*" >&2
}

# Ends the script with one line that says what is wrong and how to mend it.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# require_command NAME HOW: ends the script unless the command exists; HOW tells how to get it.
require_command() {
  have "$1" || fail "$1 is missing: $2"
}

# Ends the script unless the Docker daemon can be used, naming which of the three usual reasons it is.
require_docker() {
  local complaint
  require_command docker \
    "install Docker Engine or Docker Desktop (https://docs.docker.com/get-docker) and run this again"
  # `docker version` asks the daemon, `docker --version` would not.
  complaint=$(docker version --format '{{.Server.Version}}' 2>&1 >/dev/null) && return
  case $complaint in
    *"ermission denied"*)
      fail "no permission to use Docker: run 'sudo usermod -aG docker $(id -un)', log in again and run this again"
      ;;
    *"annot connect"* | *"failed to connect"* | *"docker daemon is not running"*)
      fail "the Docker daemon is not running: start it ('sudo systemctl start docker', or open Docker Desktop)" \
        "and run this again"
      ;;
    *)
      fail "Docker does not answer (${complaint##*$'\n'}): mend what 'docker version' complains about and run this" \
        "again"
      ;;
  esac
}

# as_root COMMAND...: runs it as root, through sudo where that is needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif ! have sudo; then
    fail "this needs root, and there is no sudo: run it as root"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo --non-interactive "$@" # nobody is there to type a password
  fi
}

# bounded SECONDS COMMAND...: runs it, but not for longer (its status is 124 then), and not for longer than this script.
# (macOS has no `timeout`.)
bounded() (
  deadline=$((SECONDS + $1))
  shift
  set -m # a process group of its own, so that it can be ended with all that it has started
  "$@" </dev/null &
  set +m
  command=$!
  exec 2>/dev/null # nothing below has to be told
  for signal in INT TERM HUP; do
    # It ends by the signal itself, or the script would go on after Ctrl-C.
    # shellcheck disable=SC2064 # of this signal
    trap "kill -- -$command; trap - $signal; exec sh -c 'kill -s $signal \$\$'" "$signal"
  done
  while kill -0 "$command"; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 $$; then
      kill -- "-$command"
      exit 124
    fi
    sleep 0.2
  done
  wait "$command"
)

# wait_until SECONDS COMMAND...: repeats a silent check until it holds; fails when the time is over.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# listens ADDRESS PORT: whether somebody does.
listens() {
  (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# The SHA-256 of standard input, in hex. (GNU's tool, then the one of macOS.)
sha256() {
  if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# random_hex BYTES: a secret that needs no quoting anywhere.
random_hex() {
  od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'
}

# Where cargo puts what it builds, by whichever of its settings.
target_directory() {
  cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Every file of ours that is a shell script by its first line, committed or about to be.
list_shell_scripts() {
  local file
  git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
    if [ -f "$file" ] && head -n 1 "$file" | grep -aqE '^#!.*[/ ](ba)?sh|^# shellcheck shell='; then
      echo "$file"
    fi
  done
}

# remove_containers LABEL: removes the containers that carry it, and their volumes.
remove_containers() {
  docker ps --all --quiet --filter "label=$1" | while read -r container; do
    docker rm --force --volumes "$container" >/dev/null
  done
}

# await_mysql CONTAINER: waits until the server in it accepts connections over TCP. (The public image starts a
# server on its socket first, for the set-up.)
await_mysql() {
  local deadline=$((SECONDS + 120))
  until docker exec "$1" mysqladmin ping --silent --host=127.0.0.1 >/dev/null 2>&1; do
    if ! docker inspect --format '{{.State.Running}}' "$1" | grep -qx true || [ "$SECONDS" -ge "$deadline" ]; then
      docker logs --tail 20 "$1" >&2
      fail "MySQL does not start: its last words are above; HEROLO_MYSQL_IMAGE names another image to try"
    fi
    sleep 0.2
  done
}
