# The form of one environment. Copy it to environments/prod.tfvars (or another short name), fill it in and type
# `make deploy ENV=prod`. Lines that begin with # show what holds without them.

# --- Address ---

# The name under which the API is reached. You must own it, or have made it at DuckDNS.
domain = "herolo.example.com"

# The AWS region in which everything is created. Choose one near your users.
region = "eu-central-1"

# Who makes the DNS record of the domain:
#   "route53"  Terraform, in a hosted zone of yours in the same AWS account
#   "duckdns"  Ansible, with the token that you enter in environments/prod.secrets.yml; the domain is then
#              yourname.duckdns.org
#   "none"     you; the record to enter is printed
# dns_provider = "none"

# The hosted zone, with "route53". Without this line it is the domain without its first label, here "example.com".
# route53_zone = "example.com"

# --- Certificate ---

# The e-mail address that the certificate authority may write to.
acme_email = "ops@example.com"

# "production" is Let's Encrypt. Use "staging" while you try things out: its certificates are not trusted by browsers,
# but its limits are far away. Or give the https:// address of another authority's ACME directory.
# acme_authority = "production"

# --- Sizes ---

# How many copies of the service run, from 2 to 10.
# replicas = 3

# The type of the host, with an Intel or AMD processor. t3.small has 2 GiB of memory, enough for 3 replicas.
# instance_type = "t3.small"

# The host's disk in GiB, for the system, images and logs.
# disk_gib = 20

# The class of the database. db.t4g.micro is enough for a trial.
# database_class = "db.t4g.small"

# The database's disk in GiB, at least 20. It grows by itself, to at most twice this.
# database_storage_gib = 20

# Whether a standby in a second zone takes over within minutes when the database fails. Doubles the database's price.
# database_multi_az = false

# --- Access ---

# Who may reach SSH on the host: IPv4 networks. The machine that deploys must be in one of them.
# `curl https://checkip.amazonaws.com` tells your address; /32 means that address alone.
ssh_cidrs = ["203.0.113.7/32"]

# Your public key, the one line of ~/.ssh/id_ed25519.pub (make one with `ssh-keygen -t ed25519`).
ssh_public_key = "ssh-ed25519 AAAA... you@example.com"

# --- Care ---

# Who gets an e-mail when something needs attention. AWS sends a mail to confirm first.
# alarm_email = ""

# true: AWS refuses to delete the database by mistake, and `make destroy` leaves a last snapshot of it, which costs a
# little each month until you delete it. false, for a trial: `make destroy` leaves nothing.
# protect = true

# For how many days, from 1 to 35, the database can be restored to any second.
# backup_days = 7
