//! See `herolo::fuzzing::content_headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::content_headers(input));
