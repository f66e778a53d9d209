//! Errors that no handler returns have the same form as all others.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, NewMessage, Service, User, problem};

#[tokio::test]
async fn an_unknown_path_is_a_404() {
    let service = Service::start().await;
    for path in [
        "/inbox",
        "/user",
        "/users/alice/x",
        "/users/alice/messages/1/2",
        "/x?y=z",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let answer = Answer::of(service.request(method, path)).await;
            problem(&answer, 404);
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_the_right_ones() {
    let service = Service::start().await;
    let cases = [
        ("/users", "POST"),
        ("/users/alice", "GET, HEAD"),
        ("/users/alice/token", "POST"),
        ("/users/alice/messages", "GET, HEAD, PATCH, POST"),
        ("/users/alice/messages/1", "DELETE, GET, HEAD, PATCH"),
        ("/livez", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
    ];
    for (path, allowed) in cases {
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "BREW",
        ] {
            if allowed.split(", ").any(|one| one == method) {
                continue;
            }
            let method = method.parse().expect("a method");
            let answer = Answer::of(service.request(method, path)).await;
            problem(&answer, 405);
            assert_eq!(answer.header("Allow"), allowed, "{path}");
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let (_service, [alice]) = Service::with_users(["alice"]).await;
    let answer = Answer::of(alice.request(Method::HEAD, "/messages")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    let answer = Answer::of(alice.request(Method::HEAD, "/messages/1")).await;
    assert_eq!((answer.status, answer.text.as_str()), (404, ""));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_400() {
    let service = Service::start().await;
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "",
        "{",
        "x",
        "{\"username\":}",
        "{'a':1}",
        "\u{FEFF}{}",
        "{} {}",
        r#"{"a":"\ud800"}"#,
        &deep,
    ] {
        let request = service
            .request(Method::POST, "/users")
            .body(body.to_owned());
        problem(&Answer::of(request).await, 400);
    }
    let request = service
        .request(Method::POST, "/users")
        .body(b"{\"username\":\"\xff\"}".to_vec());
    problem(&Answer::of(request).await, 400);
}

#[tokio::test]
async fn json_that_is_not_an_object_is_a_422() {
    let service = Service::start().await;
    for body in ["null", "[]", "1", "\"x\"", "true"] {
        let answer = Answer::of(service.request(Method::POST, "/users").body(body)).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#"], "{body}");
    }
}

#[tokio::test]
async fn a_repeated_field_is_a_422() {
    let service = Service::start().await;
    let body =
        r#"{"username":"alice","username":"bob","email":"a@example.com","password":"long enough"}"#;
    let answer = Answer::of(service.request(Method::POST, "/users").body(body)).await;
    problem(&answer, 422);
    assert_eq!(answer.pointers(), ["#/username"]);
}

#[tokio::test]
async fn a_field_name_is_escaped_in_its_pointer_and_truncated() {
    let service = Service::start().await;
    let name = "x".repeat(100_000);
    let answer = service
        .post(
            "/users/alice/token",
            &json!({"password": "p", "a/b~c": 1, name: 1}),
        )
        .await;
    problem(&answer, 422);
    assert!(
        answer.pointers().contains(&"#/a~1b~0c"),
        "{:?}",
        answer.pointers()
    );
    assert!(answer.text.len() < 2_000);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let fits = format!("{}{}", NewMessage::to("alice").json(), " ".repeat(500_000));
    let answer = Answer::of(alice.request(Method::POST, "/messages").body(fits)).await;
    assert_eq!(
        answer.status, 201,
        "white space counts, and 512 KiB is much"
    );
    for path in ["/users", "/users/alice/token"] {
        let answer = Answer::of(
            service
                .request(Method::POST, path)
                .body(" ".repeat(512 * 1024 + 1)),
        )
        .await;
        problem(&answer, 413);
    }
    let answer = Answer::of(
        alice
            .request(Method::POST, "/messages")
            .body("[".repeat(600_000)),
    )
    .await;
    problem(&answer, 413);
}

#[tokio::test]
async fn json_is_read_whatever_the_content_type_says() {
    let service = Service::start().await;
    for (index, kind) in [
        "text/plain",
        "application/json; charset=utf-8",
        "nonsense",
        "",
    ]
    .iter()
    .enumerate()
    {
        let email = format!("{index}@example.com");
        let body =
            json!({"username": format!("user{index}"), "email": email, "password": "long enough"});
        let request = service
            .request(Method::POST, "/users")
            .header("Content-Type", *kind)
            .body(body.to_string());
        assert_eq!(Answer::of(request).await.status, 201, "{kind}");
    }
}

#[tokio::test]
async fn a_form_is_a_415_even_if_it_holds_json() {
    let service = Service::start().await;
    let body = json!({"username": "alice", "email": "a@example.com", "password": "long enough"})
        .to_string();
    for kind in [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        for path in ["/users", "/users/alice/token", "/users/alice/messages"] {
            let request = service
                .request(Method::POST, path)
                .header("Content-Type", kind)
                .body(body.clone());
            problem(&Answer::of(request).await, 415);
        }
    }
}

/// A request of this user with a body of these content codings.
async fn coded(user: &User, method: Method, path: &str, codings: &[&str], body: &str) -> Answer {
    let request = user.request(method, path).body(body.to_owned());
    let codings = codings.iter();
    Answer::of(codings.fold(request, |request, coding| {
        request.header("Content-Encoding", *coding)
    }))
    .await
}

#[tokio::test]
async fn a_body_with_a_content_coding_is_a_415_that_names_those_accepted() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let routes = service.routes().iter();
    let of_alice = routes.filter_map(|route| route.split_once(" /users/<_>"));
    for (method, path) in of_alice {
        let path = path.replace("<id>", "1");
        for codings in [
            &["gzip"][..],
            &["GZIP"],
            &["identity, br"],
            &["identity", "zstd"],
        ] {
            let method: Method = method.parse().expect("a method");
            let refused = coded(&alice, method.clone(), &path, codings, "{}").await;
            let kind = &problem(&refused, 415)["type"];
            assert_eq!(
                kind, "urn:problem-type:herolo:unsupported-content-coding",
                "{method} {path}"
            );
            assert_eq!(refused.header("Accept-Encoding"), "identity");
        }
    }
    let new = NewMessage::to("alice").json().to_string();
    for codings in [
        &["identity"][..],
        &["Identity"],
        &[""],
        &["identity, identity"],
    ] {
        let taken = coded(&alice, Method::POST, "/messages", codings, &new).await;
        assert_eq!(taken.status, 201, "{codings:?}: {}", taken.text);
    }
    let no_body = coded(&alice, Method::GET, "", &["gzip"], "").await;
    assert_eq!(no_body.status, 200, "{}", no_body.text);
}

#[tokio::test]
async fn a_form_cannot_choose_another_method() {
    let (_service, [alice]) = Service::with_users(["alice"]).await;
    let id = alice.send(&alice, "stays").await;
    for field in [
        "_method=delete",
        "_method=DELETE",
        "_method=patch",
        "_method=get",
    ] {
        let request = alice
            .request(Method::POST, &format!("/messages/{id}"))
            .body(field);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        problem(&Answer::of(request).await, 415);
    }
    assert_eq!(alice.read(id).await.status, 200);
}

#[tokio::test]
async fn an_internal_fault_is_a_500_without_details() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    service
        .database
        .execute("ALTER TABLE messages RENAME COLUMN body TO text")
        .await;

    let read = alice.get("/messages").await;
    let sent = alice
        .post("/messages", &NewMessage::to("alice").json())
        .await;

    for answer in [read, sent] {
        problem(&answer, 500);
        for inside in [
            "SELECT",
            "INSERT",
            "body",
            "column",
            "messages.",
            "sqlx",
            "1054",
        ] {
            assert!(
                !answer.json["detail"].to_string().contains(inside),
                "{}",
                answer.text
            );
        }
        assert!(!answer.header("X-Request-Id").is_empty());
    }
    assert_eq!(
        service.get("/livez").await.status,
        200,
        "the process goes on"
    );
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_takes_over_a_harmless_one() {
    let service = Service::start().await;
    let with = async |id: &str| {
        let request = service
            .request(Method::GET, "/x")
            .header("X-Request-Id", id);
        Answer::of(request).await.header("X-Request-Id").to_owned()
    };
    assert_eq!(with("abc-1.2_3").await, "abc-1.2_3");
    for harmful in ["a b", "a\"b", "", &"x".repeat(65)] {
        assert_eq!(with(harmful).await.len(), 32, "{harmful:?} is replaced");
    }
    let unread = Answer::of(service.request("BREW".parse().expect("a method"), "/users")).await;
    assert_eq!(
        unread.header("X-Request-Id").len(),
        32,
        "also where Rocket cannot read the request"
    );
    let (one, two) = (service.get("/livez").await, service.get("/livez").await);
    assert_ne!(one.header("X-Request-Id"), two.header("X-Request-Id"));
}

#[tokio::test]
async fn metrics_count_requests_by_route_without_usernames() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    alice.get("/messages").await;

    let metrics = service.get("/metrics").await;

    assert_eq!(metrics.status, 200);
    assert!(metrics.header("Content-Type").starts_with("text/plain"));
    let line =
        r#"herolo_http_requests_total{method="GET",route="/users/<_>/messages",status="200"} 1"#;
    assert!(metrics.text.contains(line), "{}", metrics.text);
    assert!(metrics.text.contains("herolo_database_connections "));
    assert!(!metrics.text.contains("alice"));
}
