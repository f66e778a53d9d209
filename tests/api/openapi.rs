//! The OpenAPI document, compared with the mounted routes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::readme::problem_types;
use crate::support::{Herolo, Proxy, Service, TestDatabase};

fn document() -> Value {
    serde_json::from_str(&herolo::openapi()).expect("JSON")
}

/// Resolves a reference within the document.
fn resolved<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str() {
        None => part,
        Some(target) => {
            let pointer = target.strip_prefix('#').expect("within the document");
            let part = document.pointer(pointer);
            resolved(
                document,
                part.unwrap_or_else(|| panic!("{target} is there")),
            )
        }
    }
}

/// The operations by their method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let operations = paths.flat_map(|(path, item)| {
        let item = item.as_object().expect("operations").iter();
        item.map(move |(method, operation)| {
            (format!("{} {path}", method.to_uppercase()), operation)
        })
    });
    operations.collect()
}

/// The optional members of an object.
fn members(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, member)| (name.as_str(), member))
}

/// The examples of a part with a schema.
fn examples(part: &Value) -> Vec<&Value> {
    let several = members(&part["examples"]).map(|(_, example)| &example["value"]);
    several.chain(part.get("example")).collect()
}

/// Asserts that there is at least one example, and that all are valid.
fn assert_examples(document: &Value, part: &Value, what: &str) {
    let mut schema = part["schema"].clone();
    assert!(schema.is_object(), "{what} has a schema");
    schema["components"] = document["components"].clone();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&schema).expect("a schema");
    let examples = examples(part);
    assert!(!examples.is_empty(), "{what} has an example");
    for example in examples {
        let faults: Vec<_> = validator
            .iter_errors(example)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{what}: {example}: {faults:?}");
    }
}

#[test]
fn every_body_has_examples_that_its_schema_allows() {
    let document = document();
    for (name, operation) in operations(&document) {
        let request = resolved(&document, &operation["requestBody"]);
        for (kind, content) in members(&request["content"]) {
            assert_examples(&document, content, &format!("{kind} for {name}"));
        }
        for (status, response) in members(&operation["responses"]) {
            for (kind, content) in members(&resolved(&document, response)["content"]) {
                assert_examples(
                    &document,
                    content,
                    &format!("{kind} with {status} of {name}"),
                );
            }
        }
    }
}

#[test]
fn so_has_every_parameter_and_every_header() {
    let document = document();
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().expect("parameters") {
            let parameter = resolved(&document, parameter);
            assert!(
                parameter["description"].is_string(),
                "{parameter} of {name}"
            );
            assert_examples(
                &document,
                parameter,
                &format!("{} of {name}", parameter["name"]),
            );
        }
        for (status, response) in members(&operation["responses"]) {
            let headers = &resolved(&document, response)["headers"];
            assert!(headers["X-Request-Id"].is_object(), "{status} of {name}");
            for (header, described) in members(headers) {
                let described = resolved(&document, described);
                assert_examples(
                    &document,
                    described,
                    &format!("{header} with {status} of {name}"),
                );
            }
        }
    }
}

/// The tests above detect a wrong example or schema.
#[test]
#[should_panic(expected = "is not of type")]
fn an_example_that_its_schema_does_not_allow_is_found() {
    let document = document();
    let schema = json!({"$ref": "#/components/schemas/Message"});
    assert_examples(
        &document,
        &json!({"schema": schema, "example": []}),
        "a message",
    );
}

#[test]
fn every_operation_has_the_answers_that_its_ways_to_fail_make() {
    let document = document();
    for (name, operation) in operations(&document) {
        let mut expected = vec!["500"];
        let without_database = [
            "GET /livez",
            "GET /metrics",
            "GET /openapi.json",
            "GET /service",
        ];
        if !without_database.contains(&name.as_str()) {
            expected.push("503");
        }
        if operation["security"].is_array() {
            expected.extend(["401", "403"]);
        }
        if operation["requestBody"].is_object() {
            expected.extend(["400", "413", "415", "422"]);
        }
        if parameters(operation, "path")
            .chain(parameters(operation, "query"))
            .next()
            .is_some()
        {
            expected.push("400");
        }
        if parameters(operation, "path").any(|parameter| parameter == "id") {
            expected.push("404");
        }
        if parameters(operation, "query").next().is_some() {
            expected.push("422");
        }
        for status in expected {
            assert!(
                operation["responses"][status].is_object(),
                "{name} has a {status}"
            );
        }
    }
}

/// Except those that belong to no operation: a method that the path does not allow, and errors of the framework.
#[test]
fn every_kind_of_problem_is_among_the_examples() {
    let document = document();
    let mut shown = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for (status, response) in members(&operation["responses"]) {
            let content = &resolved(&document, response)["content"]["application/problem+json"];
            for problem in examples(content) {
                assert_eq!(problem["status"].to_string(), status, "{name}");
                let kind = problem["type"].as_str().expect("a type");
                shown.insert(kind.replace("urn:problem-type:herolo:", ""));
            }
        }
    }
    let kinds = problem_types().into_iter().map(|(kind, _)| kind);
    let of_operations =
        kinds.filter(|kind| !["method-not-allowed", "other"].contains(&kind.as_str()));
    assert_eq!(shown, of_operations.collect());
}

