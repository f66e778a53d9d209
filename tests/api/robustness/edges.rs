//! Extreme numbers, times, texts and headers, in every place of every route: none of them makes the service fail.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::raw::{Received, ask_all, ask_or_listen_all};
use crate::support::{SIGNING_KEY, Service, User};

/// Numbers, also as texts: around what 8 to 128 bits hold, and what a page or an id may be.
const NUMBERS: [&str; 33] = [
    "0",
    "1",
    "-1",
    "-0",
    "00",
    "+1",
    "01",
    "100",
    "101",
    "255",
    "256",
    "1000000",
    "1000001",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1.0",
    "0.1",
    "1e3",
    "1e308",
    "1e309",
    "-1e309",
    "123e-7000",
];

/// Texts that could cause errors in the database or before it.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\0",
    "a\0b",
    "\u{1}\u{7f}\u{85}",
    "\r\n",
    "\t",
    "\u{feff}alice",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{1F511}",
    "e\u{301}",
    "\u{301}",
    "\u{202e}ecila",
    "\u{200d}\u{200d}",
    "\u{fdfa}",
    "\u{1d160}",
    "\u{fb1d}",
    "ß",
    "ﬁ",
    "İ",
    "ı",
    "ΐ",
    "%",
    "%%_\\",
    "\\",
    "'",
    "\"",
    "`",
    "';--",
    "*/",
    "$1",
    "?",
    "{0}",
    "${jndi:x}",
    "null",
    "NaN",
    "Infinity",
    "true",
    "\"true\"",
    "true\"",
    "<a>",
    "&amp;",
    "~1",
    "#/a",
    "../..",
    ".",
    "..",
    "//",
    "a/b",
    "@",
    "a@b",
    "a@@b",
    "\"@\"@b.example",
    "\"\\\"@b.example",
    "a@xn--a.example",
    "a@xn--99zzzz-.example",
    "a@[127.0.0.1]",
    "a@b.example.",
    "a@\u{3002}",
    "a@b\u{3002}example",
    "a@-",
    "a@\u{200d}",
    "a@\u{e000}.example",
    "\"a\u{0}\"@b.example",
    "a <b@c.example>",
    "x (y)@b.example",
    "2016-12-31T23:59:60Z",
];

/// The same, and long ones.
fn texts() -> Vec<String> {
    let mut texts: Vec<_> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    for length in [
        3, 7, 8, 64, 65, 100, 101, 128, 129, 254, 255, 256, 512, 513, 5_000,
    ] {
        texts.extend(
            ["a", "ä", "\u{301}", "\u{1F511}", "\u{fdfa}", "%", "_", " "]
                .map(|one| one.repeat(length)),
        );
    }
    texts.push(format!("{}@{}.example", "ΐ".repeat(32), "ß".repeat(28)));
    texts.push(format!(
        "a@{}",
        [
            "ä".repeat(28),
            "ö".repeat(28),
            "ü".repeat(28),
            "é".repeat(28)
        ]
        .join(".")
    ));
    texts.extend(NUMBERS.map(str::to_owned));
    texts
}

/// Years of timestamps, valid and invalid.
const YEARS: [&str; 13] = [
    "0000",
    "0001",
    "0999",
    "1969",
    "1970",
    "2038",
    "9999",
    "10000",
    "+262142",
    "+262143",
    "-262143",
    "-0001",
    "99999999999",
];

/// Days of a year.
const DAYS: [&str; 6] = ["-01-01", "-12-31", "-02-29", "-02-30", "-00-00", "-99-99"];

/// Times of a day.
const TIMES: [&str; 7] = [
    "T00:00:00",
    "T23:59:59",
    "T23:59:60",
    "T23:59:61",
    "t24:00:00",
    " 99:99:99",
    "T23:59",
];

/// Fractions of a second.
const FRACTIONS: [&str; 9] = [
    "",
    ".9",
    ".999",
    ".9995",
    ".9999999999",
    ",5",
    ".0000000000000000000001",
    ".99999999999999999999999999999999999999999",
    ".",
];

