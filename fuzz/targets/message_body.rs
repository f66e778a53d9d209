//! See `herolo::fuzzing::message_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herolo::fuzzing::message_body(input));
