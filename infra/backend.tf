# The state is a file on the operator's machine, environments/<environment>.tfstate; scripts/operate passes the path
# with -backend-config, and runs Terraform in a copy of this folder, environments/.<environment>/infra. To store the
# state in S3 instead, create environments/<environment>.s3.tfbackend:
#
#   bucket       = "name-of-your-bucket" # with versioning on
#   key          = "herolo/prod.tfstate"
#   region       = "eu-central-1"
#   use_lockfile = true
#
# and, if a local state exists, run `make move-state ENV=prod`.
terraform {
  backend "local" {}
}
