//! See `herolo::fuzzing::search`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::search(input));
