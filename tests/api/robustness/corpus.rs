//! Malformed requests, from tables, as bytes.

use crate::support::raw::exchange_all;
use crate::support::{Service, User};

/// Replacements of the request line of a request to the inbox.
const REQUEST_LINES: &[&[u8]] = &[
    b"",
    b" ",
    b"GET",
    b"GET ",
    b"GET /livez",
    b"GET  /livez HTTP/1.1",
    b"GET /livez HTTP/1.1 ",
    b"GET\t/livez\tHTTP/1.1",
    b" GET /livez HTTP/1.1",
    b"\0GET /livez HTTP/1.1",
    b"GET /livez\0 HTTP/1.1",
    b"GET /livez HTTP/1.1\0",
    b"GET /livez HTTP/0.9",
    b"GET /livez HTTP/1.2",
    b"GET /livez HTTP/2.0",
    b"GET /livez HTTP/11",
    b"GET /livez HTTP/1.1.1",
    b"GET /livez http/1.1",
    b"GET /livez HTTP/-1.1",
    b"GET /livez HTTPS/1.1",
    b"GET /livez HTTP/ 1.1",
    b"GET /livez HTTP/9999999999",
    b"PRI * HTTP/2.0",
    b"get /livez HTTP/1.1",
    b"G\xcbT /livez HTTP/1.1",
    b"GET/livez HTTP/1.1",
    b"FETCH /livez HTTP/1.1",
    b"M-SEARCH /livez HTTP/1.1",
    b"TRACE /livez HTTP/1.1",
    b"CONNECT herolo:80 HTTP/1.1",
    b"CONNECT /livez HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"OPTIONS /users HTTP/1.1",
    b"PROPFIND /users HTTP/1.1",
    b"PUT /users HTTP/1.1",
    b"PATCH /users HTTP/1.1",
    b"G@T /livez HTTP/1.1",
    b"GET * HTTP/1.1",
    b"GET livez HTTP/1.1",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

/// The placeholder of the path.
const PATHS: &[&[u8]] = &[
    b"//",
    b"///livez",
    b"/livez/",
    b"/livez//",
    b"/./livez",
    b"/../livez",
    b"/%2e%2e/livez",
    b"/users/../livez",
    b"/%00",
    b"/%2f",
    b"/users%2falice",
    b"/users/%00/messages",
    b"/users/%2f/messages",
    b"/users/%ff/messages",
    b"/users/%c3%28/messages",
    b"/users/alice/messages/%00",
    b"/users/alice/messages/%ff",
    b"/users/alice/messages/1%2f2",
    b"/users/alice/messages/%",
    b"/%zz",
    b"/%u0041",
    b"/users/\xff/messages",
    b"/users/\xc3\xa9/messages",
    b"/users/alice\x7f/messages",
    b"/users/alice/messages?unread=\xff",
    b"/users/alice/messages?unread=%ff",
    b"/users/alice/messages?%00=%00",
    b"/users/alice/messages?&&&===",
    b"/users/alice/messages?page=%F0%9F%92%A9",
    b"/users/alice/messages?page=99999999999999999999999999",
    b"/users/alice/messages?page=-1",
    b"/users/alice/messages?page=1&page=2",
    b"/users/alice/messages?page=1e9",
    b"/users/alice/messages?per_page=0x10",
    b"/users/alice/messages?before=18446744073709551615",
    b"/users/alice/messages?before=18446744073709551616",
    b"/users/alice/messages?unread[]=true",
    b"/users/alice/messages?unread.a=true",
    b"/users/alice/messages#fragment",
    b"/users/alice/messages/18446744073709551615",
    b"/users/alice/messages/18446744073709551616",
    b"/users/alice/messages/-1",
    b"/users/alice/messages/+1",
    b"/users/alice/messages/1.0",
    b"/users/alice/messages/\xd9\xa1",
    b"http://herolo/livez",
    b"http://herolo",
    b"http://herolo:99999/livez",
    b"http://a:b@herolo/livez",
    b"https://other/livez",
    b"ftp://herolo/livez",
    b"http://[::1]/livez",
    b"http://[::1/livez",
    b"http:///livez",
    b"http://%00/livez",
    b"javascript:alert(1)",
    b"?",
    b"#",
    b"\\livez",
    b"/<script>",
    b"/{a}",
    b"/`",
    b"/|",
    b"/\"",
];

/// Additional headers of a request.
const HEADERS: &[&[u8]] = &[
    b"Host: a\r\nHost: b", b"Host:", b"Host: \0", b"Host: a b", b"Host : herolo", b" Host: herolo", b"Authorization",
    b"Authorization:", b"Authorization: Bearer", b"Authorization: Bearer ", b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer a.b.c", b"Authorization: Bearer a\r\nAuthorization: Bearer b",
    b"Authorization: Basic YTpi", b"Authorization: bearer\tx", b": value", b"=", b"A: b\r\n c: folded",
    b"A: b\r\n\tfolded", b"A\0: b", b"A: \0", b"A: b\x01\x02", b"A: \x7f", b"A b: c", b"A(b): c", b"\xc3\xa9: c",
    b"A: \xc3\xa9", b"A: b\rC: d", b"A: b\nC: d", b"Accept: \xff", b"Accept: a/b;q=9", b"Accept: ,,,",
    b"Accept-Encoding: \0", b"Content-Type: \xff", b"Content-Type: ;;;", b"Content-Type: /",
    b"Content-Type: application/json; charset=\"", b"Content-Type: multipart/form-data",
    b"Content-Type: a/b\r\nContent-Type: c/d", b"Cookie: \xff=\xff", b"Cookie: a=b; a=c; ;;=", b"X-Request-Id: \xff",
    b"X-Request-Id: a\r\nX-Request-Id: b", b"X-Real-IP: not an address", b"Connection: \xff",
    b"Connection: upgrade\r\nUpgrade: websocket",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    b"Expect: 100-continue", b"Expect: nothing", b"Range: bytes=0-0", b"If-None-Match: *",
    b"X-HTTP-Method-Override: DELETE", b"Trailer: Content-Length", b"TE: trailers",
];

/// The framing headers of a body, and the body.
const FRAMINGS: &[(&[u8], &[u8])] = &[
    (b"Content-Length: -1", b"{}"),
    (b"Content-Length: +2", b"{}"),
    (b"Content-Length: 0x2", b"{}"),
    (b"Content-Length: 2 ", b"{}"),
    (b"Content-Length: 2, 2", b"{}"),
    (b"Content-Length: two", b"{}"),
    (b"Content-Length:", b"{}"),
    (b"Content-Length: 2.0", b"{}"),
    (b"Content-Length: 1e1", b"{}"),
    (b"Content-Length: \xff", b"{}"),
    (b"Content-Length: 18446744073709551615", b"{}"),
    (b"Content-Length: 18446744073709551616", b"{}"),
    (b"Content-Length: 9223372036854775807", b"{}"),
    (b"Content-Length: 2\r\nContent-Length: 2", b"{}"),
    (b"Content-Length: 2\r\nContent-Length: 3", b"{}"),
    (b"Content-Length: 3\r\nContent-Length: 2", b"{}"),
    (b"Content-Length: 100", b"{\"receiver\":"),
    (b"Content-Length: 100", b""),
    (b"Content-Length: 524289", b"{}"),
    (b"Content-Length: 0", b""),
    (b"Content-Length: 1", b"{}"),
    (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
    (b"Transfer-Encoding: chunked", b""),
    (b"Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
    (b"Transfer-Encoding: chunked", b"2\r\n{}"),
    (b"Transfer-Encoding: chunked", b"2\r\n{}0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"z\r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"-1\r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"0x2\r\n{}\r\n0\r\n\r\n"),
    (
        b"Transfer-Encoding: chunked",
        b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ),
    (
        b"Transfer-Encoding: chunked",
        b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ),
    (
        b"Transfer-Encoding: chunked",
        b"2;a=\"\n\"\r\n{}\r\n0\r\n\r\n",
    ),
    (b"Transfer-Encoding: chunked", b"2\n{}\n0\n\n"),
    (b"Transfer-Encoding: chunked", b"2 \r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"\r\n2\r\n{}\r\n0\r\n\r\n"),
    (
        b"Transfer-Encoding: chunked",
        b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
    ),
    (b"Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\0\r\n\r\n"),
    (b"Transfer-Encoding: gzip", b"{}"),
    (b"Transfer-Encoding: gzip, chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked, gzip", b"{}"),
    (b"Transfer-Encoding: identity", b"{}"),
    (b"Transfer-Encoding: xchunked", b"{}"),
    (b"Transfer-Encoding:\x0bchunked", b"{}"),
    (b"Transfer-Encoding: \"chunked\"", b"{}"),
    (b"Transfer-Encoding", b"{}"),
    (b"Transfer-Encoding:", b"{}"),
    (
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
    (b"Transfer-Encoding : chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding:\r\n chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    (
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 14",
        b"_method=delete",
    ),
    (
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9",
        b"_method=\xff",
    ),
    (
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 6",
        b"--x--\r",
    ),
    (b"Content-Length: 5", b"\xff\xfe\xfd\xfc\xfb"),
    (b"Content-Length: 3", b"\xef\xbb\xbf"),
    (b"Content-Length: 2", b"\0\0"),
];

/// Requests that are malformed only because of their size.
fn oversized(token: &str) -> Vec<Vec<u8>> {
    let long = "a".repeat(70_000);
    let huge = "a".repeat(600_000);
    let many = "X-Many: a\r\n".repeat(200);
    let deep = "[".repeat(100_000);
    let list = ",1".repeat(200_000);
    let post = |body: String| {
        let length = body.len();
        format!(
            "POST /users HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let requests = [
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!(
            "GET /users/alice/messages?{long} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        ),
        format!(
            "GET /livez{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "/a".repeat(20_000)
        ),
        format!("{long} /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nHost: {long}\r\nConnection: close\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nA: {huge}\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\n{long}: a\r\nConnection: close\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\n{many}\r\n"),
        format!(
            "GET /users/alice/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {long}\r\nConnection: close\r\n\r\n"
        ),
        post(deep.clone()),
        post(format!("{{\"username\":{deep}")),
        post(format!("{{\"username\":[1{list}]}}")),
        post(format!("{{\"{long}\":1}}")),
        post(format!("{{\"username\":\"{huge}\"}}")),
        post(format!("{{\"username\":{}}}", "9".repeat(100_000))),
        post("{".repeat(1_000)),
        post("\"".to_owned()),
    ];
    requests.into_iter().map(String::into_bytes).collect()
}

fn corpus(user: &User) -> Vec<Vec<u8>> {
    let authorized = format!(
        "Host: herolo\r\nAuthorization: Bearer {}\r\nConnection: close\r\n",
        user.token
    );
    let authorized = authorized.as_bytes();
    let send = b"POST /users/alice/messages HTTP/1.1\r\n";
    let mut all = oversized(&user.token);
    all.extend(
        REQUEST_LINES
            .iter()
            .map(|line| [line, &b"\r\n"[..], authorized, b"\r\n"].concat()),
    );
    for method in [&b"GET "[..], b"POST ", b"DELETE "] {
        let rest = [b" HTTP/1.1\r\n", authorized, b"Content-Length: 2\r\n\r\n{}"].concat();
        all.extend(PATHS.iter().map(|path| [method, path, &rest].concat()));
    }
    all.extend(HEADERS.iter().map(|header| {
        [
            b"GET /users/alice/messages HTTP/1.1\r\n",
            *header,
            b"\r\nConnection: close\r\n\r\n",
        ]
        .concat()
    }));
    all.extend(
        FRAMINGS
            .iter()
            .map(|(header, body)| [send, authorized, header, b"\r\n\r\n", body].concat()),
    );
    all.extend((0..send.len()).map(|length| send[..length].to_vec()));
    all
}

#[tokio::test]
async fn malformed_requests_are_refused_or_cut_off_and_the_service_goes_on() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let requests = corpus(&alice);
    assert!(requests.len() >= 120, "{}", requests.len());

    let exchanges = exchange_all(&service.url, requests).await;

    for (request, received) in exchanges {
        assert_eq!(received.fault(), None, "{request:?}\n{received:?}");
    }
    assert_eq!(service.get("/livez").await.status, 200);
    let id = alice.send(&alice, "after all that").await;
    assert_eq!(alice.inbox("").await, [id]);
}