/// Offsets from UTC.
const OFFSETS: [&str; 13] = [
    "Z",
    "z",
    "+00:00",
    "-00:00",
    "+23:59",
    "-23:59",
    "+24:00",
    "-99:99",
    "+0000",
    " 0000",
    "-00",
    "+9223372036854775808",
    "",
];

/// Timestamps: each part at its limits and beyond, combined with limits of the others.
fn moments() -> Vec<String> {
    let mut moments = Vec::new();
    let mut turn = 0;
    for (year, day) in YEARS.iter().flat_map(|year| DAYS.map(|day| (year, day))) {
        for time in TIMES {
            let (fraction, offset) = (
                FRACTIONS[turn % FRACTIONS.len()],
                OFFSETS[turn % OFFSETS.len()],
            );
            moments.push(format!("{year}{day}{time}{fraction}{offset}"));
            turn += 1;
        }
    }
    for day in ["1969-12-31", "1970-01-01", "2016-12-31", "9999-12-31"] {
        for time in ["T23:59:59", "T23:59:60", "T00:00:00"] {
            for fraction in FRACTIONS {
                moments.extend(OFFSETS.map(|offset| format!("{day}{time}{fraction}{offset}")));
            }
        }
    }
    moments
}

/// JSON that is not a string, or a string that Rust cannot represent.
const RAW_VALUES: &[&str] = &[
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\udd11""#,
    r#""a\u0000b""#,
    r#""\ufeff""#,
    r#""\uffff""#,
    "null",
    "true",
    "[]",
    "{}",
    r#"["alice","alice"]"#,
    r#"["\u0000"]"#,
    "[null]",
    r#"{"":{"":0}}"#,
    r#"{"a":1,"a":2}"#,
    "\u{feff}1",
    "1,",
];

/// The same, and long and deep ones.
fn raw_values() -> Vec<String> {
    let mut values: Vec<_> = RAW_VALUES.iter().map(|value| (*value).to_owned()).collect();
    values.extend(NUMBERS.map(str::to_owned));
    values.extend([126, 127, 128, 129, 20_000].map(|depth| "[".repeat(depth) + &"]".repeat(depth)));
    values.extend([127, 20_000].map(|depth| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)));
    values.extend([101, 20_000].map(|many| json!(vec!["alice"; many]).to_string()));
    values.extend([65_535, 65_536].map(|bytes| json!("x".repeat(bytes)).to_string()));
    values.push(format!("\"{}\"", "\\u0000".repeat(65_535)));
    values.push("9".repeat(10_000));
    values.push(format!("1e{}", "9".repeat(1_000)));
    values
}

/// Values of headers, as bytes.
fn header_values() -> Vec<Vec<u8>> {
    let mut values: Vec<_> = texts()
        .into_iter()
        .map(|text| text.replace(['\0', '\r', '\n'], "").into_bytes())
        .collect();
    values.extend(
        [
            &b"\xff"[..],
            b"\xc3\x28",
            b"W/\"a\", \"b",
            b"*",
            b"**",
            b"gzip",
            b"identity",
            b"gzip, identity",
            b",",
            b"br;q=9",
        ]
        .map(<[u8]>::to_vec),
    );
    values.extend(
        [
            "9223372036854775807-9223372036854775806",
            "1-1",
            "5-9223372036854775807",
            "0-0",
            "18446744073709551615",
            "9-8.8",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    values.push((1..2_000_u32).fold(b"5000-1".to_vec(), |text, id| {
        [text, format!(".{}", id + 1).into_bytes()].concat()
    }));
    values
}

/// All bytes, percent-encoded.
fn encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}%{byte:02x}"))
}

