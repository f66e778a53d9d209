# The form of an environment, in the order of environments/example.tfvars. Invalid values are rejected here, before any
# resource is created; the messages tell what to type.

# --- Address ---

variable "domain" {
  type        = string
  description = "The domain name of the API, without https:// and path."

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.domain)) && length(var.domain) <= 253
    error_message = "Type a host name in lower case, such as \"herolo.example.com\": no https://, no port, no path."
  }
}

variable "region" {
  type        = string
  description = "The AWS region of all resources."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Type the code of an AWS region, such as \"eu-central-1\"."
  }
}

variable "dns_provider" {
  type        = string
  description = "How the DNS record of the domain is created: \"route53\", \"duckdns\", or \"none\" for by hand."
  default     = "none"

  validation {
    condition     = contains(["route53", "duckdns", "none"], var.dns_provider)
    error_message = "Type \"route53\", \"duckdns\" or \"none\"."
  }

  validation {
    condition     = var.dns_provider != "duckdns" || can(regex("^[a-z0-9-]+\\.duckdns\\.org$", var.domain))
    error_message = "With \"duckdns\" the domain must be one such as \"yourname.duckdns.org\": change the domain, or type \"route53\" or \"none\"."
  }
}

variable "route53_zone" {
  type        = string
  description = "The hosted zone of the record, for Route 53. The default is the domain without its first label, or the whole domain if it has only two labels."
  default     = null

  validation {
    condition     = var.route53_zone == null ? true : var.domain == var.route53_zone || endswith(var.domain, ".${var.route53_zone}")
    error_message = "Type the name of the hosted zone that the domain lies in: for \"herolo.example.com\" that is \"example.com\", without a dot at the end."
  }
}

# --- Certificate ---

variable "acme_email" {
  type        = string
  description = "The contact e-mail address for the certificate authority."

  validation {
    condition     = can(regex("^[^@[:space:]]+@([A-Za-z0-9-]+\\.)+[A-Za-z0-9-]+$", var.acme_email))
    error_message = "Type an e-mail address that you read, such as \"ops@example.com\"."
  }
}

variable "acme_authority" {
  type        = string
  description = "The certificate authority: \"production\" (Let's Encrypt), \"staging\" (its test authority, which browsers do not trust), or the https:// URL of another ACME directory."
  default     = "production"

  validation {
    condition     = contains(["production", "staging"], var.acme_authority) || can(regex("^https://[^[:space:]]+$", var.acme_authority))
    error_message = "Type \"production\", \"staging\" or the https:// address of an ACME directory."
  }
}

# --- Sizes ---

variable "replicas" {
  type        = number
  description = "The number of replicas of the service."
  default     = 3

  validation {
    condition     = var.replicas >= 2 && var.replicas <= 10 && floor(var.replicas) == var.replicas
    error_message = "Type a whole number from 2 to 10: with one copy, an update would be an outage."
  }
}

variable "instance_type" {
  type        = string
  description = "The EC2 instance type of the host."
  default     = "t3.small"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "Type an EC2 instance type, such as \"t3.small\"."
  }

  validation {
    condition     = !can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type))
    error_message = "Type an instance type with an Intel or AMD processor, such as \"t3.small\": the image of the service is built for x86-64."
  }

  validation {
    condition     = !can(regex("^(t[12]|[mcr][123])\\.", var.instance_type))
    error_message = "Type a current instance type, such as \"t3.small\": those before 2015 have no disk of the kind that is made here."
  }
}

variable "disk_gib" {
  type        = number
  description = "The size of the host's disk in GiB. It holds the system, images, logs and the certificate; no messages."
  default     = 20

  validation {
    condition     = var.disk_gib >= 10 && var.disk_gib <= 1000 && floor(var.disk_gib) == var.disk_gib
    error_message = "Type a whole number of GiB from 10 to 1000."
  }
}

variable "database_class" {
  type        = string
  description = "The RDS instance class of the database."
  default     = "db.t4g.small"

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9-]+$", var.database_class))
    error_message = "Type an RDS instance class, such as \"db.t4g.small\"; it begins with \"db.\"."
  }
}

