//! Request targets with characters that RFC 3986 requires to be encoded. The edge redirects such queries to their
//! encoded form.

use crate::support::Service;
use crate::support::raw::exchange;

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: herolo\r\nConnection: close\r\n\r\n").into_bytes()
}

/// hyper responds before Rocket sees the request, so no problem document is possible. If this changes, the guide's
/// section about `unread` and the redirections of `traefik/routing.yml` can be removed.
#[tokio::test]
async fn a_raw_quote_or_angle_bracket_in_a_query_is_a_bare_400() {
    let service = Service::start().await;
    for raw in ["\"", "<", ">"] {
        let answer = exchange(&service.url, &get(&format!("/livez?q={raw}"))).await;
        assert_eq!(answer.status(), Some(400), "{raw}");
        assert_eq!(answer.body(), "", "{raw}");
    }
    for encoded in ["%22", "%3C", "%3E"] {
        let answer = exchange(&service.url, &get(&format!("/livez?q={encoded}"))).await;
        assert_eq!(answer.status(), Some(200), "{encoded}");
    }
}

#[tokio::test]
async fn a_raw_quote_in_a_path_is_answered_with_a_problem() {
    let service = Service::start().await;
    let answer = exchange(&service.url, &get("/users/\"alice\"/messages")).await;
    assert_eq!(answer.status(), Some(401));
    assert_eq!(answer.fault(), None);
}
