# A trial at the lowest price, which AWS's Free plan accepts as well (https://aws.amazon.com/free): copy it to
# environments/trial.tfvars, fill it in and run `make deploy ENV=trial`. environments/example.tfvars explains each
# setting, and has the others. `make destroy ENV=trial` removes everything and keeps nothing.

domain       = "yourname.duckdns.org" # created at duckdns.org, without charge
region       = "eu-central-1"
dns_provider = "duckdns"

acme_email     = "ops@example.com"
acme_authority = "staging" # browsers do not trust it; "production" later

replicas       = 2
instance_type  = "t3.small"
database_class = "db.t4g.micro"

ssh_cidrs      = ["203.0.113.7/32"]                    # your address: curl https://checkip.amazonaws.com
ssh_public_key = "ssh-ed25519 AAAA... you@example.com" # the line in ~/.ssh/id_ed25519.pub

protect     = false
backup_days = 1
