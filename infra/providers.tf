provider "aws" {
  region = var.region

  # An environment stays in its account.
  allowed_account_ids = var.allowed_account_ids

  # Tags of all resources that support them, to find costs and leftovers of an environment.
  default_tags {
    tags = {
      Project     = "herolo"
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}

# Metrics of Route 53's health checks exist in this region only, and an alarm must be in the region of its metric.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  allowed_account_ids = var.allowed_account_ids

  default_tags {
    tags = {
      Project     = "herolo"
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
