//! What comes before GraphQL: TLS, pages of other origins, documents that are trusted.

use std::path::Path;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, VARY};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::sockets::{connect, rest, start};
use super::*;

/// Writes a certificate for `localhost` and its key, and gives the certificate.
pub(in crate::http) fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// The flags that name what [`certify`] wrote.
pub(in crate::http) fn flags(folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!("--tls-certificate {} --tls-key {}", file("certificate.pem"), file("key.pem"))
}

#[tokio::test]
async fn with_a_certificate_only_tls_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let toy = Toy::new(&format!("--header-timeout 300ms {}", flags(folder.path())));
    let (address, _stop, _server) = start(&toy).await;

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK") && reply.ends_with("ok"), "{reply}");
    assert!(reply.contains("strict-transport-security: max-age="), "{reply}");

    let plain = rest(&mut connect(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await).await;
    assert!(!plain.contains("HTTP/1.1 200"), "{plain}");
    assert_eq!(rest(&mut connect(address, "").await).await, "", "whoever does not begin is let go");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |flags: &str| Toy::try_new(flags).err().map(|error| error.to_string()).unwrap_or_default();
    let flags = flags(folder.path());
    assert!(refused(&flags).starts_with("ROSTER_TLS_CERTIFICATE: "), "{}", refused(&flags));
    certify(folder.path());
    assert_eq!(refused(&flags), "");
    std::fs::write(folder.path().join("key.pem"), "not a key").unwrap();
    assert!(refused(&flags).starts_with("ROSTER_TLS_KEY: "), "{}", refused(&flags));
    let other = tempfile::tempdir().unwrap();
    certify(other.path());
    std::fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    assert!(refused(&flags).contains("does not go with the certificate"), "{}", refused(&flags));
}