#[test]
fn links_lead_to_operations_by_their_parameters() {
    let document = document();
    let operations = operations(&document);
    let mut count = 0;
    for (name, operation) in &operations {
        for (_, response) in members(&operation["responses"]) {
            for (link, step) in members(&response["links"]) {
                let target = operations
                    .iter()
                    .find(|(_, target)| target["operationId"] == step["operationId"]);
                let (_, target) =
                    target.unwrap_or_else(|| panic!("{link} of {name} leads somewhere"));
                let given: BTreeSet<_> =
                    members(&step["parameters"]).map(|(name, _)| name).collect();
                let needed: BTreeSet<_> = parameters(target, "path").collect();
                assert_eq!(given, needed, "{link} of {name}");
                let body = &step["requestBody"];
                assert!(
                    body.is_null() || body.is_string(),
                    "{link} of {name}: generators of clients take only expressions"
                );
                count += 1;
            }
        }
    }
    assert!(count > 0);
}

#[test]
fn every_operation_has_a_name_of_its_own_that_programs_can_use() {
    let document = document();
    let operations = operations(&document);
    let names: BTreeSet<_> = operations
        .iter()
        .map(|(_, operation)| operation["operationId"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), operations.len());
    for name in names {
        let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase());
        assert!(
            is_plain && name.chars().all(|one| one.is_ascii_alphabetic()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn it_is_served_to_anyone_even_while_the_database_is_away() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start().await;
    proxy.refuse().await;
    let process = Herolo::on(&proxy.url(&database)).serve().await;

    let answer = process.get("/openapi.json").await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), "application/json");
    assert_eq!(answer.text, herolo::openapi());
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
            let count = parameters(operation, "path").count();
            assert_eq!(count, declared.len(), "{method} {path} has each once");
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
                let response = resolved(&document, response);
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

/// A schema and its nested schemas.
fn within<'a>(part: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(part);
    let inner = part
        .as_object()
        .into_iter()
        .flat_map(|members| members.values());
    for part in inner.chain(part.as_array().into_iter().flatten()) {
        within(part, found);
    }
}

/// Each makes a generator reject the document, or generate a client that does not work; see decision 0037.
#[test]
fn it_uses_only_constructs_that_client_generators_support() {
    let document = document();
    let mut parts = Vec::new();
    within(&document, &mut parts);
    for part in parts {
        for choice in ["oneOf", "anyOf", "allOf", "const", "callbacks"] {
            assert!(part.get(choice).is_none(), "{choice}: {part}");
        }
        assert_ne!(part["format"], "password", "clients send asterisks: {part}");
        let is_stream = part
            .get("text/event-stream")
            .map(|stream| &stream["schema"]["type"]);
        assert!(
            is_stream.is_none_or(|kind| kind == "string"),
            "a stream is text: {part}"
        );
    }
}

#[test]
fn ids_are_numbers_of_64_bits() {
    let document = document();
    let mut parts = Vec::new();
    within(&document, &mut parts);
    parts.retain(|part| part["maximum"] == json!(i64::MAX));
    assert!(!parts.is_empty());
    for id in parts {
        assert_eq!(id["format"], "int64", "{id}");
    }
}

#[test]
fn a_message_has_either_one_receiver_or_several() {
    let document = document();
    let mut schema = document["components"]["schemas"]["NewMessage"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let one = json!({"receiver": "bob", "subject": "s", "message": "m"});
    let several = json!({"receivers": ["bob"], "subject": "s", "message": "m"});
    let both = json!({"receiver": "bob", "receivers": ["bob"], "subject": "s", "message": "m"});
    let none = json!({"subject": "s", "message": "m"});
    assert!(validator.is_valid(&one) && validator.is_valid(&several));
    assert!(!validator.is_valid(&both) && !validator.is_valid(&none));
}

#[test]
fn several_messages_are_marked_either_by_their_ids_or_up_to_one() {
    let document = document();
    let schema = &document["components"]["schemas"]["ReadMarks"];
    let validator = jsonschema::draft202012::new(schema).expect("a schema");
    let ids = json!({"read": true, "ids": [1, 2]});
    let until = json!({"read": true, "until": 2});
    let both = json!({"read": true, "ids": [1, 2], "until": 2});
    assert!(validator.is_valid(&ids) && validator.is_valid(&until));
    assert!(!validator.is_valid(&both) && !validator.is_valid(&json!({"read": true})));
    for ids in [json!([]), json!([0]), json!(["1"]), json!(vec![1; 101])] {
        assert!(!validator.is_valid(&json!({"read": true, "ids": ids})));
    }
}

#[test]
fn bodies_are_closed_as_the_service_takes_them() {
    let document = document();
    for name in [
        "NewUser",
        "Password",
        "PasswordChange",
        "EmailChange",
        "NewMessage",
        "ReadMark",
        "ReadMarks",
    ] {
        let schema = &document["components"]["schemas"][name];
        assert_eq!(schema["additionalProperties"], false, "{name}");
        assert!(schema["required"].is_array(), "{name}");
    }
}
