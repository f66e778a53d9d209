# `make` lists the targets. They call scripts/, and CI calls the same targets.

.DEFAULT_GOAL := help

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Develop

.PHONY: run
run: ## Start the service with a throwaway MySQL (HEROLO_PORT=8001 uses another port)
	@scripts/run

.PHONY: test
test: ## Run all tests that need no host, on a real MySQL (ARGS="..." is passed to cargo test, and runs nothing else)
	@scripts/test $(ARGS)

.PHONY: test-operator
test-operator: ## Test the operator's commands, as far as that needs neither AWS nor a host
	@scripts/pytest operator $(ARGS)

.PHONY: test-infra
test-infra: ## Test the Terraform from plan to destroy, without AWS (ARGS="-k forms" selects tests by name)
	@scripts/pytest infra $(ARGS)

.PHONY: test-configuration
test-configuration: ## Test what Ansible renders, and Traefik with it (ARGS="-k edge" selects tests by name)
	@scripts/pytest configuration $(ARGS)

.PHONY: test-contract
test-contract: ## Test the service against its OpenAPI document with random requests (HEROLO_CONTRACT_CASES=5000)
	@scripts/pytest contract $(ARGS)

.PHONY: test-consumers
test-consumers: ## Run every snippet of the API guide, docs/api.md, and `make bench-peers`
	@scripts/pytest consumers $(ARGS)

.PHONY: test-clients
test-clients: ## Generate clients from the OpenAPI document, and run some of them (KEEP=folder keeps them)
	@scripts/pytest clients $(ARGS)

.PHONY: test-pages
test-pages: ## Test the pages / and /docs in a real Chromium (ARGS="-k keyboard" selects tests by name)
	@scripts/pytest pages $(ARGS)

.PHONY: rehearse
rehearse: ## Run a whole deployment on this machine and verify its guarantees (KEEP=1 leaves it running; ARGS="-k ...")
	@scripts/pytest rehearsal $(ARGS)

.PHONY: rehearse-hosts
rehearse-hosts: ## Run a deployment of three hosts behind a balancer likewise (SHORT=1 leaves out long phases; KEEP=1)
	@scripts/pytest rehearsal_hosts $(ARGS)

.PHONY: rehearse-changes
rehearse-changes: ## Repeat planned changes under load, and count what fails (SHORT=1; KEEP=1; ARGS="--roll-outs 3")
	@scripts/pytest rehearsal_changes $(ARGS)

.PHONY: bench
bench: ## Compare the service with its bare SQL statements (SHORT=1 is a smoke test; ARGS="...")
	@scripts/bench $(ARGS)

.PHONY: bench-peers
bench-peers: ## Compare Herolo with other systems that run already (ARGS="--herolo URL --ntfy URL --gotify URL")
	@scripts/bench-peers $(ARGS)

.PHONY: endure
endure: ## Inject faults under load and count what is lost (SHORT=1: minutes; REPORT=docs/reliability.md; ARGS="--help")
	@scripts/endure $(ARGS)

.PHONY: test-endure
test-endure: ## Test how `make endure` judges what it finds
	@scripts/pytest endure $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz the parsers, ten minutes each (HEROLO_FUZZ_SECONDS=60; ARGS="email time" selects; ARGS=--list lists)
	@scripts/fuzz $(ARGS)

.PHONY: lint
lint: ## Check formatting, line lengths, Rust, Python, scripts, the Dockerfile, Ansible roles and dependencies
	@scripts/lint

.PHONY: fmt
fmt: ## Format Rust, Python, shell scripts, Terraform, and the pages' JavaScript and CSS
	@scripts/fmt

.PHONY: lock
lock: ## Write the locked sets of Python packages anew, with the newest versions that fit
	@scripts/python lock

.PHONY: pin-images
pin-images: ## Pin the images of Traefik and HAProxy to the digests that their tags have now
	@scripts/pin-images

.PHONY: prices
override export REGION := $(value REGION)
prices: ## Read what AWS charges in REGION=eu-central-1 into the table that `cost` uses
	@scripts/prices "$$REGION"

##@ Release

.PHONY: image
image: ## Build the container image and print its tag
	@scripts/image

.PHONY: test-image
test-image: ## Build the container image, run it as in production, and test it
	@scripts/tests/image

##@ Operate (ENV=prod names the form, environments/prod.tfvars)

ENV ?= prod
# Unexpanded, and handed to the shell as variables: dollar signs and quotes are not for make, nor for its shell.
override export ENV := $(value ENV)
override export CMD := $(value CMD)
json = $(if $(filter-out 0 no n false off,$(JSON)),--json)

.PHONY: doctor
doctor: ## Check what a deployment needs: tools, account, quotas, domain, keys (JSON=1 prints a document)
	@scripts/operate doctor $(json) -- "$$ENV"

.PHONY: plan
plan: ## Show the changes that `deploy` would make, and save the plan
	@scripts/operate plan -- "$$ENV"

.PHONY: deploy
deploy: ## Deploy to AWS: asks once, or never with YES=1 (IMAGE=... deploys that image; REPLACE=2 makes that host anew)
	@scripts/operate deploy -- "$$ENV"

.PHONY: status
status: ## Show hosts, replicas, certificate, database and disk (JSON=1 prints a document; HOST=2 shows that host alone)
	@scripts/operate status $(json) -- "$$ENV"

.PHONY: logs
logs: ## Show the last TAIL=200 lines of the logs of the service and Traefik (FOLLOW=1 follows them; HOST=2 selects)
	@scripts/operate logs -- "$$ENV"

.PHONY: ssh
ssh: ## Open a shell on the first host, or on HOST=2 (CMD="..." runs a command as root instead)
	@scripts/operate ssh -- "$$ENV"

.PHONY: user
user: ## Manage accounts: CMD="list", "show NAME", "suspend NAME" ... (CMD="--help" lists the commands)
	@scripts/operate user -- "$$ENV"

.PHONY: history
history: ## Show who changed the environment, when, to which release, and how it ended (JSON=1 prints a document)
	@scripts/operate history $(json) -- "$$ENV"

.PHONY: cost
cost: ## Show what the environment costs in a month, deployed and planned (JSON=1 prints a document)
	@scripts/operate cost $(json) -- "$$ENV"

.PHONY: rollback
rollback: ## Return to the previous release
	@scripts/operate rollback -- "$$ENV"

.PHONY: rotate
rotate: ## Replace passwords and the token key while the service runs (WHAT=database, tokens or duckdns: that alone)
	@scripts/operate rotate -- "$$ENV"

.PHONY: restore
restore: ## Move the service to a database made from a backup (FROM=latest, a snapshot or a time; FROM=back returns)
	@scripts/operate restore -- "$$ENV"

.PHONY: restore-drill
restore-drill: ## Prove that a backup can be restored: into a small database, which is removed (FROM=latest)
	@scripts/operate restore-drill -- "$$ENV"

.PHONY: restore-finish
restore-finish: ## Remove the database that `restore` has left, once you have typed the name
	@scripts/operate restore-finish -- "$$ENV"

.PHONY: move-state
move-state: ## Move the state from a file into the S3 bucket that environments/prod.s3.tfbackend names
	@scripts/operate move-state -- "$$ENV"

.PHONY: destroy
destroy: ## Remove everything from AWS, once you have typed the name
	@scripts/operate destroy -- "$$ENV"

##@ Clean up

.PHONY: clean
clean: ## Remove build output and the installed tools
	@scripts/clean
