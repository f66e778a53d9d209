//! Folding: texts and search terms are compared in a form that ignores case, accents and Unicode normalization.
//!
//! The form follows the primary level of the Unicode Collation Algorithm (UTS #10), as far as it is defined by single
//! characters. A text has the same folded form in every normalization form (UAX #15).

use std::borrow::Cow;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::model::search::SearchTerms;

const NFC: ComposingNormalizerBorrowed = ComposingNormalizerBorrowed::new_nfc();
const NFD: DecomposingNormalizerBorrowed = DecomposingNormalizerBorrowed::new_nfd();
const NFKD: DecomposingNormalizerBorrowed = DecomposingNormalizerBorrowed::new_nfkd();
const CLASSES: CanonicalCombiningClassMapBorrowed = CanonicalCombiningClassMapBorrowed::new();

/// A search term in the form in which it is compared.
enum Term {
    Folded(String),
    /// The folded form is empty, so the term is compared as it is, decomposed.
    Literal(String),
}

/// The search terms that must all occur in a message.
pub(crate) struct Pattern(Vec<Term>);

impl Pattern {
    pub(crate) fn of(terms: &SearchTerms) -> Self {
        let term = |term: &str| {
            let folded = fold(term);
            if folded.is_empty() {
                Term::Literal(NFD.normalize(term).into_owned())
            } else {
                Term::Folded(folded)
            }
        };
        Self(terms.iter().map(term).collect())
    }

    /// Whether each term occurs in at least one of the texts. The time is linear in the length of the texts.
    pub(super) fn matches(&self, texts: &mut [Folded<'_>]) -> bool {
        self.0
            .iter()
            .all(|term| texts.iter_mut().any(|text| text.contains(term)))
    }
}

/// A text and its folded form.
pub(super) struct Folded<'a> {
    text: &'a str,
    folded: String,
}

impl<'a> Folded<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            folded: fold(text),
        }
    }

    /// The number of bytes that a comparison may have to read.
    pub(super) fn size(&self) -> usize {
        self.text.len().max(self.folded.len())
    }

    fn contains(&self, term: &Term) -> bool {
        match term {
            Term::Folded(term) => self.folded.contains(term.as_str()),
            Term::Literal(term) => NFD.normalize(self.text).contains(term.as_str()),
        }
    }
}

/// The folded form of a text: decomposed, without accents and invisible characters, in lower case; then recomposed, as
/// Hangul syllables have to be.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    let decomposed = NFKD.normalize(text);
    if has_accent_after_space(&decomposed) {
        for character in NFD.normalize(text).chars() {
            fold_spacing(character, &mut folded);
        }
    } else {
        fold_letters(&decomposed, &mut folded);
    }
    match NFC.normalize(&folded) {
        Cow::Borrowed(_) => folded,
        Cow::Owned(composed) => composed,
    }
}

/// Folds a character, which stays as it is if it is a spacing accent: that decomposes into a space and an accent, and
/// must not match a space.
fn fold_spacing(character: char, folded: &mut String) {
    let text = character.to_string();
    let decomposed = NFKD.normalize(&text);
    if has_accent_after_space(&decomposed) {
        folded.push(character);
    } else {
        fold_letters(&decomposed, folded);
    }
}

fn has_accent_after_space(decomposed: &str) -> bool {
    let mut rest = decomposed.split(' ').skip(1);
    rest.any(|text| text.chars().next().is_some_and(is_accent))
}

fn fold_letters(decomposed: &str, folded: &mut String) {
    for character in decomposed.chars() {
        if character.is_ascii() {
            folded.push(character.to_ascii_lowercase());
        } else if !is_invisible(character) && !is_accent(character) {
            fold_letter(character, folded);
        }
    }
}

fn fold_letter(character: char, folded: &mut String) {
    for letter in character.to_lowercase() {
        match equivalent(letter) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(digit(letter).unwrap_or_else(|| hiragana(letter))),
        }
    }
}

/// The equivalent of letters that differ from others at the secondary level only although they have no decomposition,
/// or that stand for two letters.
fn equivalent(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ð' | 'đ' => "d",
        'ø' => "o",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ς' => "σ",
        'ґ' => "г",
        'ך' => "כ",
        'ם' => "מ",
        'ן' => "נ",
        'ף' => "פ",
        'ץ' => "צ",
        _ => return None,
    })
}

