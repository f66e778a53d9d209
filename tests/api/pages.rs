//! The pages of the service: their files, headers and settings.

use reqwest::Method;

use crate::support::{Answer, Service, problem};

/// The page and the files that it refers to.
async fn files(service: &Service, page: &str) -> Vec<String> {
    let text = service.get(page).await.text;
    let mut files: Vec<_> = text
        .split(['"', '\''])
        .filter(|part| part.starts_with("/inbox/") || part.starts_with("/docs/"))
        .map(str::to_owned)
        .collect();
    files.push(page.to_owned());
    files.sort();
    files.dedup();
    files
}

async fn get_with(service: &Service, path: &str, header: &str, value: &str) -> Answer {
    Answer::of(service.request(Method::GET, path).header(header, value)).await
}

#[tokio::test]
async fn everything_that_a_page_refers_to_is_there_and_of_its_type() {
    let service = Service::start().await;
    for (page, least) in [("/", 12), ("/docs", 6)] {
        let files = files(&service, page).await;
        assert!(files.len() >= least, "{files:?}");
        for path in files {
            let answer = service.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            let wanted = match path.rsplit_once('.') {
                Some((_, "css")) => "text/css; charset=utf-8",
                Some((_, "js")) => "text/javascript",
                Some((_, "svg")) => "image/svg+xml",
                Some((_, "webmanifest")) => "application/manifest+json",
                _ => "text/html; charset=utf-8",
            };
            assert_eq!(answer.header("Content-Type"), wanted, "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_may_run_its_own_files_and_nothing_else() {
    let service = Service::start().await;
    for page in ["/", "/docs"] {
        for path in files(&service, page).await {
            let answer = service.get(&path).await;
            assert_eq!(
                answer
                    .headers
                    .get_all("Content-Security-Policy")
                    .iter()
                    .count(),
                1
            );
            let policy = answer.header("Content-Security-Policy");
            let needed = [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "connect-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            ];
            for rule in needed {
                assert!(policy.split("; ").any(|one| one == rule), "{path}: {rule}");
            }
            assert!(!policy.contains("unsafe"), "{path}");
            assert_eq!(answer.header("X-Content-Type-Options"), "nosniff");
            assert_eq!(answer.header("Referrer-Policy"), "no-referrer");
        }
    }
    let inbox = service.get("/").await;
    let policy = inbox.header("Content-Security-Policy");
    assert!(policy.contains("require-trusted-types-for 'script'"));
    assert!(policy.contains("manifest-src 'self'"));
}

#[tokio::test]
async fn no_page_has_a_script_or_a_style_within_it() {
    let service = Service::start().await;
    for page in ["/", "/docs"] {
        let text = service.get(page).await.text;
        assert!(!text.contains("<style") && !text.contains(" style="));
        assert!(!text.contains(" onclick=") && !text.contains(" onload="));
        for script in text.split("<script").skip(1) {
            assert!(script.contains("></script>"), "{page}: {script}");
        }
        assert!(!text.contains("http:") && !text.contains("https:"));
    }
}

#[tokio::test]
async fn an_unchanged_list_is_a_304() {
    let service = Service::start().await;
    let first = service.get("/inbox/app.js").await;
    assert_eq!(first.header("Cache-Control"), "no-cache");
    assert_eq!(first.header("Vary"), "Accept-Encoding");
    let tag = first.header("ETag");
    for known in [tag, &format!("\"other\", W/{tag}"), "*"] {
        let again = get_with(&service, "/inbox/app.js", "If-None-Match", known).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.header("ETag"), tag);
        assert_eq!(again.header("Vary"), "Accept-Encoding");
    }
    let other = get_with(&service, "/inbox/app.js", "If-None-Match", "\"other\"").await;
    assert_eq!((other.status, other.text), (200, first.text));
}

#[tokio::test]
async fn it_is_compressed_for_clients_that_accept_gzip() {
    let service = Service::start().await;
    let path = "/docs/swagger-ui-bundle.js";
    let plain = service.get(path).await;
    assert!(plain.headers.get("Content-Encoding").is_none());
    for taken in ["gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1"] {
        let packed = get_with(&service, path, "Accept-Encoding", taken).await;
        assert_eq!(packed.header("Content-Encoding"), "gzip", "{taken}");
        assert_ne!(packed.header("ETag"), plain.header("ETag"));
        let length = |answer: &Answer| answer.header("Content-Length").parse::<usize>();
        assert!(length(&packed).expect("a length") * 3 < length(&plain).expect("a length"));
        let tag = packed.header("ETag").to_owned();
        let known = service
            .request(Method::GET, path)
            .header("Accept-Encoding", taken)
            .header("If-None-Match", tag);
        assert_eq!(Answer::of(known).await.status, 304);
    }
    for refused in ["identity", "gzip;q=0", "gzip; q=0.0, br", "xgzip"] {
        let answer = get_with(&service, path, "Accept-Encoding", refused).await;
        assert!(
            answer.headers.get("Content-Encoding").is_none(),
            "{refused}"
        );
        assert_eq!(answer.header("ETag"), plain.header("ETag"));
    }
}

#[tokio::test]
async fn each_page_can_be_switched_off() {
    let without_inbox = Service::start_with(|config| config.inbox_page = false).await;
    let without_docs = Service::start_with(|config| config.docs_page = false).await;
    for path in files(&without_docs, "/").await {
        assert_eq!(without_docs.get(&path).await.status, 200, "{path}");
        problem(&without_inbox.get(&path).await, 404);
    }
    for path in files(&without_inbox, "/docs").await {
        assert_eq!(without_inbox.get(&path).await.status, 200, "{path}");
        problem(&without_docs.get(&path).await, 404);
    }
    let page = "default-src 'none'; frame-ancestors 'none'";
    let nothing = without_inbox.get("/").await;
    assert_eq!(nothing.header("Content-Security-Policy"), page);
    assert_eq!(nothing.header("Cache-Control"), "no-store");
}

#[tokio::test]
async fn a_page_can_be_read_only() {
    let service = Service::start().await;
    for page in ["/", "/docs"] {
        let refused = Answer::of(service.request(Method::POST, page).body("{}")).await;
        problem(&refused, 405);
        assert_eq!(refused.header("Allow"), "GET, HEAD");
        let head = Answer::of(service.request(Method::HEAD, page)).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
    }
}

#[tokio::test]
async fn the_inbox_stays_small() {
    let service = Service::start().await;
    let files = files(&service, "/").await;
    assert!(files.len() <= 18, "{files:?}");
    let mut bytes = 0;
    for path in &files {
        let packed = get_with(&service, path, "Accept-Encoding", "gzip").await;
        bytes += packed
            .header("Content-Length")
            .parse::<usize>()
            .expect("a length");
        if path.contains(".js") || path.contains(".css") {
            let plain = service.get(path).await.text;
            assert!(
                !plain.contains("\n//") && !plain.contains("/*"),
                "{path} has comments"
            );
        }
    }
    assert!(bytes <= 40_000, "{bytes} bytes");
}
