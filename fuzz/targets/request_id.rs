//! See `herolo::fuzzing::request_id`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::request_id(input));
