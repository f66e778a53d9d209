# The form of an environment, in the order of environments/example.tfvars. Invalid values are rejected here, before any
# resource is created; the messages include the fix.

# --- Address ---

variable "domain" {
  type        = string
  description = "The domain name of the API, without https:// and path."

  validation {
    condition = alltrue([
      length(var.domain) <= 253,
      can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.domain)),
    ])
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
  description = "The DNS provider of the domain's record: \"route53\", \"duckdns\", or \"none\" for by hand."
  default     = "none"

  validation {
    condition     = contains(["route53", "duckdns", "none"], var.dns_provider)
    error_message = "Type \"route53\", \"duckdns\" or \"none\"."
  }

  validation {
    condition = var.dns_provider != "duckdns" || can(regex("^[a-z0-9-]+\\.duckdns\\.org$", var.domain))
    error_message = join(" ", [
      "With \"duckdns\" the domain must be one such as \"yourname.duckdns.org\":",
      "change the domain, or type \"route53\" or \"none\".",
    ])
  }
}

variable "route53_zone" {
  type        = string
  description = "The hosted zone of the record, for Route 53. The default is the domain without its first label."
  default     = null

  validation {
    condition = var.route53_zone == null ? true : endswith(".${var.domain}", ".${var.route53_zone}")
    error_message = join(" ", [
      "Type the name of the hosted zone that contains the domain:",
      "for \"herolo.example.com\" that is \"example.com\", without a dot at the end.",
    ])
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
  description = "The certificate authority: \"production\", \"staging\", or the https:// URL of another ACME directory."
  default     = "production"

  validation {
    condition     = can(regex("^(production|staging|https://[^[:space:]]+)$", var.acme_authority))
    error_message = "Type \"production\", \"staging\" or the https:// address of an ACME directory."
  }
}

# --- Sizes ---

variable "hosts" {
  type        = number
  description = "The number of hosts. Two or more are in different availability zones, behind a balancer."
  default     = 1
  nullable    = false

  validation {
    condition     = var.hosts >= 1 && var.hosts <= 6 && floor(var.hosts) == var.hosts
    error_message = "Type a whole number of hosts from 1 to 6."
  }
}

variable "replicas" {
  type        = number
  description = "The number of replicas of the service on each host."
  default     = 3

  validation {
    condition     = var.replicas >= 2 && var.replicas <= 10 && floor(var.replicas) == var.replicas
    error_message = "Type a whole number from 2 to 10: with one replica, an update would be an outage."
  }
}

variable "instance_type" {
  type        = string
  description = "The EC2 instance type of the hosts."
  default     = "t3.small"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "Type an EC2 instance type, such as \"t3.small\"."
  }

  validation {
    condition = !can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type))
    error_message = join(" ", [
      "Type an instance type with an Intel or AMD processor, such as \"t3.small\":",
      "the image of the service is built for x86-64.",
    ])
  }

  validation {
    condition     = !can(regex("^(t[12]|[mcr][123])\\.", var.instance_type))
    error_message = "Type a current instance type, such as \"t3.small\": types before 2015 do not support gp3 disks."
  }
}

variable "disk_gib" {
  type        = number
  description = "The size of each host's disk in GiB, for the system, images, logs and the certificate."
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
    condition = alltrue([
      var.database_storage_gib >= 20,
      var.database_storage_gib <= 32768,
      floor(var.database_storage_gib) == var.database_storage_gib,
    ])
    error_message = "Type a whole number of GiB from 20 to 32768."
  }
}

variable "database_multi_az" {
  type        = bool
  description = "Whether the database has a standby in a second zone, at twice the cost. null: with several hosts."
  default     = null
}

# --- Service ---

variable "sign_ups" {
  type        = string
  description = "The sign-ups that are accepted: open, invited or closed."
  default     = "open"
  nullable    = false

  validation {
    condition     = contains(["open", "invited", "closed"], var.sign_ups)
    error_message = "Type \"open\", \"invited\" or \"closed\"."
  }
}

variable "mail_from" {
  type        = string
  description = "The sender of e-mails, an address with or without a name, or \"\": the service sends none."
  default     = ""
  nullable    = false

  validation {
    condition = anytrue([
      var.mail_from == "",
      can(regex("^[^@<>[:space:]]+@[^@<>[:space:]]+$", var.mail_from)),
      can(regex("^[^<>[:cntrl:]]+ <[^@<>[:space:]]+@[^@<>[:space:]]+>$", var.mail_from)),
    ])
    error_message = "Type an address such as \"Herolo <herolo@example.com>\" or \"ops@example.com\", or \"\" for none."
  }
}

variable "smtp_port" {
  type        = number
  description = "The port of the mail server, to which the hosts may connect if mail_from is set."
  default     = 587
  nullable    = false

  validation {
    condition = alltrue([
      contains([465, 587], var.smtp_port) || var.smtp_port >= 1024,
      var.smtp_port <= 65535,
      floor(var.smtp_port) == var.smtp_port,
    ])
    error_message = join(" ", [
      "Type the port in smtp_url: 587, 465, or one of 1024 to 65535.",
      "AWS blocks port 25, which is for mail servers among themselves.",
    ])
  }
}

