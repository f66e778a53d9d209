//! What is a valid message, and a valid page of them.

use std::fmt;
use std::num::NonZero;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::model::invalid::Invalid;
use crate::model::user::Username;

/// Characters (Unicode scalar values) of a subject.
const SUBJECT_LENGTH: RangeInclusive<usize> = 1..=255;
/// Bytes of a message in UTF-8.
const TEXT_LENGTH: RangeInclusive<usize> = 1..=65_535;
/// Characters of an `Idempotency-Key`.
const KEY_LENGTH: RangeInclusive<usize> = 1..=255;
/// Messages on a page.
const PER_PAGE: RangeInclusive<u64> = 1..=100;
/// Receivers of one message.
pub(crate) const RECEIVERS: RangeInclusive<usize> = 1..=100;
/// Pages by number. Whoever reads that far follows `next`, which costs the same on every page.
const PAGES: RangeInclusive<u64> = 1..=1_000_000;

/// Bytes of the JSON of a page, at most.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a page beside its messages, at most. The longest is the link to the next one, with what is searched for in it.
const FRAME_BYTES: usize = 4 * 1024;
/// Bytes of a message's JSON beside what it says and its list of receivers, at most.
const ENVELOPE_BYTES: usize = 512;
/// Bytes of one receiver in that list, at most.
const RECEIVER_BYTES: usize = 112;

/// Characters of what is searched for.
const SEARCH_LENGTH: RangeInclusive<usize> = 1..=100;
/// Words of it.
pub(crate) const WORDS: RangeInclusive<usize> = 1..=5;

/// Messages that a page may pass over. Reading from there on takes about as long as a request may.
const FARTHEST_OFFSET: u64 = 1_000_000;

/// What a message is called in its path. Ids grow with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct MessageId(NonZero<u64>);

impl MessageId {
    /// An id in the one way in which this service writes it; `None` for anything else, which names nothing. Ids stay
    /// within what signed 64-bit numbers hold, as the clients' numbers do.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id: i64 = text.parse().ok()?;
        let id = Self::stored(u64::try_from(id).ok()?)?;
        (id.to_string() == text).then_some(id)
    }

    /// An id that the database gave; `None` for 0, which it never gives.
    pub(crate) fn stored(id: u64) -> Option<Self> {
        NonZero::new(id).map(Self)
    }

    pub(crate) fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a message is about: 1 to 255 characters, kept as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Subject(String);

impl Subject {
    /// # Errors
    /// What is wrong with the subject, going on from "subject".
    pub(crate) fn parse(subject: String) -> Result<Self, Invalid> {
        if !SUBJECT_LENGTH.contains(&subject.chars().count()) {
            return Err("must be 1 to 255 characters long".into());
        }
        Ok(Self(subject))
    }

