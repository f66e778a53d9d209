# shellcheck shell=bash
#
# Functions that the scripts share. Sourced, not executed:
#
#   . "$(dirname "$0")/lib.sh"
#
# Messages go to standard error, so that the standard output of a script is its result. Compatible with bash 3.2, the
# version of macOS.

# `set -e` holds within `$(...)`, too: a build that fails there ends the script. The bash of macOS has no such option.
shopt -s inherit_errexit 2>/dev/null || :

# shellcheck source=SCRIPTDIR/provide.sh
. "$(dirname "${BASH_SOURCE[0]}")/provide.sh"

# step MESSAGE: prints the step that begins.
step() {
  printf '==> %s\n' "$*" >&2
}

# fail MESSAGE: ends the script with the error and the fix, in one line.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# is_on NAME: whether a variable of the environment is 1, and not 0, empty or absent.
is_on() {
  case ${!1:-} in
    1) ;;
    '' | 0) return 1 ;;
    *) fail "$1='${!1}' is neither $1=1 nor $1=0" ;;
  esac
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# require_command NAME FIX: ends the script with the fix unless the command exists.
require_command() {
  have "$1" || fail "$1 is missing: $2"
}

# Ends the script unless the Docker daemon can be used, with the fix for the usual causes.
require_docker() {
  local complaint
  require_command docker \
    "install Docker Engine or Docker Desktop (https://docs.docker.com/get-docker) and run this again"
  # Unlike `docker --version`, `docker version` connects to the daemon.
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
      fail "Docker does not respond (${complaint##*$'\n'}): fix the error of 'docker version' and run this again"
      ;;
  esac
}

# as_root COMMAND...: runs a command as root, with sudo if necessary.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif ! have sudo; then
    fail "this requires root, and sudo is missing: run it as root"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo --non-interactive "$@" # no terminal, so no password can be typed
  fi
}

# bounded SECONDS COMMAND...: runs a command with a timeout (exit status 124), and ends it when this script ends. (macOS
# has no `timeout`.)
bounded() (
  deadline=$((SECONDS + $1))
  shift
  set -m # a separate process group, so that its child processes can be ended, too
  "$@" </dev/null &
  set +m
  command=$!
  exec 2>/dev/null # discards the messages of `kill`
  for signal in INT TERM HUP; do
    # The subshell ends by the signal itself; otherwise the script would continue after Ctrl-C.
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

# wait_until SECONDS COMMAND...: repeats a command, without its output, until it succeeds; fails after the timeout.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# listens ADDRESS PORT: whether a process listens there.
listens() {
  (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# The SHA-256 of standard input, in hex. (GNU's tool, or that of macOS.)
sha256() {
  if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# random_hex BYTES: a random secret in hex, which needs no quoting.
random_hex() {
  od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'
}

# Cargo's target directory, which depends on its settings.
target_directory() {
  cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# The shell scripts of the repository, by their first line, including new files that are not committed yet.
list_shell_scripts() {
  local file
  git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
    if [ -f "$file" ] && head -n 1 "$file" | grep -aqE '^#!.*[/ ](ba)?sh|^# shellcheck shell='; then
      echo "$file"
    fi
  done
}

# remove_containers LABEL: removes the containers with the label, and their volumes.
remove_containers() {
  docker ps --all --quiet --filter "label=$1" | while read -r container; do
    docker rm --force --volumes "$container" >/dev/null
  done
}

# start_mysql_image FOLDER: gets the image to start MySQL from (scripts/mysql-image) in the background, since that takes
# a minute or more the first time. Its messages are kept for await_mysql_image; standard input is for sudo's sake.
# shellcheck disable=SC2154 # the folder of the scripts is set by the script that sources this
start_mysql_image() {
  "$here/mysql-image" >"$1/mysql-image" 2>"$1/mysql-image.log" <&0 &
  mysql_image_job=$!
}

# await_mysql_image FOLDER: sets `mysql_image`, once it is there.
await_mysql_image() {
  local status=0
  kill -0 "$mysql_image_job" 2>/dev/null && step "waiting for the MySQL image"
  wait "$mysql_image_job" || status=$?
  cat "$1/mysql-image.log" >&2
  [ "$status" -eq 0 ] || exit "$status"
  # shellcheck disable=SC2034 # for the script that sources this
  mysql_image=$(cat "$1/mysql-image")
}

# await_mysql CONTAINER: waits until MySQL accepts connections over TCP. (The public image first starts a server without
# TCP for its initialization.)
await_mysql() {
  local deadline=$((SECONDS + 120))
  until docker exec "$1" mysqladmin ping --silent --host=127.0.0.1 >/dev/null 2>&1; do
    if ! docker inspect --format '{{.State.Running}}' "$1" | grep -qx true || [ "$SECONDS" -ge "$deadline" ]; then
      docker logs --tail 20 "$1" >&2
      fail "MySQL does not start: see its log above, or set HEROLO_MYSQL_IMAGE to another image"
    fi
    sleep 0.2
  done
}
