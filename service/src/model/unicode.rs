//! Texts that look the same and are other characters, as one.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;

/// The text with its letters composed (Unicode's normalization form C): what keyboards that compose and keyboards that
/// do not make of one text.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfc().normalize(text)
}

/// The same for texts that differ in case alone: Unicode's simple case folding, which makes one character of each, so
/// `ß` and `ss` stay two.
pub(crate) fn folded(text: &str) -> String {
    let mapper = CaseMapper::new();
    let folded: String = composed(text)
        .chars()
        .map(|letter| mapper.simple_fold(letter))
        .collect();
    composed(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_composition_are_one() {
        assert_eq!(composed("u\u{308}"), "\u{fc}");
        assert_eq!(composed("\u{212B}"), "\u{C5}");
        assert_eq!(folded("U\u{308}"), folded("\u{fc}"));
    }

    #[test]
    fn texts_that_differ_in_case_are_one_and_no_others_are() {
        for (one, other) in [
            ("ΑΣ", "ας"),
            ("ασ", "ας"),
            ("ſ", "S"),
            ("ẞ", "ß"),
            ("\u{212A}", "k"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [("ß", "ss"), ("ı", "i"), ("ﬁ", "fi"), ("a", "á"), ("a", "а")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }
}
