//! Signing up and logging in.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{Answer, Service, problem, statuses_at_once};

fn new_user(username: &str, email: &str) -> Value {
    json!({"username": username, "email": email, "password": "correct horse"})
}

#[tokio::test]
async fn signing_up_answers_with_the_user_and_never_with_the_password() {
    let service = Service::start().await;

    let answer = service
        .post("/users", &new_user("alice", "Alice@Example.com"))
        .await;

    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("Location"), "/users/alice");
    assert_eq!(
        answer.json,
        json!({"username": "alice", "email": "Alice@Example.com"})
    );
}

#[tokio::test]
async fn a_username_is_kept_in_lower_case_and_found_in_any() {
    let service = Service::start().await;

    let created = service
        .post("/users", &new_user("Al.Ice-7_", "a@example.com"))
        .await;
    let login = service
        .post(
            "/users/aL.iCE-7_/token",
            &json!({"password": "correct horse"}),
        )
        .await;

    assert_eq!(created.json["username"], "al.ice-7_");
    assert_eq!(login.status, 201);
}

#[tokio::test]
async fn values_that_are_not_valid_are_named() {
    let service = Service::start().await;
    let long_name = "a".repeat(65);
    let long_email = format!("{}@example.com", "a".repeat(243));
    let long_password = "p".repeat(129);
    let cases = [
        ("username", json!("al"), "too short"),
        ("username", json!(long_name), "too long"),
        ("username", json!(".alice"), "begins with a dot"),
        ("username", json!("-alice"), "begins with a dash"),
        ("username", json!("al ice"), "a blank"),
        ("username", json!("álice"), "not ASCII"),
        ("username", json!("al\u{0}ice"), "a NUL"),
        ("username", json!("аlice"), "a Cyrillic look-alike"),
        ("username", json!(7), "a number"),
        ("username", Value::Null, "null"),
        ("email", json!("alice"), "no @"),
        ("email", json!("@example.com"), "no local part"),
        ("email", json!("alice@"), "no domain"),
        ("email", json!("Alice <a@example.com>"), "a display name"),
        ("email", json!("a b@example.com"), "a blank"),
        ("email", json!("\"a b\"@example.com"), "in need of quotes"),
        ("email", json!(long_email), "too long"),
        ("email", json!(["a@example.com"]), "a list"),
        ("password", json!("1234567"), "too short"),
        ("password", json!(long_password), "too long"),
        ("password", json!({}), "an object"),
    ];
    for (field, value, reason) in cases {
        let mut body = new_user("alice", "alice@example.com");
        body[field] = value;
        let answer = service.post("/users", &body).await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), [format!("#/{field}")], "{reason}");
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_named_at_once() {
    let service = Service::start().await;

    let answer = service
        .post(
            "/users",
            &json!({"username": "x", "pasword": "long enough"}),
        )
        .await;

    problem(&answer, 422);
    assert_eq!(
        answer.pointers(),
        ["#/username", "#/email", "#/password", "#/pasword"]
    );
}

#[tokio::test]
async fn the_limits_themselves_are_valid() {
    let service = Service::start().await;
    let names = ["abc".to_owned(), "a".repeat(64)];
    for (index, name) in names.iter().enumerate() {
        let mut body = new_user(name, &format!("{index}@example.com"));
        body["password"] = json!(if index == 0 {
            "87164253".to_owned()
        } else {
            "äöü\u{1F511}".repeat(32)
        });
        assert_eq!(service.post("/users", &body).await.status, 201, "{name}");
    }
}

#[tokio::test]
async fn a_taken_name_or_address_is_a_conflict_that_says_which() {
    let service = Service::start().await;
    service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;

    let name = service
        .post("/users", &new_user("ALICE", "other@example.com"))
        .await;
    let address = service
        .post("/users", &new_user("other", "ALICE@example.COM"))
        .await;
    let both = service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;

    problem(&name, 409);
    assert_eq!(name.pointers(), ["#/username"]);
    problem(&address, 409);
    assert_eq!(address.pointers(), ["#/email"]);
    assert_eq!(both.pointers(), ["#/username", "#/email"]);
}

