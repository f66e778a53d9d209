# shellcheck shell=bash
#
# Functions that make small Debian systems from packages, for machines that reach no image registry. Sourced after
# lib.sh, never run. The packages come from the mirror in the machine's own apt configuration, and their signatures are
# checked.

readonly debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Ends the script unless this is a Debian machine; the parameter tells what else would help.
require_debian() {
  have apt-get && have flock && return
  fail "this is not a Debian machine, so nothing can be built from Debian's packages: $1"
}

install_debootstrap() {
  have_debootstrap && [ -f "$debian_keyring" ] && return
  step "installing debootstrap"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y debootstrap debian-archive-keyring >&2
}

# It lies in /usr/sbin, which is not in the PATH of everybody.
have_debootstrap() {
  PATH=$PATH:/usr/sbin have debootstrap
}

# The mirror that apt itself uses for Debian, whatever the format of its sources and whichever vendors stand beside it.
debian_mirror() {
  local mirror
  mirror=$(list_mirrors)
  if [ -z "$mirror" ]; then
    # A new machine has sources but has not read them yet.
    as_root apt-get update -qq >&2
    mirror=$(list_mirrors)
  fi
  [ -n "$mirror" ] || fail "no Debian mirror among apt's sources: run 'sudo apt-get update' and see what it says"
  echo "${mirror%%$'\n'*}"
}

list_mirrors() {
  apt-get indextargets --format "\$(ORIGIN)|\$(LABEL)|\$(REPO_URI)" 'Created-By: Packages' |
    sed -n 's/^Debian|Debian|\(https\{0,1\}:.*\)$/\1/p'
}

# bootstrap SUITE PACKAGES FOLDER: a minimal system with these packages (comma-separated) in that folder.
bootstrap() {
  local mirror
  mirror=$(debian_mirror)
  # In a mount namespace of its own, so that nothing stays mounted if it is interrupted.
  as_root unshare --mount debootstrap --variant=minbase --keyring="$debian_keyring" --include="$2" "$1" "$3" "$mirror"
}