/// A route with a valid body; without passwords, each of which would cost a hash.
fn bodies() -> Vec<(&'static str, Value)> {
    let sent = json!({"subject": "s", "message": "m"});
    let with = |name: &str, value: Value| {
        let mut body = sent.clone();
        body[name] = value;
        body
    };
    vec![
        (
            "POST /users",
            json!({"username": "edge", "email": "edge@example.com", "password": "correct horse"}),
        ),
        (
            "POST /users/alice/token",
            json!({"password": "a wrong one"}),
        ),
        (
            "POST /users/alice/messages",
            with("receiver", json!("alice")),
        ),
        (
            "POST /users/alice/messages",
            with("receivers", json!(["alice"])),
        ),
        ("PATCH /users/alice/messages/1", json!({"read": true})),
        (
            "PUT /users/alice/password",
            json!({"password": 1, "new_password": "correct horse"}),
        ),
        (
            "PUT /users/alice/email",
            json!({"password": 1, "email": "edge@example.org"}),
        ),
        ("POST /users/alice/deletion", json!({"password": 1})),
    ]
}

struct Requests<'a> {
    user: &'a User,
    all: Vec<Vec<u8>>,
}

impl<'a> Requests<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            user,
            all: Vec::new(),
        }
    }

    fn add(&mut self, line: &str, headers: &[u8], body: &[u8]) {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.all
            .push([head.as_bytes(), headers, b"\r\n", body].concat());
    }

    fn authorized(&mut self, line: &str, headers: &[u8], body: &[u8]) {
        let token = format!("Authorization: Bearer {}\r\n", self.user.token);
        self.add(line, &[token.as_bytes(), headers].concat(), body);
    }

    /// Asserts that the service responds to all of them without a server error. Returns the links in the responses.
    async fn are_answered(self, service: &Service) -> BTreeSet<String> {
        checked(ask_all(&service.url, self.all).await)
    }

    /// The same for requests of which some open a stream.
    async fn are_answered_or_streamed(self, service: &Service) {
        checked(ask_or_listen_all(&service.url, self.all).await);
    }
}

fn checked(exchanges: Vec<(String, Received)>) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    for (request, received) in exchanges {
        assert!(received.status().is_some(), "not answered: {request}");
        assert_eq!(received.fault(), None, "{request}\n{received:?}");
        let link = received
            .header("link")
            .filter(|_| received.status() == Some(200));
        links.extend(
            link.and_then(|link| link.split(['<', '>']).nth(1))
                .map(str::to_owned),
        );
    }
    links
}

async fn service_with_alice() -> (Service, User) {
    let service =
        Service::start_with(|config| "X-Real-Ip".clone_into(&mut config.client_address_header))
            .await;
    let alice = service.user("alice").await;
    assert_eq!(alice.send(&alice, "one that is there").await, 1);
    (service, alice)
}

/// Queries of lists.
fn queries() -> Vec<String> {
    let mut queries: Vec<_> = moments()
        .iter()
        .map(|moment| format!("since={}", encoded(moment.as_bytes())))
        .collect();
    // As sent by a client that does not escape.
    queries.extend(UNESCAPED.map(|moment| format!("since={moment}")));
    for text in texts() {
        let text = encoded(text.as_bytes());
        queries.extend(PARAMETERS.map(|name| format!("{name}={text}")));
        queries.push(format!("{text}=1"));
    }
    for one in NUMBERS.map(|number| encoded(number.as_bytes())) {
        queries.extend(
            NUMBERS.map(|other| format!("per_page={one}&page={}", encoded(other.as_bytes()))),
        );
    }
    for bytes in NOT_UTF8 {
        queries.extend(PARAMETERS.map(|name| format!("{name}={}", encoded(bytes))));
    }
    queries
}

/// The query parameters, and an unknown one.
const PARAMETERS: [&str; 9] = [
    "box", "unread", "from", "since", "q", "per_page", "page", "before", "nothing",
];
/// Timestamps with a plus that is decoded to a space.
const UNESCAPED: [&str; 3] = [
    "2016-12-31T23:59:59+00:00",
    "2016-12-31T23:59:60+0000",
    "9999-12-31T23:59:59.9999-23:59",
];
/// Bytes that are not UTF-8.
const NOT_UTF8: [&[u8]; 5] = [
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
];

