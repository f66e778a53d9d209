//! See `herolo::fuzzing::client_address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::client_address(input));
