//! What is equal in a search: texts and words are compared in a form in which neither case, accents nor the ways of
//! encoding the same character are left.
//!
//! The form follows the first level of the Unicode Collation Algorithm (UTS #10), as far as characters can be taken one
//! by one. Equal texts in any normalization form (UAX #15) have the same.

use std::borrow::Cow;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::model::message::Words;

const NFC: ComposingNormalizerBorrowed = ComposingNormalizerBorrowed::new_nfc();
const NFKD: DecomposingNormalizerBorrowed = DecomposingNormalizerBorrowed::new_nfkd();
const CLASSES: CanonicalCombiningClassMapBorrowed = CanonicalCombiningClassMapBorrowed::new();

/// A word as it is looked for.
pub(super) enum Needle {
    Folded(String),
    /// Nothing of the word is left in a form without accents, so it is looked for as it is.
    Literal(String),
}

/// The words that all have to be in a message.
pub(super) struct Needles(Vec<Needle>);

impl Needles {
    pub(super) fn of(words: &Words) -> Self {
        let needle = |word: &str| {
            let folded = fold(word);
            if folded.is_empty() {
                Needle::Literal(word.to_owned())
            } else {
                Needle::Folded(folded)
            }
        };
        Self(words.iter().map(needle).collect())
    }

    /// Whether each is in one of the texts at least. Takes time that grows with the texts' length and nothing else.
    pub(super) fn are_in(&self, texts: &mut [Folding<'_>]) -> bool {
        self.0
            .iter()
            .all(|needle| texts.iter_mut().any(|text| text.has(needle)))
    }
}

/// A text, and its folded form.
pub(super) struct Folding<'a> {
    text: &'a str,
    folded: String,
}

impl<'a> Folding<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            folded: fold(text),
        }
    }

    /// Bytes that a comparison may have to look through.
    pub(super) fn size(&self) -> usize {
        self.text.len().max(self.folded.len())
    }

    fn has(&self, needle: &Needle) -> bool {
        match needle {
            Needle::Folded(word) => self.folded.contains(word.as_str()),
            Needle::Literal(word) => self.text.contains(word.as_str()),
        }
    }
}

/// The folded form of a text: its characters taken apart, without accents and what is invisible, in lower case; and then
/// composed again, which syllables of Hangul have to be.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    let mut last = None;
    for character in NFKD.normalize(text).chars() {
        if character.is_ascii() {
            folded.push(character.to_ascii_lowercase());
        } else if is_shown(character, last) {
            fold_letter(character, &mut folded);
        }
        last = Some(character);
    }
    match NFC.normalize(&folded) {
        Cow::Borrowed(_) => folded,
        Cow::Owned(composed) => composed,
    }
}

/// Whether a character counts after this one. An accent alone, which is a blank with an accent when it is taken apart, is no
/// blank.
fn is_shown(character: char, after: Option<char>) -> bool {
    !is_invisible(character) && (after == Some(' ') || !is_accent(character))
}

fn fold_letter(character: char, folded: &mut String) {
    for letter in character.to_lowercase() {
        match other_letters(letter) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(digit(letter).unwrap_or_else(|| hiragana(letter))),
        }
    }
}

/// What is equal to letters that have no decomposition and yet differ from others at the second level only, or that are
/// two letters.
fn other_letters(letter: char) -> Option<&'static str> {
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

/// The digit from 0 to 9 that a digit of another script is.
fn digit(character: char) -> Option<char> {
    let nought = match character {
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
    char::from_digit(u32::from(character) - u32::from(nought), 10)
}

/// Whether a combining mark distinguishes at the second level only: accents, points, tones and voicing marks, by their
/// class. The vowels and viramas of other classes are letters.
fn is_accent(character: char) -> bool {
    matches!(
        CLASSES.get_u8(character),
        1 | 7 | 8 | 10..=36 | 107 | 122 | 202..=240
    )
}

/// Whether a character only says how others are shown (`Default_Ignorable_Code_Point`; the tatweel).
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
    fn what_is_equal() {
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
            ("❤\u{fe0f} a\u{200b}b\u{ad}c \u{200f}d", "❤ abc d"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} and {other}");
        }
    }

    #[test]
    fn what_is_not_equal() {
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
                DecomposingNormalizerBorrowed::new_nfd().normalize(&character.to_string()),
                NFC.normalize(&character.to_string()),
            ] {
                assert_eq!(fold(&other), form, "{character:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_word_without_letters_is_looked_for_as_it_is() {
        let needles = |text: &str| Needles::of(&Words::parse(text).expect("words"));
        let is_in = |words: &str, text: &str| {
            needles(words).are_in(&mut [Folding::of(text), Folding::of("")])
        };
        assert!(is_in("\u{301}", "e\u{301}"));
        assert!(!is_in("\u{301}", "e"));
        assert!(is_in("e \u{200b}", "zero\u{200b}width"));
        assert!(is_in("... !", "Well... yes!"));
        assert!(!is_in("´", "a b"));
    }
}
