//! See `herolo::fuzzing::access_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::access_token(input));
