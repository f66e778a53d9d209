//! See `herolo::fuzzing::idempotency_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::idempotency_key(input));
