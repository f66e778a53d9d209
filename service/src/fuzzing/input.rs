//! Inputs, and the reasons for which they are refused.

use crate::model::invalid::Invalid;

/// More bytes than any reason has.
const MAX_REASON_BYTES: usize = 1_024;

/// The input as text, as all values are UTF-8 before they are parsed; `None` for other inputs.
pub(super) fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// The first line and the rest, which is empty if there is none.
pub(super) fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// The value that was accepted; a refusal must give a reason.
#[track_caller]
pub(super) fn accepted<T>(result: Result<T, Invalid>) -> Option<T> {
    result.map_err(|Invalid(reason)| check_reason(&reason)).ok()
}

/// A reason is there, and short whatever the input.
#[track_caller]
pub(super) fn check_reason(reason: &str) {
    assert!(
        (1..=MAX_REASON_BYTES).contains(&reason.len()),
        "{} bytes of reason: {reason:?}",
        reason.len()
    );
}
