//! See `herolo::fuzzing::email`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::email(input));