#[tokio::test]
async fn of_concurrent_sign_ups_for_one_name_exactly_one_succeeds() {
    let service = Service::start().await;
    let requests = (0..12).map(|index| {
        let body = new_user("alice", &format!("{index}@example.com"));
        service.request(Method::POST, "/users").json(&body)
    });
    let statuses = statuses_at_once(requests).await;
    assert_eq!(statuses[0], 201);
    assert!(
        statuses[1..].iter().all(|status| *status == 409),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_token_comes_with_its_type_and_lifetime_and_is_not_cached() {
    let service = Service::start().await;
    service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;

    let answer = service
        .post("/users/alice/token", &json!({"password": "correct horse"}))
        .await;

    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("Cache-Control"), "no-store");
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(answer.json["expires_in"], 3600);
    assert!(
        answer.json["access_token"]
            .as_str()
            .is_some_and(|token| token.split('.').count() == 3)
    );
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_the_same() {
    let service = Service::start().await;
    service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("alice", "wrong horse"),
        ("alice", "short"),
        ("nobody", "correct horse"),
        ("..", "correct horse"),
        ("%20", "correct horse"),
    ] {
        let answer = service
            .post(
                &format!("/users/{name}/token"),
                &json!({"password": password}),
            )
            .await;
        if answer.status == 404 {
            // The client has resolved `..`.
            continue;
        }
        problem(&answer, 401);
        assert!(
            answer.header("WWW-Authenticate").starts_with("Bearer"),
            "{name}"
        );
        let mut json = answer.json;
        json["instance"].take();
        answers.push(json);
    }
    assert!(answers.len() >= 4);
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_password_is_the_same_from_every_keyboard_and_else_unchanged() {
    let service = Service::start().await;
    let mut body = new_user("alice", "alice@example.com");
    body["password"] = json!(" Pässwörd \u{0}\u{1F511} ");
    assert_eq!(service.post("/users", &body).await.status, 201);
    for (password, status) in [
        (" Pässwörd \u{0}\u{1F511} ", 201),
        ("Pässwörd \u{0}\u{1F511}", 401),
        (" pässwörd \u{0}\u{1F511} ", 401),
        // The same letters in another normalization form, and another space.
        (" Pa\u{308}sswo\u{308}rd \u{0}\u{1F511} ", 201),
        ("\u{A0}Pässwörd\u{3000}\u{0}\u{1F511} ", 201),
        (" Passwo\u{308}rd \u{0}\u{1F511} ", 401),
        (" Pässwörd ", 401),
    ] {
        let answer = service
            .post("/users/alice/token", &json!({"password": password}))
            .await;
        assert_eq!(answer.status, status, "{password:?}");
    }
}

#[tokio::test]
async fn a_hash_of_a_verbatim_password_stays_valid_and_is_replaced() {
    use argon2::{Argon2, Params, PasswordHasher as _};
    let service = Service::start().await;
    service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;
    let old = Argon2::from(Params::new(19_456, 2, 1, None).expect("valid"));
    let log_in = async |password: &str| {
        let body = json!({"password": password});
        service.post("/users/alice/token", &body).await.status
    };
    // The second one would be refused for a new account.
    for (verbatim, other) in [
        ("mu\u{308}de Pferde", "m\u{fc}de Pferde"),
        (
            "\u{A0}\u{A0}\u{A0}\u{A0}\u{A0}\u{A0}\u{A0}\u{A0}",
            "        ",
        ),
    ] {
        let hash = old.hash_password(verbatim.as_bytes()).expect("hashed");
        service
            .database
            .execute(format!("UPDATE users SET password_hash = '{hash}'"))
            .await;
        assert_eq!(log_in(other).await, 401);
        assert_eq!(log_in(verbatim).await, 201);
        assert_eq!(log_in(other).await, 201, "from now on in every form");
        assert_eq!(log_in(verbatim).await, 201);
    }
}

#[tokio::test]
async fn an_easily_guessed_password_is_refused_with_the_reason() {
    let service = Service::start().await;
    for (password, reason) in [
        ("**********", "at least 4 different characters"),
        ("Password1", "one of the most common"),
        (
            "SecretStr('**********')",
            "placeholder that programs put in place",
        ),
        ("ｐａｓｓｗｏｒｄ１", "one of the most common"),
        ("Zaphod42", "more than the username"),
        ("b.Trillian1", "more than the e-mail address before its @"),
    ] {
        let mut body = new_user("zaphod", "b.trillian@example.com");
        body["password"] = json!(password);
        let refused = service.post("/users", &body).await;
        let document = problem(&refused, 422);
        let detail = document["errors"][0]["detail"].as_str().expect("a detail");
        assert!(detail.contains(reason), "{password}: {detail}");
        assert_eq!(refused.pointers(), ["#/password"]);
    }
    let wrong = service
        .post("/users/zaphod/token", &json!({"password": "**********"}))
        .await;
    problem(&wrong, 401);
}

#[tokio::test]
async fn a_reserved_name_is_refused_whether_or_not_an_account_has_it() {
    let service = Service::start_with(|config| config.reserved_usernames = "Mayor, alice".into());
    let service = service.await;
    service
        .database
        .execute(
            "INSERT INTO users (username, email, normalized_email, password_hash, created_at) \
             VALUES ('root', 'r@example.com', 'r@example.com', '', NOW(3))",
        )
        .await;
    let mut details = Vec::new();
    for name in ["root", "PostMaster", "mayor", "Alice"] {
        let refused = service
            .post("/users", &new_user(name, "a@example.com"))
            .await;
        let document = problem(&refused, 422);
        assert_eq!(refused.pointers(), ["#/username"], "{name}");
        details.push(document["errors"][0]["detail"].clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    let accepted = service
        .post("/users", &new_user("mayor2", "a@example.com"))
        .await;
    assert_eq!(accepted.status, 201);
}

#[tokio::test]
async fn a_mailbox_is_one_account_however_it_is_written() {
    let service = Service::start().await;
    let sign_up =
        async |name: &str, email: &str| service.post("/users", &new_user(name, email)).await;
    let first = sign_up("first", "b@M\u{fc}ller.example").await;
    assert_eq!(
        first.json["email"], "b@M\u{fc}ller.example",
        "as it was typed"
    );
    for same in [
        "b@xn--mller-kva.example",
        "B@XN--MLLER-KVA.example",
        "b@mu\u{308}ller.example",
        r#""b"@müller.example"#,
        r#""\B"@müller.example"#,
    ] {
        let refused = sign_up("second", same).await;
        problem(&refused, 409);
        assert_eq!(refused.pointers(), ["#/email"], "{same}");
    }
    for (name, other) in [
        ("gross", "gross@example.com"),
        ("gruss", "groß@example.com"),
        ("fass1", "a@fass.example"),
        ("fass2", "a@faß.example"),
    ] {
        assert_eq!(sign_up(name, other).await.status, 201, "{other}");
    }
    problem(&sign_up("third", "GROẞ@example.com").await, 409);
    problem(&sign_up("third", "a@xn--a.example").await, 422);
}

#[tokio::test]
async fn an_overlong_password_is_refused_before_hashing() {
    let service = Service::start().await;
    for name in ["alice", "nobody"] {
        let path = format!("/users/{name}/token");
        let answer = service
            .post(&path, &json!({"password": "p".repeat(129)}))
            .await;
        problem(&answer, 422);
        assert_eq!(answer.pointers(), ["#/password"]);
    }
}

#[tokio::test]
async fn a_login_renews_a_hash_of_weaker_parameters() {
    use argon2::{Argon2, Params, PasswordHasher as _};
    let service = Service::start().await;
    service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;
    let weak = Argon2::from(Params::new(1024, 1, 1, None).expect("valid"));
    let weak = weak
        .hash_password(b"correct horse")
        .expect("hashed")
        .to_string();
    service
        .database
        .execute(format!("UPDATE users SET password_hash = '{weak}'"))
        .await;

    let login = service
        .post("/users/alice/token", &json!({"password": "correct horse"}))
        .await;

    assert_eq!(login.status, 201);
    let stored = stored_hash(&service).await;
    assert!(
        stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{stored}"
    );
    let again = service
        .post("/users/alice/token", &json!({"password": "correct horse"}))
        .await;
    assert_eq!(again.status, 201);
    assert_eq!(stored_hash(&service).await, stored, "a current hash stays");
}

async fn stored_hash(service: &Service) -> String {
    let mut connection = service.database.connect().await;
    let row = sqlx::query("SELECT password_hash FROM users")
        .fetch_one(&mut connection)
        .await;
    row.expect("one user").get(0)
}

/// The value of a metric.
async fn metric(service: &Service, name: &str) -> u64 {
    let metrics = service.get("/metrics").await.text;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok())
        .expect("the metric is there")
}

#[tokio::test]
async fn a_login_costs_one_hash_whether_or_not_there_is_such_a_user() {
    let service = Service::start().await;
    service
        .post("/users", &new_user("alice", "alice@example.com"))
        .await;
    for (name, password) in [
        ("alice", "correct horse"),
        ("alice", "wrong horse"),
        ("nobody", "correct horse"),
        ("n!", "correct horse"),
    ] {
        let before = metric(&service, "herolo_passwords_hashed_total").await;
        service
            .post(
                &format!("/users/{name}/token"),
                &json!({"password": password}),
            )
            .await;
        let after = metric(&service, "herolo_passwords_hashed_total").await;
        assert_eq!(after - before, 1, "{name} {password}");
    }
}

#[tokio::test]
async fn the_account_shows_how_much_is_unread() {
    let (_service, [alice, bob]) = Service::with_users(["alice", "bob"]).await;
    let first = alice.send(&bob, "1").await;
    let second = alice.send(&bob, "2").await;
    alice.send(&bob, "3").await;
    alice.send(&alice, "not bob's").await;
    bob.mark(first, true).await;
    bob.delete(second).await;

    let account = bob.get("").await;

    assert_eq!(account.status, 200, "{}", account.text);
    let created_at = account.json["created_at"].as_str().expect("a time");
    assert!(created_at.parse::<DateTime<Utc>>().is_ok(), "{created_at}");
    assert_eq!(
        account.json,
        json!({
            "username": "bob",
            "email": "bob@example.com",
            "email_verified": false,
            "created_at": created_at,
            "unread": 1,
        })
    );
}

#[tokio::test]
async fn the_account_is_its_owners_alone() {
    let (service, [alice, _]) = Service::with_users(["alice", "bob"]).await;
    problem(&service.get("/users/alice").await, 401);
    for other in ["bob", "nobody"] {
        let url = format!("{}/users/{other}", service.url);
        let answer = Answer::of(service.client.get(url).bearer_auth(&alice.token)).await;
        problem(&answer, 403);
    }
}

#[tokio::test]
async fn the_unread_count_ends_at_a_thousand() {
    let (service, [alice]) = Service::with_users(["alice"]).await;
    let (numbers, sender) = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 501)",
        "(SELECT id FROM users)",
    );
    for statement in [
        format!(
            "INSERT INTO messages (sender_id, subject, body, created_at) {numbers} \
             SELECT {sender}, 's', 'm', NOW(3) FROM n UNION ALL SELECT {sender}, 's', 'm', NOW(3) FROM n"
        ),
        "INSERT INTO receipts (receiver_id, message_id) SELECT sender_id, id FROM messages"
            .to_owned(),
    ] {
        service.database.execute(statement).await;
    }

    assert_eq!(alice.get("").await.json["unread"], 1000);
}