#[tokio::test]
async fn no_value_of_a_query_makes_the_service_fail() {
    let (service, alice) = service_with_alice().await;
    let mut requests = Requests::of(&alice);
    for query in queries() {
        requests.authorized(&format!("GET /users/alice/messages?{query}"), b"", b"");
    }
    let links = requests.are_answered(&service).await;

    // Accepted values are part of links, and must be accepted again.
    assert!(links.len() > 100, "{}", links.len());
    let mut requests = Requests::of(&alice);
    for link in &links {
        requests.authorized(&format!("GET {link}"), b"", b"");
    }
    assert_eq!(requests.are_answered(&service).await, links);
}

/// A JSON object with this text as the value of a field.
fn with_field(fields: &serde_json::Map<String, Value>, name: &str, value: &str) -> String {
    let others = fields.iter().filter(|(other, _)| *other != name);
    let others = others.map(|(other, value)| format!("\"{other}\":{value},"));
    format!("{{{}\"{name}\":{value}}}", others.collect::<String>())
}

#[tokio::test]
async fn no_value_in_a_body_makes_the_service_fail() {
    let (service, alice) = service_with_alice().await;
    let mut requests = Requests::of(&alice);
    let values: Vec<_> = texts()
        .iter()
        .map(|text| json!(text).to_string())
        .chain(raw_values())
        .collect();
    for (line, body) in bodies() {
        let fields = body.as_object().expect("an object");
        let is_hash = |name: &&String| {
            *name != "password" || line.ends_with("/token") || line == "POST /users"
        };
        for name in fields.keys().filter(is_hash) {
            for value in &values {
                requests.authorized(line, b"", with_field(fields, name, value).as_bytes());
            }
        }
        for value in &values {
            requests.authorized(line, b"", value.as_bytes());
        }
        for name in texts().iter().map(|text| json!(text)) {
            requests.authorized(line, b"", format!("{{{name}:1,{name}:1}}").as_bytes());
        }
        for body in [
            &b"\xef\xbb\xbf{}"[..],
            b"\xff\xfe{\0}\0",
            b"{\"read\":\"\xff\"}",
            b"{\"read\":\"\xed\xa0\x80\"}",
        ] {
            requests.authorized(line, b"", body);
        }
    }
    requests.are_answered(&service).await;
}

/// Path segments as they are sent.
const SEGMENTS: [&str; 12] = [
    "%ff",
    "%c3%28",
    "%ed%a0%80",
    "%00",
    "%2f",
    "%25",
    "%252f",
    "%",
    "%zz",
    "",
    "+",
    "alice;a=b",
];

#[tokio::test]
async fn no_path_makes_the_service_fail() {
    let (service, alice) = service_with_alice().await;
    let mut requests = Requests::of(&alice);
    let mut segments: Vec<_> = texts()
        .iter()
        .map(|text| encoded(text.as_bytes()))
        .collect();
    segments.extend(SEGMENTS.map(str::to_owned));
    segments.push("a/".repeat(5_000));
    for route in service.routes() {
        let (method, path) = route.split_once(' ').expect("a route");
        for segment in &segments {
            for place in path.match_indices('<').map(|(at, _)| at) {
                let rest = &path[place..];
                let after = rest.find('>').map_or("", |end| &rest[end + 1..]);
                // The other segments are valid, except for operations that revoke the account's tokens.
                let start = path[..place]
                    .replace("<_>", "alice")
                    .replace("<username>", "alice");
                let line = format!("{method} {start}{segment}{}", after.replace("<id>", "1"));
                requests.authorized(&line, b"", b"{}");
            }
            let below = format!("{method} {}/{segment}", path.replace("<_>", "nobody"));
            requests.authorized(&below, b"", b"{}");
        }
    }
    requests.are_answered(&service).await;
    let inbox = alice.get("/messages").await;
    assert_eq!(inbox.status, 200, "she is still there");
}

