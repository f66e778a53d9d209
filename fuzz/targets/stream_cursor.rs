//! See `herolo::fuzzing::stream_cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::stream_cursor(input));
