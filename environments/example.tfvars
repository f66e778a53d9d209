# The form of an environment. Copy it to environments/prod.tfvars (or another short name), fill it in and run
# `make deploy ENV=prod`. Settings that are commented out show their defaults.

# --- Address ---

# The domain name of the API. You must own it, or have created it at DuckDNS.
domain = "herolo.example.com"

# The AWS region of all resources. Choose one near your users.
region = "eu-central-1"

# How the DNS record of the domain is created:
#   "route53"  by Terraform, in your hosted zone in the same AWS account
#   "duckdns"  by Ansible, with the token in environments/prod.secrets.yml; the domain must be yourname.duckdns.org
#   "none"     by hand; the deployment prints the record to add, and waits for it
# dns_provider = "none"

# The hosted zone, for "route53". The default is the domain without its first label, here "example.com".
# route53_zone = "example.com"

# --- Certificate ---

# The contact e-mail address for the certificate authority.
acme_email = "ops@example.com"

# The certificate authority. "production" is Let's Encrypt. "staging" is its test authority, for experiments: browsers
# do not trust its certificates, but its rate limits are much higher. Or the https:// URL of another ACME directory.
# acme_authority = "production"

# --- Sizes ---

# The number of hosts, from 1 to 6. With one, its failure or reboot is an outage. Two or more are in different zones
# behind a balancer, and share one database, which has a standby then. In the smallest sizes 1 is about 55 USD a month,
# 2 are 141, and each further one is 26 (`make plan` shows the sum). With "duckdns", the domain leads to the balancer's
# address in one zone: that survives the failure of a host, but not of that zone.
# hosts = 1

# The number of replicas of the service on each host, from 2 to 10.
# replicas = 3

# The instance type of the hosts (x86-64 only). t3.small has 2 GiB of memory, enough for 3 replicas.
# instance_type = "t3.small"

# The size of each host's disk in GiB, for the system, images and logs.
# disk_gib = 20

# The instance class of the database. db.t4g.micro is sufficient for a trial.
# database_class = "db.t4g.small"

# The size of the database's disk in GiB, at least 20. It grows automatically, up to twice this size.
# database_storage_gib = 20

# Whether a standby in a second availability zone takes over within minutes when the database fails. It doubles the cost
# of the database. null: with several hosts.
# database_multi_az = null

# --- Service ---

# The sign-ups that are accepted:
#   "open"     all
#   "invited"  those with an invitation: make user CMD="invite" makes one, and so do users if service_settings has
#              HEROLO_USER_INVITATIONS
#   "closed"   none: make user CMD="create NAME ADDRESS" creates accounts
# sign_ups = "open"

# The sender of mails, with which users can replace forgotten passwords, such as "Herolo <herolo@example.com>". "": the
# service sends none. Enter the URL of the mail server in the secrets file, as smtp_url (docs/operate.md).
# mail_from = ""

# The port in smtp_url, to which the hosts may then connect: 587 (STARTTLS) or 465 (TLS).
# smtp_port = 587

# Settings of the service, as the README lists them, such as { HEROLO_LIMIT_SENDS = "600" }. The release to deploy
# checks them before anything is changed.
# service_settings = {}

# --- Access ---

# The IPv4 networks that can connect to the host by SSH. They must include the machine that deploys.
# `curl https://checkip.amazonaws.com` prints your address; /32 matches only that address.
ssh_cidrs = ["203.0.113.7/32"]

# Your SSH public key: the line in ~/.ssh/id_ed25519.pub (`ssh-keygen -t ed25519` generates a key).
ssh_public_key = "ssh-ed25519 AAAA... you@example.com"

# Where the passwords and keys are kept:
#   "file"  in environments/prod.secrets.yml on this machine, of which you keep copies
#   "ssm"   encrypted in AWS's SSM Parameter Store, without charge, for several operators (docs/operate.md)
# `make deploy` moves them after a change, once you have confirmed it.
# secrets = "file"

# --- Maintenance ---

# The e-mail address for alarms, such as "ops@example.com". AWS first sends two e-mails to confirm the subscription.
# alarm_email = ""

# The https:// URL to which AWS posts alarms, such as that of an incident management service with an integration for
# Amazon SNS. It has to confirm the subscription, which Slack, Discord and Teams do not: for a channel of theirs, set
# alarm_email to the channel's e-mail address. The URL is in the state; treat both as secret if it contains a key.
# alarm_webhook = ""

# Where the logs of the containers are kept:
#   "host"        on the host only, the last 50 MB of each container
#   "cloudwatch"  in CloudWatch as well, so that they outlive containers and the host
# logs = "host"

# The number of days for which CloudWatch keeps them: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ...
# log_days = 30

# true: AWS protects the database against accidental deletion, and `make destroy` keeps a final snapshot, which incurs a
# small monthly charge until you delete it. false, for a trial: `make destroy` keeps nothing.
# protect = true

# The number of days, from 1 to 35, within which the database can be restored to any second.
# backup_days = 7

# Another AWS region, which gets a copy of the automated backups for the same number of days. "" is none. The copy costs
# about as much as the database's disk, and its transfer.
# backup_region = ""
