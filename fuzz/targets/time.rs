//! See `herolo::fuzzing::time`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::time(input));