fn hiragana(letter: char) -> char {
    const BEFORE_KATAKANA: u32 = 0x60;
    match letter {
        '\u{30a1}'..='\u{30f6}' => {
            char::from_u32(u32::from(letter) - BEFORE_KATAKANA).unwrap_or(letter)
        }
        _ => letter,
    }
}

/// The ASCII digit with the value of a digit of another script.
fn digit(character: char) -> Option<char> {
    let zero = match character {
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        '०'..='९' => '०',
        '০'..='৯' => '০',
        '੦'..='੯' => '੦',
        '૦'..='૯' => '૦',
        '୦'..='୯' => '୦',
        '௦'..='௯' => '௦',
        '౦'..='౯' => '౦',
        '೦'..='೯' => '೦',
        '൦'..='൯' => '൦',
        '๐'..='๙' => '๐',
        '໐'..='໙' => '໐',
        '༠'..='༩' => '༠',
        '၀'..='၉' => '၀',
        '០'..='៩' => '០',
        _ => return None,
    };
    char::from_digit(u32::from(character) - u32::from(zero), 10)
}

/// Whether a combining mark makes a difference at the secondary level only: accents, points, tones and voicing marks,
/// by their class. The vowels and viramas of other classes count as letters.
fn is_accent(character: char) -> bool {
    matches!(
        CLASSES.get_u8(character),
        1 | 7 | 8 | 10..=36 | 107 | 122 | 202..=240
    )
}

/// Whether a character only affects how others are displayed (`Default_Ignorable_Code_Point`; the tatweel).
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{640}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_texts_have_the_same_form() {
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("Ce\u{301}sar", "césar"),
            ("Łódź", "lodz"),
            ("ÆON œuvre Ørsted", "aeon oeuvre orsted"),
            ("İstanbul IĞDIR ığdır", "istanbul igdir igdir"),
            ("ΟΔΟΣ ὁδός", "οδοσ οδοσ"),
            ("ﬁne Ｆｕｌｌ ①²", "fine full 12"),
            ("ПЁТР Ґ", "петр г"),
            ("カタカナ ガ ｶﾞ", "かたかな か か"),
            ("한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"),
            ("שָׁלוֹם", "שלומ"),
            ("مُحَمَّد ٣", "محمد 3"),
            (" \u{301}a", " a"),
            ("x´ \u{301}", "x´ "),
            ("❤\u{fe0f} a\u{200b}b\u{ad}c \u{200f}d", "❤ abc d"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} and {other}");
        }
    }

    #[test]
    fn different_texts_have_different_forms() {
        for (one, other) in [
            ("각", "가"),
            ("ü", "ue"),
            ("å", "aa"),
            ("и", "i"),
            ("ب", "پ"),
            ("कि", "क"),
            ("ดี", "ด"),
            ("´", " "),
            ("¨", ""),
            ("👍", "👎"),
            ("-", "‐"),
        ] {
            assert_ne!(fold(one), fold(other), "{one} and {other}");
        }
    }

    #[test]
    fn every_character_has_one_form_however_it_is_encoded() {
        for character in '\u{1}'..='\u{1ffff}' {
            let form = fold(&character.to_string());
            assert_eq!(fold(&form), form, "{character:?} again");
            for other in [
                NFD.normalize(&character.to_string()),
                NFC.normalize(&character.to_string()),
            ] {
                assert_eq!(fold(&other), form, "{character:?} and {other:?}");
            }
        }
    }

    /// A term begins with an accent, and has marks of classes that are sorted once the tatweel between them is gone.
    #[test]
    fn a_term_that_begins_with_an_accent_is_found_in_itself() {
        let text = "u \u{f83}\u{640}\u{f81}\u{f81}g";
        let terms = SearchTerms::parse(text).expect("terms");
        assert!(Pattern::of(&terms).matches(&mut [Folded::of(text)]));
    }

    #[test]
    fn a_term_that_folds_to_nothing_is_compared_as_it_is() {
        let pattern = |text: &str| Pattern::of(&SearchTerms::parse(text).expect("terms"));
        let is_in = |terms: &str, text: &str| {
            pattern(terms).matches(&mut [Folded::of(text), Folded::of("")])
        };
        assert!(is_in("\u{301}", "e\u{301}"));
        assert!(is_in("\u{301}", "é"), "composed");
        assert!(!is_in("\u{301}", "e"));
        assert!(is_in("e \u{200b}", "zero\u{200b}width"));
        assert!(is_in("... !", "Well... yes!"));
        assert!(!is_in("´", "a b"));
    }
}
