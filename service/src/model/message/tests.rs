use chrono::SubsecRound as _;

use super::*;
use crate::model::page::Page;

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
fn a_message_is_read_for_its_sender_when_all_have_read_it() {
    let name = Username::stored;
    let of = |reads: &[bool]| {
        let content = Content {
            id: MessageId::parse("1").expect("an id"),
            in_reply_to: None,
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
    let longest_name = "x".repeat(64);
    let characters: String = (0..=0x7F).map(char::from).collect();
    let long = format!("{characters}\u{1F511}\u{2028}\u{0}");
    let name = Username::stored(&longest_name);
    for text in ["x", &long, &"\u{1}".repeat(65_535)] {
        let content = Content {
            id: MessageId::parse("9223372036854775807").expect("an id"),
            in_reply_to: MessageId::parse("9223372036854775806"),
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
            assert!((json..most).contains(&message.max_json_bytes()), "{json}");
            assert!(message.max_json_bytes() < Page::CONTENT_BYTES);
        }
    }
}
