# shellcheck shell=bash
#
# What the scripts that deploy share: which environment is meant, and where its files are. Sourced after lib.sh.

# choose_environment NAME: sets `environment` and the paths of its files, all in one folder:
#   NAME.tfvars         the form, which the operator fills in
#   NAME.secrets.yml    the secrets, which scripts/secrets makes
#   NAME.tfstate        what Terraform created, unless NAME.s3.tfbackend says that it is kept in S3
#   NAME.tfplan         what `scripts/infra plan` found that `scripts/infra apply` shall do
#   .NAME.terraform/    what Terraform downloads
choose_environment() {
  environment=$1
  environments=${HEROLO_ENVIRONMENTS:-$PWD/environments}
  [[ $environment =~ ^[a-z]([a-z0-9]|-[a-z0-9]){0,19}$ && $environment != example ]] ||
    fail "'$environment' is no name for an environment: give a short word in lower case, such as prod (make deploy ENV=prod)"
  # Absolute, since Terraform works in another folder.
  environments=$(cd "$environments" 2>/dev/null && pwd) || fail "there is no folder '$environments'"
  form=$environments/$environment.tfvars
  # shellcheck disable=SC2034 # for the script that sources this
  secrets=$environments/$environment.secrets.yml
}

require_form() {
  [ -f "$form" ] ||
    fail "there is no environments/$environment.tfvars: cp environments/example.tfvars environments/$environment.tfvars, fill it in and run this again"
}

# Terraform 1.11 or newer.
require_terraform() {
  local version
  require_command terraform "install Terraform 1.11 or newer (https://developer.hashicorp.com/terraform/install) and run this again"
  version=$(terraform version 2>/dev/null | sed -n '1s/^Terraform v//p')
  [[ $version =~ ^(1\.(1[1-9]|[2-9][0-9])|[2-9])\. ]] ||
    fail "Terraform ${version:-of an unknown version} is too old: install 1.11 or newer (https://developer.hashicorp.com/terraform/install) and run this again"
}
