//! The OpenAPI document against the routes that are there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Service;

fn document() -> Value {
    serde_json::from_str(&herolo::openapi()).expect("JSON")
}

fn documented() -> BTreeSet<String> {
    let document = document();
    let paths = document["paths"].as_object().expect("paths").iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

#[tokio::test]
async fn it_names_exactly_the_routes_that_are_mounted() {
    let service = Service::start().await;
    let mounted: BTreeSet<_> = service
        .routes()
        .iter()
        .map(|route| {
            route
                .replace("<_>", "{username}")
                .replace('<', "{")
                .replace('>', "}")
        })
        .collect();
    assert_eq!(documented(), mounted);
}

#[test]
fn every_operation_is_described_with_all_its_parameters() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            assert!(
                operation["summary"].is_string(),
                "{method} {path} says what it does"
            );
            let declared: BTreeSet<_> = parameters(operation, "path").collect();
            let in_path: BTreeSet<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(declared, in_path, "{method} {path}");
        }
    }
}

fn parameters<'a>(operation: &'a Value, place: &'a str) -> impl Iterator<Item = &'a str> {
    let parameters = operation["parameters"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    parameters
        .iter()
        .filter(move |one| one["in"] == place)
        .map(|one| one["name"].as_str().expect("a name"))
}

#[test]
fn every_error_is_a_problem_document() {
    let document = document();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for operation in item.as_object().expect("operations").values() {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                assert!(
                    response["description"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{path} {status}"
                );
                let is_problem = response["content"]["application/problem+json"].is_object();
                assert_eq!(is_problem, status.as_str() >= "400", "{path} {status}");
            }
        }
    }
}

#[test]
fn bodies_are_closed_as_the_service_takes_them() {
    let document = document();
    for name in ["NewUser", "Password", "NewMessage", "ReadMark"] {
        let schema = &document["components"]["schemas"][name];
        assert_eq!(schema["additionalProperties"], false, "{name}");
        assert!(schema["required"].is_array(), "{name}");
    }
}
