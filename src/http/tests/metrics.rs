//! What is counted of requests.

use axum::body::Body;
use http::Request;

use super::Toy;

/// The value of a line of the metrics; what it is of stands before it.
async fn value(toy: &Toy, of: &str) -> Option<f64> {
    let reply = toy.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(of)?.strip_prefix(' ')?.parse().ok());
    let value = values.next();
    assert_eq!(values.next(), None, "{of} stands there twice");
    value
}

fn answered(route: &str, operation: &str, status: u16, code: &str) -> String {
    let labels = format!(r#"route="{route}",operation="{operation}",status="{status}",code="{code}""#);
    format!("roster_http_requests_total{{{labels}}}")
}

#[tokio::test]
async fn each_request_is_counted_with_its_operation_and_how_it_was_answered() {
    let toy = Toy::new("--deadline 100ms");
    for (query, operation, status, code) in [
        ("{ hello }", "query", 200, ""),
        ("mutation { countSlowly(ms: 1) }", "mutation", 200, ""),
        ("{ nothing }", "query", 200, "BAD_REQUEST"),
        ("{", "", 200, "BAD_REQUEST"),
        ("mutation { countSlowly(ms: 2000) }", "mutation", 504, "UNAVAILABLE"),
    ] {
        let counted = answered("/graphql", operation, status, code);
        let before = value(&toy, &counted).await.unwrap_or_default();
        toy.query(query).await;
        assert_eq!(value(&toy, &counted).await, Some(before + 1.0), "{query}");
    }
    for made_up in ["/a", "/b", "/graphql/"] {
        toy.send(Request::get(made_up).body(Body::empty()).unwrap()).await;
    }
    assert_eq!(value(&toy, &answered("other", "", 404, "NOT_FOUND")).await, Some(3.0));
    let of_queries = r#"{route="/graphql",operation="query"}"#;
    let timed = value(&toy, &format!("roster_http_request_duration_seconds_count{of_queries}")).await;
    assert_eq!(timed, Some(2.0));
}

#[tokio::test]
async fn what_is_under_way_stands_beside_what_there_may_be() {
    let toy = Toy::new("--max-transfers 3");
    assert_eq!(value(&toy, r#"roster_http_limit{what="uploads"}"#).await, Some(3.0));
    assert_eq!(value(&toy, r#"roster_http_in_use{what="uploads"}"#).await, Some(0.0));
    let _upload = toy.state.0.uploads.clone().acquire_owned().await.unwrap();
    assert_eq!(value(&toy, r#"roster_http_in_use{what="uploads"}"#).await, Some(1.0));
    assert_eq!(value(&toy, "roster_users").await, Some(3.0));
    assert_eq!(value(&toy, "roster_ready").await, Some(1.0));
    assert!(value(&toy, "process_start_time_seconds").await > Some(1.0e9));
    assert!(value(&toy, "process_resident_memory_bytes").await > Some(1.0e6));
    toy.state.drain();
    let reply = toy.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 503, "what stops takes no new work");
}