    pub(crate) fn stored(subject: String) -> Self {
        Self(subject)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a message says: 1 to 65,535 bytes of UTF-8, kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Text(String);

impl Text {
    /// # Errors
    /// What is wrong with the text, going on from "message".
    pub(crate) fn parse(text: String) -> Result<Self, Invalid> {
        if !TEXT_LENGTH.contains(&text.len()) {
            return Err("must be 1 to 65535 bytes long (in UTF-8)".into());
        }
        Ok(Self(text))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receivers {
    One(Username),
    /// In the order of the alphabet, each once.
    Several(Vec<Username>),
}

impl Receivers {
    /// All who are named, each once.
    pub(crate) fn several(mut names: Vec<Username>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self::Several(names)
    }

    pub(crate) fn names(&self) -> &[Username] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// What a message gets when it is sent.
#[derive(Clone, Copy)]
pub(crate) struct Postmark {
    pub(crate) id: MessageId,
    pub(crate) created_at: DateTime<Utc>,
}

/// A message to be sent.
pub(crate) struct NewMessage {
    pub(crate) receivers: Receivers,
    pub(crate) subject: Subject,
    pub(crate) message: Text,
}

impl NewMessage {
    /// The message as its sender has it when it was just sent.
    pub(crate) fn sent(&self, postmark: Postmark, sender: Username) -> Message {
        let unread = |username: &Username| Receiver {
            username: username.clone(),
            read: false,
        };
        let receivers = self.receivers.names().iter().map(unread).collect();
        Message::of_sender(
            Content {
                id: postmark.id,
                sender,
                subject: self.subject.clone(),
                message: self.message.clone(),
                created_at: postmark.created_at,
            },
            receivers,
        )
    }
}

impl NewMessage {
    /// The same for two requests that ask for the same.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let names = self.receivers.names().iter().map(Username::as_str);
        let texts = [self.subject.as_str(), self.message.as_str()];
        let mut hash = Sha256::new();
        for part in names.chain(texts) {
            // The length in front, so that what stands in one part is not taken for the next.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// What a client calls one send, so that a repetition of it is known as one: 1 to 255 visible ASCII characters, taken as
/// they are.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// # Errors
    /// What is wrong with the key, going on from "Idempotency-Key".
    pub(crate) fn parse(key: &str) -> Result<Self, Invalid> {
        let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if !KEY_LENGTH.contains(&key.len()) || !is_visible {
            return Err("must be 1 to 255 visible ASCII characters".into());
        }
        Ok(Self(key.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is the same in a message for everybody who has it.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) id: MessageId,
    pub(crate) sender: Username,
    pub(crate) subject: Subject,
    pub(crate) message: Text,
    pub(crate) created_at: DateTime<Utc>,
}

impl Content {
    /// What it takes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.subject.as_str().len() + self.message.as_str().len()
    }
}

/// Somebody who received a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
pub(crate) struct Receiver {
    /// Somebody who deleted their account has a name that no account can have: `~` and a number.
    #[schema(value_type = String, example = "bob")]
    pub(crate) username: Username,
    /// Whether they marked it as read.
    #[schema(example = false)]
    pub(crate) read: bool,
}

impl Message {
    /// What it takes in memory, as its receiver sees it.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.subject.as_str().len() + self.message.as_str().len()
    }
}

/// A message as its sender or one of its receivers sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Message {
    #[schema(value_type = u64, minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 42)]
    pub(crate) id: MessageId,
    #[schema(value_type = String, example = "alice")]
    pub(crate) sender: Username,
    /// You, if you received it; otherwise the one it was sent to, or the first of several.
    #[schema(value_type = String, example = "bob")]
    pub(crate) receiver: Username,
    /// All receivers, for the sender alone: in the sent box, and elsewhere where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    pub(crate) receivers: Option<Vec<Receiver>>,
    #[schema(value_type = String, min_length = 1, max_length = 255, example = "Lunch")]
    pub(crate) subject: Subject,
    #[schema(value_type = String, min_length = 1, max_length = 65535, example = "At noon?")]
    pub(crate) message: Text,
    /// RFC 3339, UTC, milliseconds.
    #[serde(serialize_with = "crate::model::moment::rfc3339")]
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T12:00:00.000Z")]
    pub(crate) created_at: DateTime<Utc>,
    /// Whether you marked it as read, if you received it; otherwise whether all its receivers did.
    #[schema(example = false)]
    pub(crate) read: bool,
}

impl Message {
    /// A message as one of its receivers has it.
    pub(crate) fn of_receiver(content: Content, receiver: Username, read: bool) -> Self {
        let Content {
            id,
            sender,
            subject,
            message,
            created_at,
        } = content;
        Self {
            id,
            sender,
            receiver,
            receivers: None,
            subject,
            message,
            created_at,
            read,
        }
    }

    /// A message as its sender has it. There is at least one receiver, as every message is sent to one.
    pub(crate) fn of_sender(content: Content, mut receivers: Vec<Receiver>) -> Self {
        receivers.sort_unstable();
        let first = receivers.first().map(|first| first.username.clone());
        let receiver = first.unwrap_or_else(|| content.sender.clone());
        let read = receivers.iter().all(|receiver| receiver.read);
        let several = (receivers.len() > 1).then_some(receivers);
        Self {
            receivers: several,
            ..Self::of_receiver(content, receiver, read)
        }
    }

    /// With its receivers also where there is only one.
    pub(crate) fn with_receivers(self) -> Self {
        let only = Receiver {
            username: self.receiver.clone(),
            read: self.read,
        };
        Self {
            receivers: self.receivers.or_else(|| Some(vec![only])),
            ..self
        }
    }
}

/// Bytes that a text takes in JSON, without its quotes.
fn json_length(text: &str) -> usize {
    let extra = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(extra).sum::<usize>()
}

/// Bytes of a message's JSON, rounded up.
fn bytes_of(subject: &Subject, message: &Text, receivers: usize) -> usize {
    let texts = json_length(subject.as_str()) + json_length(message.as_str());
    ENVELOPE_BYTES + texts + receivers * RECEIVER_BYTES
}

impl Message {
    /// Bytes of its JSON, rounded up: the same for the same message at any time and any replica, as the names in it
    /// count as the longest.
    pub(crate) fn bytes(&self) -> usize {
        let receivers = self.receivers.as_ref().map_or(0, Vec::len);
        bytes_of(&self.subject, &self.message, receivers)
    }
}

impl NewMessage {
    /// Bytes of the JSON of the message as its sender gets it, rounded up.
    pub(crate) fn bytes(&self) -> usize {
        bytes_of(&self.subject, &self.message, self.receivers.names().len())
    }
}

/// What a message is without whom it is shown to.
impl From<Message> for Content {
    fn from(message: Message) -> Self {
        let Message {
            id,
            sender,
            subject,
            message,
            created_at,
            ..
        } = message;
        Self {
            id,
            sender,
            subject,
            message,
            created_at,
        }
    }
}

/// Which of a user's messages to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mailbox {
    /// Those that the user received and has not deleted.
    Inbox,
    /// Those that the user sent and has not deleted.
    Sent,
}

/// Words that must all occur in a message, each in the subject or in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// What stands between white space is a word, whatever its characters are elsewhere.
    ///
    /// # Errors
    /// What is wrong with the words, going on from "q".
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        if SEARCH_LENGTH.contains(&text.chars().count()) && WORDS.contains(&words.len()) {
            return Ok(Self(words));
        }
        Err("must be 1 to 5 words of 1 to 100 characters in all".into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

/// What no key is in the order of: messages are looked through for it, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only messages that this user sent.
    pub(crate) from: Option<Username>,
    /// Only messages created at or after this moment.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only messages with these words.
    pub(crate) words: Option<Words>,
}

impl Filter {
    pub(crate) const NONE: Self = Self {
        from: None,
        since: None,
        words: None,
    };
}

/// Which messages of a mailbox to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) mailbox: Mailbox,
    /// Only unread ones, only read ones, or all.
    pub(crate) unread: Option<bool>,
    pub(crate) filter: Filter,
    pub(crate) per_page: u64,
    pub(crate) page: u64,
    /// Only messages older than this one. Then `page` merely counts; otherwise it says how many to pass over.
    pub(crate) before: Option<MessageId>,
}

impl Page {
    /// Messages on the longest page.
    pub(crate) const MOST: u64 = *PER_PAGE.end();

    pub(crate) const DEFAULT: Self = Self {
        mailbox: Mailbox::Inbox,
        unread: None,
        filter: Filter::NONE,
        per_page: 20,
        page: 1,
        before: None,
    };

    /// Bytes of the messages of a page, at most.
    pub(crate) const CONTENT_BYTES: usize = PAGE_BYTES - FRAME_BYTES;

    /// Bytes that have room for any one message.
    pub(crate) const LEAST_BYTES: usize = 512 * 1024;

    /// Bytes of the receivers of as many messages, at most.
    pub(crate) fn receivers_bytes(&self) -> usize {
        let messages = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        messages.saturating_mul(RECEIVERS.end() * RECEIVER_BYTES)
    }

    /// Messages to pass over.
    pub(crate) fn offset(&self) -> u64 {
        if self.before.is_some() {
            0
        } else {
            (self.page - 1) * self.per_page
        }
    }

    /// # Errors
    /// What is wrong with asking for this page by its number, going on from "page".
    pub(crate) fn check_offset(&self) -> Result<(), Invalid> {
        if self.offset() <= FARTHEST_OFFSET {
            return Ok(());
        }
        let last = FARTHEST_OFFSET / self.per_page + 1;
        Err(format!(
            "must be a whole number from 1 to {last} with this per_page; follow `next` to read on"
        )
        .into())
    }

    /// The page that goes on with what is older than `last`.
    pub(crate) fn following(&self, last: MessageId) -> Self {
        Self {
            page: (self.page + 1).min(*PAGES.end()),
            before: Some(last),
            ..self.clone()
        }
    }
}

/// The value of `box`.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox, Invalid> {
    match text {
        "inbox" => Ok(Mailbox::Inbox),
        "sent" => Ok(Mailbox::Sent),
        _ => Err("must be inbox or sent".into()),
    }
}

/// The value of `per_page`.
pub(crate) fn per_page(text: &str) -> Result<u64, Invalid> {
    number_within(text, &PER_PAGE)
}

/// The value of `page`.
pub(crate) fn page_number(text: &str) -> Result<u64, Invalid> {
    number_within(text, &PAGES)
}

fn number_within(text: &str, range: &RangeInclusive<u64>) -> Result<u64, Invalid> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_digits && range.contains(&number) => Ok(number),
        _ => Err(format!(
            "must be a whole number from {} to {}",
            range.start(),
            range.end()
        )
        .into()),
    }
}

