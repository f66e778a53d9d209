//! See `herolo::fuzzing::if_none_match`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::if_none_match(input));
