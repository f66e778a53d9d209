provider "aws" {
  region = var.region

  # On everything that can carry tags, so that costs and leftovers can be found by environment.
  default_tags {
    tags = {
      Project     = "herolo"
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