/// The value of `before`.
pub(crate) fn cursor(text: &str) -> Result<MessageId, Invalid> {
    MessageId::parse(text).ok_or_else(|| "must be the id of a message".into())
}

/// `true` or `false`, also in double quotes as published examples write it.
pub(crate) fn truth(text: &str) -> Result<bool, Invalid> {
    let bare = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    bare.parse().map_err(|_| "must be true or false".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(MessageId::parse("7").map(MessageId::get), Some(7));
        assert_eq!(
            MessageId::parse("9223372036854775807").map(MessageId::get),
            Some(u64::MAX / 2)
        );
        for text in [
            "",
            "0",
            "07",
            "+7",
            "-7",
            " 7",
            "7 ",
            "7.0",
            "0x7",
            "٧",
            "9223372036854775808",
        ] {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_subject_counts_characters_and_a_text_counts_bytes() {
        assert!(Subject::parse("\u{1F511}".repeat(255)).is_ok());
        assert!(Subject::parse("\u{1F511}".repeat(256)).is_err());
        assert!(Text::parse("x".repeat(65_535)).is_ok());
        assert!(Text::parse("\u{1F511}".repeat(16_384)).is_err());
        assert!(Subject::parse(String::new()).is_err());
        assert!(Text::parse(String::new()).is_err());
    }

    #[test]
    fn receivers_are_named_once_whatever_the_case() {
        let names = ["Carol", "bob", "carol", "BOB"];
        let names = names.map(|name| Username::parse(name.to_owned()).expect("valid"));
        let receivers = Receivers::several(names.to_vec());
        let names: Vec<_> = receivers.names().iter().map(Username::as_str).collect();
        assert_eq!(names, ["bob", "carol"]);
    }

    #[test]
    fn a_fingerprint_tells_apart_what_differs_and_nothing_else() {
        let name = |name: &str| Username::parse(name.to_owned()).expect("valid");
        let fingerprint = |receivers: &[&str], subject: &str, message: &str| {
            let new = NewMessage {
                receivers: Receivers::several(receivers.iter().map(|one| name(one)).collect()),
                subject: Subject::stored(subject.to_owned()),
                message: Text::stored(message.to_owned()),
            };
            new.fingerprint()
        };
        let one = fingerprint(&["bob", "carol"], "ab", "c");
        assert_eq!(one, fingerprint(&["CAROL", "bob"], "ab", "c"));
        for other in [
            fingerprint(&["bob"], "ab", "c"),
            fingerprint(&["bob", "carol"], "a", "bc"),
            fingerprint(&["bobcarol"], "ab", "c"),
            fingerprint(&["bob", "carol"], "ab", "C"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_message_is_read_for_its_sender_when_all_have_read_it() {
        let name = Username::stored;
        let of = |reads: &[bool]| {
            let content = Content {
                id: MessageId::parse("1").expect("an id"),
                sender: name("alice"),
                subject: Subject::stored("s".to_owned()),
                message: Text::stored("m".to_owned()),
                created_at: DateTime::default(),
            };
            let receivers = reads.iter().zip(["carol", "bob"]);
            let receivers = receivers.map(|(&read, username)| Receiver {
                username: name(username),
                read,
            });
            Message::of_sender(content, receivers.collect())
        };
        assert_eq!(of(&[true]).receivers, None);
        assert!(of(&[true]).read);
        let several = of(&[true, false]);
        assert!(!several.read);
        assert_eq!(several.receiver, name("bob"), "the first of the alphabet");
        assert_eq!(several.receivers.map(|all| all.len()), Some(2));
        assert!(of(&[true, true]).read);
    }

    #[test]
    fn a_message_is_never_longer_than_it_counts() {
        use chrono::SubsecRound as _;
        let longest_name = "x".repeat(64);
        let characters: String = (0..=0x7F).map(char::from).collect();
        let long = format!("{characters}\u{1F511}\u{2028}\u{0}");
        let name = Username::stored(&longest_name);
        for text in ["x", &long, &"\u{1}".repeat(65_535)] {
            let content = Content {
                id: MessageId::parse("9223372036854775807").expect("an id"),
                sender: name.clone(),
                subject: Subject::stored(long.clone()),
                message: Text::stored(text.to_owned()),
                created_at: DateTime::<Utc>::MAX_UTC.trunc_subsecs(3),
            };
            let receiver = Receiver {
                username: name.clone(),
                read: false,
            };
            let sent = Message::of_sender(content, vec![receiver; 100]).with_receivers();
            let of_receiver = Message {
                receivers: None,
                ..sent.clone()
            };
            for message in [sent, of_receiver] {
                let json = serde_json::to_string(&message).expect("JSON").len();
                let most = json + ENVELOPE_BYTES + 100 * RECEIVER_BYTES;
                assert!((json..most).contains(&message.bytes()), "{json}");
                assert!(message.bytes() < Page::CONTENT_BYTES);
            }
        }
    }

    #[test]
    fn a_truth_may_stand_in_quotes() {
        assert_eq!(truth("true"), Ok(true));
        assert_eq!(truth("\"false\""), Ok(false));
        for text in [
            "",
            "\"",
            "\"\"",
            "\"true",
            "true\"",
            "\"\"true\"\"",
            "True",
            "1",
        ] {
            assert!(truth(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn words_are_what_stands_between_white_space() {
        let words = |text: &str| Words::parse(text).map(|words| words.to_string());
        assert_eq!(words(" a  +b\t\"c "), Ok("a +b \"c".to_owned()));
        assert_eq!(words("1 2 3 4 5").map(|words| words.len()), Ok(9));
        assert!(words(&"\u{1F511}".repeat(100)).is_ok());
        for text in ["", " ", "1 2 3 4 5 6", &"x".repeat(101)] {
            assert!(words(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_page_number_stays_within_its_range() {
        assert_eq!(page_number("1000000"), Ok(1_000_000));
        assert_eq!(per_page("100"), Ok(100));
        for text in ["0", "101", "-1", "+5", "", "1e1", "٣"] {
            assert!(per_page(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_page_with_a_place_to_begin_passes_over_nothing() {
        let page = Page {
            page: 3,
            ..Page::DEFAULT
        };
        assert_eq!(page.offset(), 40);
        let last = MessageId::parse("9").expect("an id");
        let next = page.following(last);
        assert_eq!((next.page, next.before, next.offset()), (4, Some(last), 0));
    }

    #[test]
    fn the_count_of_pages_ends_before_the_pages_do() {
        let last = MessageId::parse("9").expect("an id");
        let page = Page {
            page: 1_000_000,
            before: Some(last),
            ..Page::DEFAULT
        };
        assert_eq!(page.following(last).page, 1_000_000);
    }
}
