# `make` lists the targets. They call scripts/, and CI calls the same targets.

.DEFAULT_GOAL := help

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Develop

.PHONY: run
run: ## Start the service with a throwaway MySQL (HEROLO_PORT=8001 uses another port)
	@scripts/run

.PHONY: test
test: ## Run all tests that need no host, on a real MySQL (ARGS="..." is passed to cargo test, and runs nothing else)
	@scripts/test $(ARGS)

.PHONY: test-infra
test-infra: ## Test the Terraform from plan to destroy, without AWS
	@tests/deploy/infra

.PHONY: test-contract
test-contract: ## Test the service against its OpenAPI document with random requests (HEROLO_CONTRACT_CASES=10000)
	@tests/contract/run

.PHONY: test-consumers
test-consumers: ## Run every snippet of the API guide, docs/api.md
	@tests/consumers/run

.PHONY: test-clients
test-clients: ## Generate clients from the OpenAPI document, and run some of them (KEEP=folder keeps them)
	@tests/clients/run

.PHONY: test-pages
test-pages: ## Test the pages / and /docs in a real Chromium (ARGS="keyboard" selects tests by name)
	@tests/pages/run $(ARGS)

.PHONY: rehearse
rehearse: ## Run a whole deployment on this machine and verify its guarantees (KEEP=1 leaves it running)
	@tests/deploy/rehearse

.PHONY: bench
bench: ## Compare the service with its bare SQL statements (SHORT=1 is a smoke test; ARGS="...")
	@scripts/bench $(ARGS)

.PHONY: lint
lint: ## Check formatting, line lengths, Rust, Python, scripts, the Dockerfile, Ansible roles and dependencies
	@scripts/lint

.PHONY: fmt
fmt: ## Format Rust, Python, shell scripts, Terraform, and the pages' JavaScript and CSS
	@scripts/fmt

##@ Release

.PHONY: image
image: ## Build the container image and print its tag
	@scripts/image

.PHONY: test-image
test-image: ## Build the container image, run it as in production, and test it
	@scripts/tests/image

##@ Operate (ENV=prod names the form, environments/prod.tfvars)

ENV ?= prod
# Unexpanded: dollar signs are for the host's shell, not for make.
override export CMD := $(value CMD)

.PHONY: plan
plan: ## Show the changes that `deploy` would make, and save the plan
	@scripts/deploy plan '$(ENV)'

.PHONY: deploy
deploy: ## Deploy to AWS: asks once, or never with YES=1 (IMAGE=... deploys that image instead of the source)
	@scripts/deploy apply '$(ENV)'

.PHONY: status
status: ## Show replicas, certificate, database and disk in a table
	@scripts/operate status '$(ENV)'

.PHONY: logs
logs: ## Show the last TAIL=200 lines of the logs of the service and Traefik (FOLLOW=1 follows them)
	@scripts/operate logs '$(ENV)'

.PHONY: ssh
ssh: ## Open a shell on the host (CMD="..." runs a command as root instead)
	@scripts/operate ssh '$(ENV)'

.PHONY: rollback
rollback: ## Return to the previous release
	@scripts/deploy rollback '$(ENV)'

.PHONY: destroy
destroy: ## Remove everything from AWS, once you have typed the name
	@scripts/operate destroy '$(ENV)'

##@ Clean up

.PHONY: clean
clean: ## Remove build output and the installed tools
	@! command -v cargo >/dev/null || cargo clean
	@rm -rf .tools target
