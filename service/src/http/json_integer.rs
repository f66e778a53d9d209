//! Integers in JSON, read from their text: a `f64` holds all digits of a number only up to 2^53.

/// More digits than any 64-bit integer has.
const MAX_DIGITS: usize = 20;

/// The digits of an integer in JSON text, without leading zeros: `42` of `42`, `42.0` and `4.2e1`. As in JSON Schema, a
/// number whose fraction is zero is an integer, because some clients have no other numbers. `None` for another value,
/// and for an integer of more than 20 digits.
pub(crate) fn digits(json: &str) -> Option<String> {
    let (sign, number) = match json.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", json),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let shift = exponent.parse::<isize>().ok()?;
    let all = [whole, fraction].concat();
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // The zeros between the last significant digit and the decimal point, which a fraction has none of.
    let trailing = all.len() - all.trim_end_matches('0').len();
    let zeros = shift
        .checked_add_unsigned(trailing)?
        .checked_sub_unsigned(fraction.len())?;
    let zeros = usize::try_from(zeros).ok()?;
    if significant.len().checked_add(zeros)? > MAX_DIGITS {
        return None;
    }
    Some([sign, significant, &"0".repeat(zeros)].concat())
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn every_notation_of_an_integer_has_its_digits() {
        for (json, expected) in [
            ("42", "42"),
            ("42.0", "42"),
            ("42.000e0", "42"),
            ("4.2e1", "42"),
            ("0.42E+2", "42"),
            ("4200e-2", "42"),
            ("-42.0", "-42"),
            ("0", "0"),
            ("-0.0e9", "0"),
            ("1e3", "1000"),
            ("100", "100"),
            ("9007199254740993.0", "9007199254740993"),
            ("9223372036854775807", "9223372036854775807"),
            ("9.223372036854775807e18", "9223372036854775807"),
            ("99999999999999999999", "99999999999999999999"),
        ] {
            assert_eq!(digits(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn other_values_have_none() {
        for json in [
            "42.5",
            "425e-1",
            "1e-1",
            "0.1",
            "4.2e0",
            "999999999999999999999",
            "1e20",
            "1e999999999999",
            "1e99999999999999999999",
            "\"42\"",
            "[42]",
            "{}",
            "null",
            "true",
            "",
        ] {
            assert_eq!(digits(json), None, "{json}");
        }
    }
}
