//! Requests that hide a second one: if two servers in a row disagree about the end of the first one, the second
//! would run in the name of another user (RFC 9112 section 11.2).

use crate::support::raw::{exchange, exchange_all};
use crate::support::{Service, User};

/// The framing headers of the first request, and whether the hidden one is in a chunk of it. RFC 9112 allows
/// only one interpretation of each of them, or a rejection.
const FRAMINGS: &[(&str, bool)] = &[
    ("Content-Length: 0\r\nContent-Length: {hidden}", false),
    ("Content-Length: {hidden}\r\nContent-Length: 0", false),
    ("Content-Length: 0, {hidden}", false),
    ("Content-Length: {hidden}, 0", false),
    ("Content-Length: +{hidden}", false),
    ("Content-Length: 0{hidden}", false),
    ("Content-Length: -0", false),
    ("Content-Length: 0x0", false),
    ("Content-Length : 0", false),
    ("Content-Length\t: 0", false),
    (" Content-Length: 0\r\nContent-Length: {hidden}", false),
    ("Content-Length: {hidden}", false),
    (
        "Content-Length: {hidden}\r\nX-Folded: a\r\n Content-Length: 0",
        false,
    ),
    ("Content-Length: 0\r\nTransfer-Encoding: chunked", true),
    ("Transfer-Encoding: chunked\r\nContent-Length: 0", true),
    ("Transfer-Encoding: chunked", true),
    ("Transfer-Encoding: CHUNKED", true),
    ("Transfer-Encoding: gzip, chunked", true),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        true,
    ),
    (
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        true,
    ),
    ("Transfer-Encoding: chunked, identity", true),
    ("Transfer-Encoding: xchunked\r\nContent-Length: 0", true),
    ("Transfer-Encoding: \u{b}chunked\r\nContent-Length: 0", true),
    ("Transfer-Encoding : chunked\r\nContent-Length: 0", true),
    (" Transfer-Encoding: chunked\r\nContent-Length: 0", true),
    ("X: y\nTransfer-Encoding: chunked", true),
    ("Transfer-Encoding:\r\n chunked\r\nContent-Length: 0", true),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: {hidden}",
        true,
    ),
];

fn hidden(user: &User) -> String {
    let body = r#"{"receiver":"alice","subject":"smuggled","message":"m"}"#;
    format!(
        "POST /users/alice/messages HTTP/1.1\r\nHost: herolo\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        user.token,
        body.len()
    )
}

/// A request with each framing, whose body contains the hidden one.
fn carriers<'a>(line: &'a str, hidden: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    FRAMINGS.iter().map(move |(framing, in_a_chunk)| {
        let framing = framing.replace("{hidden}", &hidden.len().to_string());
        let body = if *in_a_chunk {
            format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())
        } else {
            hidden.to_owned()
        };
        format!("{line} HTTP/1.1\r\nHost: herolo\r\n{framing}\r\n\r\n{body}").into_bytes()
    })
}

#[tokio::test]
async fn a_request_in_the_body_of_another_never_runs() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let hidden = hidden(&alice);
    let lines = [
        "GET /livez",
        "POST /users",
        "DELETE /users/alice/messages/1",
    ];
    let requests = lines.iter().flat_map(|line| carriers(line, &hidden));

    let exchanges = exchange_all(&service.url, requests.collect()).await;

    for (request, received) in exchanges {
        assert!(
            !received.statuses().contains(&201),
            "{request}\n{received:?}"
        );
        assert_eq!(received.fault(), None, "{request}\n{received:?}");
    }
    assert_eq!(service.database.count("messages").await, 0);
}

#[tokio::test]
async fn a_connection_with_both_framings_ends_with_its_answer() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let hidden = hidden(&alice);
    let length = hidden.len() + "0\r\n\r\n".len();
    let both = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
    ];
    for framing in both {
        let request =
            format!("POST /users HTTP/1.1\r\nHost: herolo\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}");

        let received = exchange(&service.url, request.as_bytes()).await;

        assert_eq!(received.statuses(), [400], "{received:?}");
        assert_eq!(service.database.count("messages").await, 0, "{received:?}");
    }
}

#[tokio::test]
async fn the_hidden_request_is_one_that_runs_where_it_is_not_hidden() {
    let (service, [alice]) = Service::with_users(["alice"]).await;

    let received = exchange(&service.url, hidden(&alice).as_bytes()).await;

    assert_eq!(received.statuses(), [201], "{received:?}");
    assert_eq!(service.database.count("messages").await, 1);
}