variable "database_storage_gib" {
  type        = number
  description = "The size of the database's disk in GiB. It grows automatically, up to twice this size."
  default     = 20

  validation {
    condition     = var.database_storage_gib >= 20 && var.database_storage_gib <= 32768 && floor(var.database_storage_gib) == var.database_storage_gib
    error_message = "Type a whole number of GiB from 20 to 32768."
  }
}

variable "database_multi_az" {
  type        = bool
  description = "Whether a standby in a second availability zone takes over when the database fails. It doubles the cost of the database."
  default     = false
}

# --- Access ---

variable "ssh_cidrs" {
  type        = list(string)
  description = "The IPv4 networks that can connect to the host by SSH. They must include the machine that deploys."

  validation {
    condition     = length(var.ssh_cidrs) > 0 && length(var.ssh_cidrs) <= 20
    error_message = "Type at least one network (and at most 20), such as [\"203.0.113.7/32\"]: the deployment itself comes over SSH."
  }

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : can(regex("^[0-9.]+/[0-9]+$", cidr)) && can(cidrhost(cidr, 0))])
    error_message = "Type IPv4 networks with their length, such as \"203.0.113.7/32\" for one address: the host has no IPv6 address."
  }

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, true)])
    error_message = "Type your own networks, such as \"203.0.113.7/32\": SSH is not opened to everybody, nor to anything wider than /8."
  }

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = "Type each network by its first address: \"203.0.113.7/32\" is one address, \"203.0.113.0/24\" the network around it."
  }
}

variable "ssh_public_key" {
  type        = string
  description = "The OpenSSH public key for logging in to the host."

  validation {
    condition     = can(regex("^ssh-(ed25519|rsa) AAAA[A-Za-z0-9+/]{40,}={0,2}( [^\n]*)?$", var.ssh_public_key))
    error_message = "Type the one line of a public key file, such as that of ~/.ssh/id_ed25519.pub; EC2 knows ssh-ed25519 and ssh-rsa. Never the private key."
  }
}

# --- Maintenance ---

variable "alarm_email" {
  type        = string
  description = "The e-mail address for alarms, or \"\" for none. AWS first sends an e-mail to confirm the subscription."
  default     = ""

  validation {
    condition     = var.alarm_email == "" || can(regex("^[^@[:space:]]+@([A-Za-z0-9-]+\\.)+[A-Za-z0-9-]+$", var.alarm_email))
    error_message = "Type an e-mail address such as \"ops@example.com\", or \"\" for none."
  }
}

variable "protect" {
  type        = bool
  description = "Whether the database is protected against deletion, and a final snapshot is kept when it is deleted."
  default     = true
}

variable "backup_days" {
  type        = number
  description = "The number of days within which the database can be restored to any second."
  default     = 7

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35 && floor(var.backup_days) == var.backup_days
    error_message = "Type a whole number of days from 1 to 35."
  }
}

# --- Set by the scripts, not in the form ---

variable "environment" {
  type        = string
  description = "The name of the environment, taken from the name of its form: \"prod\" for environments/prod.tfvars."

  validation {
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,19}$", var.environment)) && length(var.environment) <= 20
    error_message = "Name the form by a short word in lower case, such as environments/prod.tfvars: letters, digits and single hyphens, at most 20."
  }
}

variable "database_master_password" {
  type        = string
  description = "The password of the database's master user, from environments/<environment>.secrets.yml. Neither the plan nor the state contains it."
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{32}$", var.database_master_password))
    error_message = "Let scripts/secrets make the password: 32 letters and digits."
  }
}

variable "database_master_password_version" {
  type        = number
  description = "A number that changes with the password, because Terraform cannot detect a change of the password itself."
  default     = 1

  validation {
    condition     = var.database_master_password_version >= 1 && floor(var.database_master_password_version) == var.database_master_password_version
    error_message = "Give a whole number of at least 1."
  }
}

variable "lift_protection" {
  type        = bool
  description = "Set only by `scripts/infra destroy`, after the typed confirmation: allows a protected database to be deleted. The final snapshot is still created."
  default     = false
}
