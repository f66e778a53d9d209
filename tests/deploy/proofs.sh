# shellcheck shell=bash
prove_everything() {
  step "deploying $release"
  deploy "$release" || fail "first deployment"
}
