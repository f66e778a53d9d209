//! See `herolo::fuzzing::page_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::page_query(input));
