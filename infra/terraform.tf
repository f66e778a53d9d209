# .terraform.lock.hcl is not committed, because its checksums have to come from the provider registry. The first command
# in a clone writes it, and all operators of an environment need the same one (docs/operate.md, "What is not shared").
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
