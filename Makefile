# The table of contents: `make` lists what can be done. The work is in scripts/, and CI calls the same targets.

.DEFAULT_GOAL := help

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Develop

.PHONY: run
run: ## Start the service with a throwaway MySQL (HEROLO_PORT=8001 for another port)
	@scripts/run

.PHONY: test
test: ## Run all tests that need no host, on a real MySQL (ARGS="..." goes to cargo test, and runs nothing else)
	@scripts/test $(ARGS)

.PHONY: test-infra
test-infra: ## Test the Terraform from plan to destroy, without AWS
	@tests/deploy/infra

.PHONY: test-contract
test-contract: ## Ask the service all that its OpenAPI document allows, and what not (HEROLO_CONTRACT_CASES=10000)
	@tests/contract/run

.PHONY: test-consumers
test-consumers: ## Run every snippet of the guide for API consumers, docs/api.md
	@tests/consumers/run

.PHONY: test-clients
test-clients: ## Generate clients from the OpenAPI document, and use some of them (KEEP=folder keeps them)
	@tests/clients/run

.PHONY: test-pages
test-pages: ## Test the pages / and /docs in a real Chromium (ARGS="keyboard": those with a word in their name)
	@tests/pages/run $(ARGS)

.PHONY: rehearse
rehearse: ## Deploy on this machine alone as `deploy` does to AWS, and prove what that promises (KEEP=1 leaves it)
	@tests/deploy/rehearse

.PHONY: bench
bench: ## Measure the service beside the statements it needs (SHORT=1 only shows that this works; ARGS="...")
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
test-image: ## Run the container image as production does, and use it
	@scripts/tests/image

##@ Operate (ENV=prod names the form, environments/prod.tfvars)

ENV ?= prod
# As it was typed: its dollars are for the host's shell, not for make.
override export CMD := $(value CMD)

.PHONY: plan
plan: ## Show what `deploy` would change, and save it
	@scripts/deploy plan '$(ENV)'

.PHONY: deploy
deploy: ## Bring the form onto AWS: asks once, or never with YES=1 (IMAGE=... deploys that instead of the source)
	@scripts/deploy apply '$(ENV)'

.PHONY: status
status: ## Show replicas, certificate, database and disk in a table
	@scripts/operate status '$(ENV)'

.PHONY: logs
logs: ## Show the last TAIL=200 lines of the service's and Traefik's logs (FOLLOW=1 goes on)
	@scripts/operate logs '$(ENV)'

.PHONY: ssh
ssh: ## Open a shell on the host (CMD="..." runs that as root instead)
	@scripts/operate ssh '$(ENV)'

.PHONY: rollback
rollback: ## Go back to the previous release
	@scripts/deploy rollback '$(ENV)'

.PHONY: destroy
destroy: ## Remove everything from AWS, after you have typed the name
	@scripts/operate destroy '$(ENV)'

##@ Clean up

.PHONY: clean
clean: ## Remove build output and the installed tools
	@! command -v cargo >/dev/null || cargo clean
	@rm -rf .tools target
