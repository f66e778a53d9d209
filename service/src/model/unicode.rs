//! Unicode normalization and case folding, so that different encodings of one text compare equal.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};

/// The text in normalization form C, in which composed and decomposed letters are equal.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfc().normalize(text)
}

/// The text in normalization form C without differences in case. Simple case folding maps each character to one
/// character, so `ß` and `ss` stay different.
pub(crate) fn nfc_case_folded(text: &str) -> String {
    case_folded(ComposingNormalizer::new_nfc(), text)
}

/// The same in normalization form KC, in which compatibility variants such as full-width letters are equal as well.
pub(crate) fn nfkc_case_folded(text: &str) -> String {
    case_folded(ComposingNormalizer::new_nfkc(), text)
}

fn case_folded(normalizer: ComposingNormalizerBorrowed<'_>, text: &str) -> String {
    let mapper = CaseMapper::new();
    let folded: String = normalizer
        .normalize(text)
        .chars()
        .map(|letter| mapper.simple_fold(letter))
        .collect();
    normalizer.normalize(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_composition_are_one() {
        assert_eq!(nfc("u\u{308}"), "\u{fc}");
        assert_eq!(nfc("\u{212B}"), "\u{C5}");
        assert_eq!(nfc_case_folded("U\u{308}"), nfc_case_folded("\u{fc}"));
    }

    #[test]
    fn texts_that_differ_in_case_alone_are_one() {
        for (one, other) in [
            ("ΑΣ", "ας"),
            ("ασ", "ας"),
            ("ſ", "S"),
            ("ẞ", "ß"),
            ("\u{212A}", "k"),
        ] {
            assert_eq!(
                nfc_case_folded(one),
                nfc_case_folded(other),
                "{one} {other}"
            );
        }
        for (one, other) in [("ß", "ss"), ("ı", "i"), ("ﬁ", "fi"), ("a", "á"), ("a", "а")] {
            assert_ne!(
                nfc_case_folded(one),
                nfc_case_folded(other),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn compatibility_variants_are_one_in_nfkc_alone() {
        for (one, other) in [("Ｐａｓｓ１", "pass1"), ("ﬁ", "fi"), ("𝓅", "p")] {
            assert_eq!(
                nfkc_case_folded(one),
                nfkc_case_folded(other),
                "{one} {other}"
            );
            assert_ne!(
                nfc_case_folded(one),
                nfc_case_folded(other),
                "{one} {other}"
            );
        }
        assert_ne!(nfkc_case_folded("a"), nfkc_case_folded("á"));
    }
}
