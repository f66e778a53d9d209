# .terraform.lock.hcl is not committed yet, because its checksums have to come from the provider registry. Commit the
# one that your first `terraform init` writes.
terraform {
  # The first version with write-only arguments, which keep the database's password out of the state.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}
