//! See `herolo::fuzzing::marks_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::marks_body(input));