variable "service_settings" {
  type        = map(string)
  description = "Settings of the service by name, as the README lists them."
  default     = {}

  validation {
    condition = alltrue([
      for name in keys(var.service_settings) : can(regex("^HEROLO_[A-Z]+(_[A-Z]+)*$", name))
    ])
    error_message = "Type each name as the README lists the settings, such as HEROLO_LIMIT_SENDS = \"600\"."
  }

  validation {
    condition = alltrue([
      for name in keys(var.service_settings) :
      !can(regex("^HEROLO_(DATABASE_URL|TOKEN_KEYS|SMTP_URL|CONFIG|TEST_.*|.*_FILE)$", name))
    ])
    error_message = join(" ", [
      "Remove ${join(", ", [
        for name in keys(var.service_settings) : name
        if can(regex("^HEROLO_(DATABASE_URL|TOKEN_KEYS|SMTP_URL|CONFIG|TEST_.*|.*_FILE)$", name))
      ])}:",
      "secrets have no place in the form, the deployment passes them to the service itself,",
      "and there are no other files in the service's container.",
    ])
  }

  validation {
    condition = alltrue([
      for name in keys(var.service_settings) :
      !can(regex("^HEROLO_(ADDRESS|PORT|CLIENT_ADDRESS_HEADER|DRAIN_SECONDS|PUBLIC_URL)$", name))
    ])
    error_message = join(" ", [
      "Remove ${join(", ", [
        for name in keys(var.service_settings) : name
        if can(regex("^HEROLO_(ADDRESS|PORT|CLIENT_ADDRESS_HEADER|DRAIN_SECONDS|PUBLIC_URL)$", name))
      ])}:",
      "Traefik relies on the values that the deployment sets, and mails name the domain.",
    ])
  }

  validation {
    condition     = !contains(keys(var.service_settings), "HEROLO_SIGN_UPS")
    error_message = "Remove HEROLO_SIGN_UPS: sign_ups is a line of its own in the form."
  }

  validation {
    condition     = !contains(keys(var.service_settings), "HEROLO_MAIL_FROM")
    error_message = "Remove HEROLO_MAIL_FROM: mail_from is a line of its own in the form."
  }

  validation {
    condition = alltrue([
      for value in values(var.service_settings) : can(regex("^[^[:cntrl:]]*$", value)) && try(length(value), 0) <= 1000
    ])
    error_message = "Type each value in double quotes on one line, at most 1000 characters, such as \"600\"."
  }
}

# --- Access ---

variable "ssh_cidrs" {
  type        = list(string)
  description = "The IPv4 networks that can connect to the host by SSH. They must include the machine that deploys."

  validation {
    condition     = length(var.ssh_cidrs) > 0 && length(var.ssh_cidrs) <= 20
    error_message = "Type at least one network (and at most 20), such as [\"203.0.113.7/32\"]: the deployment uses SSH."
  }

  validation {
    condition = alltrue([
      for cidr in var.ssh_cidrs : can(regex("^[0-9.]+/[0-9]+$", cidr)) && can(cidrhost(cidr, 0))
    ])
    error_message = join(" ", [
      "Type IPv4 networks with their length, such as \"203.0.113.7/32\" for one address:",
      "the host has no IPv6 address.",
    ])
  }

  validation {
    condition = alltrue([for cidr in var.ssh_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, true)])
    error_message = join(" ", [
      "Type your own networks, such as \"203.0.113.7/32\":",
      "SSH is not opened to everybody, nor to anything wider than /8.",
    ])
  }

  validation {
    condition = alltrue([for cidr in var.ssh_cidrs : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = join(" ", [
      "Type each network by its first address:",
      "\"203.0.113.7/32\" is one address, \"203.0.113.0/24\" the network that contains it.",
    ])
  }
}

variable "ssh_public_key" {
  type        = string
  description = "The OpenSSH public key for logging in to the host."

  validation {
    condition = can(regex("^ssh-(ed25519|rsa) AAAA[A-Za-z0-9+/]{40,}={0,2}( [^\n]*)?$", var.ssh_public_key))
    error_message = join(" ", [
      "Type the one line of a public key file, such as that of ~/.ssh/id_ed25519.pub;",
      "EC2 knows ssh-ed25519 and ssh-rsa. Never the private key.",
    ])
  }
}

variable "secrets" {
  type        = string
  description = "Where the operator's commands keep passwords and keys: \"file\", or \"ssm\" for SSM Parameter Store."
  default     = "file"

  validation {
    condition     = contains(["file", "ssm"], var.secrets)
    error_message = "Type \"file\" or \"ssm\"."
  }
}

# --- Maintenance ---

variable "alarm_email" {
  type        = string
  description = "The e-mail address for alarms, or \"\" for none. AWS asks by e-mail to confirm the subscription."
  default     = ""

  validation {
    condition     = can(regex("^([^@[:space:]]+@([A-Za-z0-9-]+\\.)+[A-Za-z0-9-]+)?$", var.alarm_email))
    error_message = "Type an e-mail address such as \"ops@example.com\", or \"\" for none."
  }
}

variable "alarm_webhook" {
  type        = string
  description = "The https:// URL to which SNS posts alarms, or \"\" for none. It has to confirm the subscription."
  default     = ""

  validation {
    condition     = can(regex("^(https://[^[:space:]@]+)?$", var.alarm_webhook))
    error_message = "Type an https:// URL without a user name and a password, or \"\" for none."
  }

  validation {
    condition = !can(regex("^https://(hooks\\.slack\\.com|discord(app)?\\.com|[a-z0-9.-]+\\.office\\.com)/", var.alarm_webhook))
    error_message = join(" ", [
      "Slack, Discord and Teams do not confirm the subscriptions of Amazon SNS, and would get no alarm:",
      "set alarm_email to the e-mail address of a channel, or type the URL of a service that supports Amazon SNS.",
    ])
  }
}

variable "logs" {
  type        = string
  description = "Where the logs of the containers are kept: on the \"host\", or in \"cloudwatch\" as well."
  default     = "host"

  validation {
    condition     = contains(["host", "cloudwatch"], var.logs)
    error_message = "Type \"host\" or \"cloudwatch\"."
  }
}

variable "log_days" {
  type        = number
  description = "The number of days for which CloudWatch keeps the logs of the containers."
  default     = 30

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_days)
    error_message = "Type a number of days that CloudWatch knows, such as 7, 14, 30, 60, 90, 180 or 365."
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

variable "backup_region" {
  type        = string
  description = "The AWS region that gets a copy of the automated backups, or \"\" for none."
  default     = ""

  validation {
    condition     = can(regex("^([a-z]{2}(-[a-z]+)+-[0-9])?$", var.backup_region)) && var.backup_region != var.region
    error_message = "Type the code of another AWS region, such as \"eu-west-1\", or \"\" for none."
  }
}

# --- Set by the scripts, not in the form ---

variable "environment" {
  type        = string
  description = "The name of the environment, taken from the name of its form: \"prod\" for environments/prod.tfvars."

  validation {
    condition = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,19}$", var.environment)) && length(var.environment) <= 20
    error_message = join(" ", [
      "Name the form by a short word in lower case, such as environments/prod.tfvars:",
      "letters, digits and single hyphens, at most 20.",
    ])
  }
}

