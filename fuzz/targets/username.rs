//! See `herolo::fuzzing::username`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::username(input));
