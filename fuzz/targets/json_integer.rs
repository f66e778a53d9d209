//! See `herolo::fuzzing::json_integer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::json_integer(input));
