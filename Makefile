# The table of contents: `make` lists what can be done. The work is in scripts/, and CI calls the same targets.

.DEFAULT_GOAL := help

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Develop

.PHONY: run
run: ## Start the service with a throwaway MySQL (HEROLO_PORT=8001 for another port)
	@scripts/run

.PHONY: test
test: ## Run all tests on a real MySQL (ARGS="..." goes to cargo test)
	@scripts/test $(ARGS)

.PHONY: test-infra
test-infra: ## Test the Terraform from plan to destroy, without AWS
	@tests/deploy/infra

.PHONY: test-host
test-host: ## Deploy to a host on this machine with the real roles, and prove what that promises (KEEP=1 leaves it)
	@tests/deploy/host

.PHONY: lint
lint: ## Check formatting, Rust, shell scripts, Ansible roles and dependencies
	@scripts/lint

.PHONY: fmt
fmt: ## Format the Rust code
	@cargo fmt --all

##@ Release

.PHONY: image
image: ## Build the container image and print its tag
	@scripts/image

.PHONY: test-image
test-image: ## Run the container image as production does, and use it
	@scripts/tests/image

##@ Clean up

.PHONY: clean
clean: ## Remove build output and the installed tools
	@rm -rf .tools && cargo clean
