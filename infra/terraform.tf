# No .terraform.lock.hcl is committed yet: its checksums can only come from the provider registry, and none was in reach
# where this was written. Commit the one that your first `terraform init` writes.
terraform {
  required_version = ">= 1.11" # the first with write-only arguments, which keep the database's password out of the state

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}
