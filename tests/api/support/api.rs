//! Users of the API, and the responses to their requests.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::NewMessage;

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `Null` where the body is not JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the service answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer is whole");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self {
            status,
            headers,
            text,
            json,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// The pointers of the invalid values.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.json["errors"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        errors
            .iter()
            .map(|error| error["pointer"].as_str().expect("a pointer"))
            .collect()
    }
}

/// Asserts that the response is a complete problem document with this status, and returns its JSON.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16) -> &Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(
        answer.header("Content-Type"),
        "application/problem+json",
        "{}",
        answer.text
    );
    assert_eq!(answer.json["status"], status);
    for member in ["type", "title", "detail", "instance"] {
        let text = answer.json[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "'{member}' is missing: {}", answer.text);
    }
    &answer.json
}

/// Asserts that the response is a 503 with a `Retry-After`.
#[track_caller]
pub(crate) fn unavailable(answer: &Answer) {
    problem(answer, 503);
    let seconds = answer.header("Retry-After");
    assert!(seconds.parse::<u64>().is_ok(), "Retry-After is '{seconds}'");
}

/// A user with an access token.
#[derive(Clone)]
pub(crate) struct User {
    url: String,
    client: Client,
    pub(crate) name: String,
    pub(crate) token: String,
}

impl User {
    pub(crate) fn new(url: &str, name: &str, token: String) -> Self {
        Self {
            url: url.to_owned(),
            client: Client::new(),
            name: name.to_owned(),
            token,
        }
    }

    /// Signs a user up.
    pub(crate) async fn sign_up(url: &str, name: &str) -> Self {
        let client = Client::new();
        let password = format!("password of {name}");
        let new =
            json!({"username": name, "email": format!("{name}@example.com"), "password": password});
        let signed_up = Answer::of(client.post(format!("{url}/users")).json(&new)).await;
        assert_eq!(signed_up.status, 201, "{name} signs up");
        let login = client.post(format!("{url}/users/{name}/token"));
        let issued = Answer::of(login.json(&json!({"password": password}))).await;
        let token = issued.json["access_token"].as_str().expect("a token");
        Self::new(url, name, token.to_owned())
    }

    /// A request of this user below their own path, such as `/messages`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/users/{}{path}", self.url, self.name);
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body)).await
    }

    /// Sends a message and returns its id.
    pub(crate) async fn send(&self, receiver: &User, subject: &str) -> u64 {
        let new = NewMessage::to(&receiver.name)
            .subject(subject)
            .text(&format!("about {subject}"))
            .json();
        let answer = self.post("/messages", &new).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["id"].as_u64().expect("an id")
    }

    pub(crate) async fn read(&self, id: u64) -> Answer {
        self.get(&format!("/messages/{id}")).await
    }

    pub(crate) async fn mark(&self, id: u64, read: bool) -> Answer {
        self.patch(&format!("/messages/{id}"), &json!({"read": read}))
            .await
    }

    pub(crate) async fn delete(&self, id: u64) -> Answer {
        Answer::of(self.request(Method::DELETE, &format!("/messages/{id}"))).await
    }

    /// A message on the first page of those that this user sent.
    pub(crate) async fn sent_entry(&self, id: u64) -> Value {
        let answer = self.get("/messages?box=sent").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let messages = answer.json["messages"].as_array().expect("messages");
        let found = messages.iter().find(|message| message["id"] == id);
        found.expect("it is in the sent box").clone()
    }

    /// The ids of the first page of received messages, newest first, with the query.
    pub(crate) async fn inbox(&self, query: &str) -> Vec<u64> {
        let answer = self.get(&format!("/messages{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let messages = answer.json["messages"].as_array().expect("messages");
        messages
            .iter()
            .map(|message| message["id"].as_u64().expect("an id"))
            .collect()
    }
}