/// Headers that the service reads.
const HEADERS: [&str; 18] = [
    "Idempotency-Key",
    "If-None-Match",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Accept",
    "Accept-Encoding",
    "X-Request-Id",
    "X-Real-Ip",
    "X-Forwarded-For",
    "Origin",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Range",
    "If-Modified-Since",
    "Cookie",
    "Expect",
    "Forwarded",
];

#[tokio::test]
async fn no_header_makes_the_service_fail() {
    let (service, alice) = service_with_alice().await;
    let mut requests = Requests::of(&alice);
    let send = br#"{"receiver":"alice","subject":"s","message":"m"}"#;
    for value in header_values() {
        for name in HEADERS {
            let header = [name.as_bytes(), b": ", &value, b"\r\n"].concat();
            let asks = |line: &str, body: &[u8], requests: &mut Requests<'_>| match name {
                "Authorization" => requests.add(line, &header, body),
                _ => requests.authorized(line, &header, body),
            };
            asks("GET /users/alice/messages", b"", &mut requests);
            asks("POST /users/alice/messages", send, &mut requests);
            asks("OPTIONS /users/alice/messages", b"", &mut requests);
        }
        let header = [b"X-Real-Ip: ", &value[..], b"\r\n"].concat();
        requests.add(
            "POST /users/alice/token",
            &header,
            br#"{"password":"a wrong one"}"#,
        );
        let header = [b"Authorization: Bearer ", &value[..], b"\r\n"].concat();
        requests.add("GET /users/alice/messages", &header, b"");
    }
    requests.are_answered(&service).await;
}

#[tokio::test]
async fn no_position_makes_a_stream_fail() {
    let (service, alice) = service_with_alice().await;
    let mut requests = Requests::of(&alice);
    for value in header_values() {
        let header = [b"Last-Event-ID: ", &value[..], b"\r\n"].concat();
        requests.authorized("GET /users/alice/events", &header, b"");
    }
    requests.are_answered_or_streamed(&service).await;
}

/// Values of claims.
fn claims() -> Vec<Value> {
    let numbers = NUMBERS.iter().map(|number| json!(number));
    let others = json!([
        u64::MAX,
        i64::MIN,
        f64::MAX,
        1e19,
        -1,
        0.5,
        u32::MAX,
        1_u64 << 32,
        null,
        [],
        ["herolo-api"],
        {},
        true,
        "",
    ]);
    numbers
        .chain(others.as_array().cloned().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn no_claim_of_a_token_makes_the_service_fail() {
    let (service, alice) = service_with_alice().await;
    let right = json!({
        "iss": "herolo", "aud": "herolo-api", "sub": "1", "iat": 0, "exp": 9_999_999_999_u64, "epoch": 0,
    });
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("test".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let key = EncodingKey::from_secret(&SIGNING_KEY);
    let token = |claims: &Value| encode(&header, claims, &key).expect("signed");
    let values = claims();
    let mut requests = Requests::of(&alice);
    for name in ["iss", "aud", "sub", "iat", "exp", "epoch", "nbf", "jti"] {
        for value in &values {
            let mut claims = right.clone();
            claims[name] = value.clone();
            let header = format!("Authorization: Bearer {}\r\n", token(&claims));
            for path in ["/users/alice", "/users/alice/events"] {
                requests.add(&format!("GET {path}"), header.as_bytes(), b"");
            }
        }
    }
    let as_signed = format!("Authorization: Bearer {}\r\n", token(&right));
    let line = "GET /users/alice HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\n";
    let right = vec![format!("{line}{as_signed}\r\n").into_bytes()];
    let accepted = ask_all(&service.url, right).await;
    // So the others are rejected for their edge values alone.
    assert_eq!(accepted[0].1.status(), Some(200));
    requests.are_answered_or_streamed(&service).await;
}
