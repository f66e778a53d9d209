//! See `herolo::fuzzing::account_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::account_body(input));
