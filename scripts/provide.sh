# shellcheck shell=bash
#
# Functions that find Rust, Terraform and Python, or download missing ones into the git-ignored folder .tools/. Sourced
# by lib.sh, not executed. Downloads are verified by the SHA-256 below.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository
readonly tools_folder=${TOOLS_FOLDER:-$repository/.tools} # `make clean` removes it; tests use another one
readonly rustup_version=1.28.2 terraform_version=1.11.4 uv_version=0.12.11
readonly fetched_python=3.13                  # if the machine has none that is new enough
readonly rust_image=rust:1.95.0-slim-bookworm # the version in rust-toolchain.toml

# checksum_of FILE-PLATFORM: the published checksum of the file.
checksum_of() {
  case $1 in
    rustup-Linux-x86_64) echo 20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c ;;
    rustup-Linux-aarch64) echo e3853c5a252fca15252d07cb23a1bdd9377a8c6f3efa01531109281ae47f841c ;;
    rustup-Darwin-x86_64) echo 9c331076f62b4d0edeae63d9d1c9442d5fe39b37b05025ec8d41c5ed35486496 ;;
    rustup-Darwin-arm64) echo 20ef5516c31b1ac2290084199ba77dbbcaa1406c45c1d978ca68558ef5964ef5 ;;
    terraform-Linux-x86_64) echo 1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc ;;
    terraform-Linux-aarch64) echo a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633 ;;
    terraform-Darwin-x86_64) echo a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b ;;
    terraform-Darwin-arm64) echo 867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18 ;;
    uv-Linux-x86_64) echo 4ae93e0f148a18434cc094072547cec88912fc4a72b984183c7d0d0e9586cb5e ;;
    uv-Linux-aarch64) echo e9933d907fb9cd27d606d819bbded419f2844c0e2efc98225ecfa409288eb28d ;;
    uv-Darwin-x86_64) echo 96d773bf5fda4f9b08c4444847f9183d1c14bc8a28ff9c0490e261a8fc6e5309 ;;
    uv-Darwin-arm64) echo e01b69ee15e81918d5e8fc9cf39b3db7f59c5576e5e306cd9b7aeb2c7b7321c3 ;;
    *) return 1 ;;
  esac
}

# make_tools_folder FOLDER: makes a folder within .tools/; ends the script if it cannot be written to.
make_tools_folder() {
  mkdir -p "$1" 2>/dev/null && [ -w "$1" ] ||
    fail "$1 cannot be written to: make $tools_folder yours (sudo chown -R $(id -un) $tools_folder) and run this again"
}

# fetch NAME URL FILE: downloads a file and verifies the checksum of that name. Fails, with `reason` set, if the
# download is not possible.
fetch() {
  local checksum platform
  platform=$(uname -s)-$(uname -m)
  checksum=$(checksum_of "$1-$platform") || {
    reason="no download of $1 is known for $platform"
    return 1
  }
  have curl || {
    reason="so is curl, which would download it"
    return 1
  }
  make_tools_folder "$(dirname "$3")"
  step "downloading $2"
  curl --proto '=https' --silent --show-error --fail --location --connect-timeout 20 --output "$3" "$2" >&2 || {
    reason="$2 cannot be downloaded"
    return 1
  }
  [ "$(sha256 <"$3")" = "$checksum" ] || {
    rm -f "$3"
    fail "$2 does not have the checksum in scripts/provide.sh: it was altered in transit; check the network"
  }
}

# --- Rust ---

# Ends the script unless cargo is available with the toolchain of rust-toolchain.toml.
require_cargo() {
  find_cargo || fail_without_rust
}

# Ends the script after one of the functions below has failed.
fail_without_rust() {
  fail "Rust is missing, and $reason: install Rust with rustup (https://rustup.rs) and run this again"
}

# Fails, with `reason` set, if cargo is neither installed nor downloadable.
find_cargo() {
  if ! have cargo; then
    export CARGO_HOME=$tools_folder/rust/cargo RUSTUP_HOME=$tools_folder/rust/rustup
    PATH=$CARGO_HOME/bin:$PATH
    have cargo || fetch_rustup || return
  fi
  (cd "$repository" && cargo --version) >/dev/null 2>&1 || use_stable || fetch_toolchain
}

# Uses the installed stable toolchain if it has the same version, because rustup's server may be unreachable.
use_stable() {
  local version
  version=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$repository/rust-toolchain.toml")
  case $(cargo +stable --version 2>/dev/null) in
    "cargo $version "*) export RUSTUP_TOOLCHAIN=stable ;;
    *) return 1 ;;
  esac
}

fetch_toolchain() {
  (cd "$repository" && rustup toolchain install) >&2 || {
    reason="rustup cannot download the version in rust-toolchain.toml (see above)"
    return 1
  }
}

fetch_rustup() {
  local platform
  have cc || {
    reason="so is a C compiler (gcc or clang), which Rust requires"
    return 1
  }
  case $(uname -sm) in
    'Linux x86_64') platform=x86_64-unknown-linux-gnu ;;
    'Linux aarch64') platform=aarch64-unknown-linux-gnu ;;
    'Darwin x86_64') platform=x86_64-apple-darwin ;;
    *) platform=aarch64-apple-darwin ;;
  esac
  fetch rustup "https://static.rust-lang.org/rustup/archive/$rustup_version/$platform/rustup-init" \
    "$tools_folder/rust/rustup-init" || return
  chmod +x "$tools_folder/rust/rustup-init"
  "$tools_folder/rust/rustup-init" -y --quiet --no-modify-path --profile minimal --default-toolchain none >&2 || {
    reason="rustup cannot be installed (see above)"
    return 1
  }
}