#[tokio::test]
async fn pages_of_listed_origins_may_call_and_no_others() {
    let toy = Toy::new("--cors-origins https://app.example,http://localhost:3000");
    let ask = async |method: &str, origin: &str| {
        let request = Request::builder().method(method).uri("/graphql").header("origin", origin);
        let request = request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .header("content-type", "application/json");
        toy.send(request.body(Body::from(r#"{"query":"{ hello }"}"#)).unwrap()).await
    };
    for origin in ["https://app.example", "http://localhost:3000"] {
        for method in ["OPTIONS", "POST"] {
            let reply = ask(method, origin).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header(ACCESS_CONTROL_ALLOW_ORIGIN.as_str()), Some(origin), "{method}");
            assert_eq!(reply.header(ACCESS_CONTROL_ALLOW_CREDENTIALS.as_str()), None);
            let varies = reply.headers.get_all(VARY).iter().map(|vary| vary.to_str().unwrap().to_lowercase());
            assert!(
                varies
                    .flat_map(|vary| vary.split(", ").map(str::to_owned).collect::<Vec<_>>())
                    .any(|by| by == "origin")
            );
        }
    }
    for origin in [
        "null",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "https://evil.example/https://app.example",
        "http://app.example",
        "https://app.example:8443",
        "https://APP.example",
        "https://sub.app.example",
        "http://localhost",
        "http://127.0.0.1:3000",
        "https://app.example,https://evil.example",
        "*",
    ] {
        for method in ["OPTIONS", "POST"] {
            assert_eq!(ask(method, origin).await.header(ACCESS_CONTROL_ALLOW_ORIGIN.as_str()), None, "{origin}");
        }
    }
    let none = Toy::new("");
    let request = Request::post("/graphql").header("origin", "https://app.example").body(Body::empty()).unwrap();
    assert_eq!(none.send(request).await.header(ACCESS_CONTROL_ALLOW_ORIGIN.as_str()), None, "by default none");
    let refused = Toy::try_new("--cors-origins *").err().unwrap().to_string();
    assert!(refused.starts_with("ROSTER_CORS_ORIGINS: `*`"), "{refused}");
}

#[tokio::test]
async fn where_documents_are_listed_nothing_else_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    let document = "{ hello }";
    let id: String = Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&file, serde_json::json!({ &id: document }).to_string()).unwrap();
    let toy = Toy::new(&format!("--trusted-documents {}", file.display()));
    for request in [
        serde_json::json!({ "query": document }),
        serde_json::json!({ "documentId": id }),
        serde_json::json!({ "documentId": format!("sha256:{id}"), "variables": {} }),
        serde_json::json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": id } } }),
    ] {
        let reply = toy.json(request.to_string()).await;
        assert_eq!(reply.json()["data"]["hello"], "hello ", "{request}");
    }
    let by_get = Request::get(format!("/graphql?documentId={id}")).body(Body::empty()).unwrap();
    assert_eq!(toy.send(by_get).await.json()["data"]["hello"], "hello ");
    for request in [
        serde_json::json!({ "query": "{ hello hello }" }),
        serde_json::json!({ "query": "mutation { count }" }),
        serde_json::json!({ "documentId": "00" }),
        serde_json::json!({ "query": "{ __schema { types { name } } }", "documentId": id }),
    ] {
        let reply = toy.json(request.to_string()).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (403, "FORBIDDEN"), "{request}");
    }
    let unknown = Toy::new("").json(serde_json::json!({ "documentId": id }).to_string()).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn where_introspection_is_off_nobody_is_told_the_schema() {
    let toy = Toy::new("--introspection off");
    for query in
        ["{ __schema { types { name } } }", "{ hello ...A } fragment A on Query { __type(name: \"Query\") { name } }"]
    {
        let reply = toy.query(query).await;
        assert_eq!(reply.code(), "FORBIDDEN", "{query}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("Query"));
    }
    assert_eq!(toy.query("{ __typename hello }").await.json()["data"]["hello"], "hello ");
}

#[tokio::test]
async fn more_requests_than_may_be_answered_at_a_time_are_told_at_once_to_come_back() {
    let toy = Toy::new("--max-requests 2 --deadline 1s");
    let slow = || toy.query("{ slow }");
    let slowly = || toy.json_accepting("text/event-stream", r#"{"query":"{ slow }"}"#);
    let more = async {
        while toy.state.0.requests.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let begun = std::time::Instant::now();
        let reply = toy.send(Request::get("/graphql?query=%7Bhello%7D").body(Body::empty()).unwrap()).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, Some("1")));
        assert_eq!(reply.code(), "UNAVAILABLE");
        let events = toy.json_accepting("text/event-stream", r#"{"query":"{ hello }"}"#).await;
        assert!(String::from_utf8_lossy(&events.body).contains(r#""code":"UNAVAILABLE""#), "{events:?}");
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        for probe in ["/livez", "/readyz"] {
            assert_eq!(toy.send(Request::get(probe).body(Body::empty()).unwrap()).await.status, 200, "{probe}");
        }
    };
    let (one, other, ()) = tokio::join!(slow(), slowly(), more);
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (504, 200));
    assert_eq!(toy.query("{ hello }").await.status, 200);
}

#[tokio::test]
async fn requests_that_are_still_arriving_take_no_place_of_those_that_are_here() {
    let toy = Toy::new("--max-requests 1");
    let arriving = || {
        let (say, body) = by_and_by(vec![b' '; 70_000], Vec::new());
        let request = Request::post("/graphql").header("content-type", "application/json").body(body).unwrap();
        (say, router(toy.state.clone()).oneshot(request))
    };
    let (_say, replies): (Vec<_>, Vec<_>) = (0..64).map(|_| arriving()).unzip();
    let others = async {
        while toy.state.0.large_bodies.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (_say, one_more) = arriving();
        let refused = one_more.await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
        assert_eq!(toy.query("{ hello }").await.status, 200);
    };
    tokio::select! {
        _ = futures_util::future::join_all(replies) => panic!("these are still arriving"),
        () = others => {}
    }
}