variable "entry" {
  type        = string
  description = "Where clients enter: the first \"host\", \"both\" it and the balancer, or the \"balancer\" only."
  default     = "host"

  validation {
    condition     = contains(["host", "both", "balancer"], var.entry)
    error_message = "The entry must be \"host\", \"both\" or \"balancer\"."
  }

  validation {
    condition     = var.entry == "host" || var.hosts > 1
    error_message = "A single host has no balancer, so the entry must be \"host\"."
  }
}

variable "database_master_password" {
  type        = string
  description = "The password of the database's master user. Neither the plan nor the state contains it."
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{32}$", var.database_master_password))
    error_message = "The password must be 32 letters and digits: let `scripts/operate secrets` generate it."
  }
}

variable "database_master_password_version" {
  type        = number
  description = "A number that changes with the password, because Terraform cannot detect a change of the password."
  default     = 1

  validation {
    condition = alltrue([
      var.database_master_password_version >= 1,
      floor(var.database_master_password_version) == var.database_master_password_version,
    ])
    error_message = "The version must be a whole number of at least 1."
  }
}

variable "allowed_account_ids" {
  type        = list(string)
  description = "The AWS account of the existing resources. Credentials of other accounts are rejected."
  default     = null
}

variable "secrets_fingerprints" {
  type        = map(string)
  description = "Salted hashes of the secrets by name, which identify the secrets file of this deployment."
  default     = {}
}

variable "deployment_format" {
  type        = number
  description = "The deployment format of this version of Herolo (scripts/herolo_operator/upgrades.py)."
  default     = 1
}

variable "lift_protection" {
  type        = bool
  description = "Whether a confirmed destroy may delete a protected database; a final snapshot is kept."
  default     = false
}

variable "databases" {
  type = map(object({
    snapshot = optional(string)      # made from this snapshot
    source   = optional(string)      # made from the automated backups of the database with this identifier,
    time     = optional(string)      # as of this time (RFC 3339), or as of the latest
    drill    = optional(bool, false) # small, and without backups, since it is removed at once
    retired  = optional(bool, false) # without protection, since it is about to be removed
  }))
  description = "The databases by name, and the backups from which they are made. Terraform's state remembers them."
  default     = { first = {} }

  validation {
    condition = alltrue([
      for name in keys(var.databases) : can(regex("^[a-z0-9]([a-z0-9]|-[a-z0-9]){0,24}$", name))
    ])
    error_message = "The name of a database must be at most 25 letters, digits and single hyphens in lower case."
  }
}

variable "database_current" {
  type        = string
  description = "The name of the database that the service uses."
  default     = "first"

  validation {
    condition     = contains(keys(var.databases), var.database_current)
    error_message = "The service must use one of the databases."
  }
}

variable "final_snapshot_suffix" {
  type        = string
  description = "The end of the names of final snapshots, if that of the deployment is taken."
  default     = null
}