# build_service: builds the service for development and prints its path. It selects the whole workspace, because cargo
# selects features by the selected packages; so the tests can reuse each compiled dependency.
build_service() {
  (cd "$repository" && env -u HEROLO_MYSQL_IMAGE cargo build --locked --workspace --bin herolo) >&2
  echo "$(target_directory)/debug/herolo"
}

# require_rust_image: ends the script unless build_service_in_docker can be used.
require_rust_image() {
  if [ "$(uname -s)" != Linux ]; then
    reason="$reason, and a binary built in Docker runs on Linux only"
    fail_without_rust
  fi
  ! docker image inspect "$rust_image" >/dev/null 2>&1 || return 0
  step "pulling the image $rust_image, because Rust is not installed"
  if ! docker pull --quiet "$rust_image" >&2; then
    reason="$reason, and the image $rust_image cannot be pulled"
    fail_without_rust
  fi
}

# build_service_in_docker: builds the service without Rust on this machine. The binary is static, because the libraries
# of this machine may differ from those of the image.
build_service_in_docker() {
  local target
  target=$(uname -m)-unknown-linux-gnu
  mkdir -p "$tools_folder/docker-cargo" "$repository/target/docker"
  docker run --rm --init --user "$(id -u):$(id -g)" --volume "$repository:/herolo" --workdir /herolo \
    --env CARGO_HOME=/herolo/.tools/docker-cargo --env CARGO_TARGET_DIR=/herolo/target/docker \
    --env RUSTUP_TOOLCHAIN=1.95.0 --env RUSTFLAGS=-Ctarget-feature=+crt-static "$rust_image" \
    cargo build --locked --workspace --bin herolo --target "$target" >&2 ||
    fail "the service cannot be built: see above"
  echo "$repository/target/docker/$target/debug/herolo"
}

# --- Python ---

# Ends the script unless a Python with support for virtual environments is available: that of the machine, or one that
# uv downloads.
require_python() {
  is_python_good && return
  PATH=$tools_folder/uv/python/bin:$PATH
  is_python_good && return
  fetch_python || fail "Python 3.11 or newer with its module venv is missing, and $reason:" \
    "install it (on Debian and Ubuntu the packages python3 and python3-venv) and run this again"
}

is_python_good() {
  have python3 && python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

fetch_python() {
  local platform python
  case $(uname -sm) in
    'Linux x86_64') platform=x86_64-unknown-linux-gnu ;;
    'Linux aarch64') platform=aarch64-unknown-linux-gnu ;;
    'Darwin x86_64') platform=x86_64-apple-darwin ;;
    *) platform=aarch64-apple-darwin ;;
  esac
  if ! have uv; then
    fetch uv "https://github.com/astral-sh/uv/releases/download/$uv_version/uv-$platform.tar.gz" \
      "$tools_folder/uv/uv.tar.gz" || return
    tar -xzf "$tools_folder/uv/uv.tar.gz" -C "$tools_folder/uv" --strip-components 1
    PATH=$PATH:$tools_folder/uv
  fi
  # uv verifies its downloads by checksums of its own.
  export UV_PYTHON_INSTALL_DIR=$tools_folder/uv/pythons
  if ! uv python install --quiet --no-bin "$fetched_python" >&2 ||
    ! python=$(uv python find --managed-python "$fetched_python"); then
    reason="uv cannot download it (see above)"
    return 1
  fi
  ln -sfn "$(dirname "$(dirname "$python")")" "$tools_folder/uv/python"
}

# --- Terraform ---

# Ends the script unless Terraform 1.11 or newer is available. An installed version that is too old is not replaced.
# From now on, Terraform neither asks for newer versions nor writes files for that into the user's home.
require_terraform() {
  local version fix='install 1.11 or newer (https://developer.hashicorp.com/terraform/install) and run this again'
  export CHECKPOINT_DISABLE=1
  if ! have terraform; then
    PATH=$tools_folder/terraform:$PATH
    have terraform || fetch_terraform || fail "Terraform is missing, and $reason: $fix"
  fi
  version=$(terraform version 2>/dev/null | sed -n '1s/^Terraform v//p')
  [[ $version =~ ^(1\.(1[1-9]|[2-9][0-9])|[2-9])\. ]] ||
    fail "Terraform ${version:-of an unknown version} is too old: $fix"
}

fetch_terraform() {
  local platform archive=$tools_folder/terraform/terraform.zip
  require_python
  case $(uname -sm) in
    'Linux x86_64') platform=linux_amd64 ;;
    'Linux aarch64') platform=linux_arm64 ;;
    'Darwin x86_64') platform=darwin_amd64 ;;
    *) platform=darwin_arm64 ;;
  esac
  fetch terraform \
    "https://releases.hashicorp.com/terraform/$terraform_version/terraform_${terraform_version}_$platform.zip" \
    "$archive" || return
  python3 -m zipfile -e "$archive" "$tools_folder/terraform"
  rm "$archive"
  chmod +x "$tools_folder/terraform/terraform"
}
