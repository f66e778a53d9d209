# shellcheck shell=bash
#
# How a test that judges one sentence after the other says what it found. Sourced, never run.

# check SENTENCE COMMAND...: shows what the command says only if it fails.
check() {
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then
    echo "ok - $sentence"
  else
    [ -z "$output" ] || printf '%s\n' "$output"
    echo "not ok - $sentence"
    return 1
  fi
}

# count FILE...: of what was printed. Fails unless all of it is right, and there is some.
count() {
  local passed failed
  passed=$(cat "$@" | grep -c '^ok - ' || :) # none is judged below
  failed=$(cat "$@" | grep -c '^not ok - ' || :)
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
