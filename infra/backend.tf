# The state is a file on the operator's machine, environments/<environment>.tfstate; scripts/infra says where by
# -backend-config. To keep it in S3 instead, write environments/<environment>.s3.tfbackend:
#
#   bucket       = "name-of-your-bucket" # with versioning on
#   key          = "herolo/prod.tfstate"
#   region       = "eu-central-1"
#   use_lockfile = true
#
# and, if there is a local state already, type `scripts/infra move-state prod`.
terraform {
  backend "local" {}
}
