//! See `herolo::fuzzing::code`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::code(input));
