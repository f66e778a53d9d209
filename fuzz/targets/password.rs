//! See `herolo::fuzzing::password`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::password(input));
