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
#   "none"     by hand; the deployment prints the record to add
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

# The number of replicas of the service, from 2 to 10.
# replicas = 3

# The instance type of the host (x86-64 only). t3.small has 2 GiB of memory, enough for 3 replicas.
# instance_type = "t3.small"

# The size of the host's disk in GiB, for the system, images and logs.
# disk_gib = 20

# The instance class of the database. db.t4g.micro is sufficient for a trial.
# database_class = "db.t4g.small"

# The size of the database's disk in GiB, at least 20. It grows automatically, up to twice this size.
# database_storage_gib = 20

# Whether a standby in a second availability zone takes over within minutes when the database fails. It doubles the cost
# of the database.
# database_multi_az = false

# --- Access ---

# The IPv4 networks that can connect to the host by SSH. They must include the machine that deploys.
# `curl https://checkip.amazonaws.com` prints your address; /32 matches only that address.
ssh_cidrs = ["203.0.113.7/32"]

# Your SSH public key: the line in ~/.ssh/id_ed25519.pub (`ssh-keygen -t ed25519` generates a key).
ssh_public_key = "ssh-ed25519 AAAA... you@example.com"

# --- Maintenance ---

# The e-mail address for alarms. AWS first sends an e-mail to confirm the subscription.
# alarm_email = ""

# true: AWS protects the database against accidental deletion, and `make destroy` keeps a final snapshot, which incurs a
# small monthly charge until you delete it. false, for a trial: `make destroy` keeps nothing.
# protect = true

# The number of days, from 1 to 35, within which the database can be restored to any second.
# backup_days = 7
