use serde_json::json;

use super::*;

const MUTATION: &str = r#"{"query":"mutation { count }"}"#;

/// A request as a page of any site could make a browser send it, or not.
fn request(method: &str, content_type: &str, header: &str) -> Request<Body> {
    let uri = if method == "POST" { "/graphql" } else { "/graphql?query=mutation%20%7B%20count%20%7D" };
    let mut request = Request::builder().method(method).uri(uri);
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    if !header.is_empty() {
        request = request.header(header, "1");
    }
    let body = match content_type {
        "multipart/form-data; boundary=B" | "multipart/mixed; boundary=B" => uploads::parts(&[
            ("operations", "", r#"{"query":"mutation($f: Upload!) { upload(file: $f) }","variables":{"f":null}}"#),
            ("map", "", r#"{"0":["variables.f"]}"#),
            ("0", "a.csv", "text"),
        ]),
        "application/x-www-form-urlencoded" => "query=mutation%20%7B%20count%20%7D".to_owned(),
        _ => MUTATION.to_owned(),
    };
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn no_request_that_needs_no_preflight_reaches_a_mutation() {
    let toy = Toy::new("");
    let preflight = ["GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"];
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
        for content_type in [
            "application/json",
            "application/json; charset=UTF-8",
            "application/graphql-response+json",
            "application/graphql",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=B",
            "multipart/form-data",
            "multipart/mixed; boundary=B",
            "junk",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "",
        ] {
            for header in ["", "X-Other", preflight[0], preflight[1], preflight[2]] {
                let before = toy.done.times();
                let reply = toy.send(request(method, content_type, header)).await;
                let what = format!("{method} {content_type:?} {header}: {}", reply.status);
                let runs = toy.done.times() - before;
                let is_json = content_type.to_lowercase().trim_end_matches("; charset=utf-8") == "application/json";
                let has_preflight = preflight.contains(&header);
                let (status, wanted) = match (method, content_type) {
                    ("POST", _) if is_json => (200, 1),
                    ("POST", "multipart/form-data; boundary=B") if has_preflight => (200, 1),
                    ("POST", "multipart/form-data; boundary=B" | "multipart/form-data") => (400, 0),
                    ("POST", _) => (415, 0),
                    _ => (405, 0),
                };
                assert_eq!((reply.status.as_u16(), runs), (status, wanted), "{what}");
                match (status, method) {
                    (405, "GET") => assert_eq!(reply.header("allow"), Some("POST"), "{what}"),
                    (405, _) => assert_eq!(reply.header("allow"), Some("GET, POST"), "{what}"),
                    _ => {}
                }
                if status != 200 && method != "HEAD" {
                    assert_eq!(reply.code(), "BAD_REQUEST");
                    assert!(reply.json().get("data").is_none());
                }
            }
        }
    }
    assert_eq!(toy.spooled(), 0);
}

#[tokio::test]
async fn queries_may_come_by_get() {
    let toy = Toy::new("");
    let get =
        async |query: &str| toy.send(Request::get(format!("/graphql?{query}")).body(Body::empty()).unwrap()).await;
    let variables = "query=query%20A($n:String)%7Bhello(name:$n)%7D&variables=%7B%22n%22:%22you%22%7D&operationName=A";
    assert_eq!(get(variables).await.json()["data"]["hello"], "hello you");
    for wrong in ["", "variables=%7B%7D", "query=%7Bhello%7D&variables=%5B%5D", "query=a&query=b"] {
        let reply = get(wrong).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "BAD_REQUEST"), "{wrong}");
    }
}

#[tokio::test]
async fn the_reply_has_the_media_type_that_is_asked_for() {
    let toy = Toy::new("");
    const OLD: &str = "application/json; charset=utf-8";
    const NEW: &str = "application/graphql-response+json; charset=utf-8";
    for (accept, wanted) in [
        ("application/json", OLD),
        ("*/*", OLD),
        ("text/html", OLD),
        ("", OLD),
        ("application/graphql-response+json", NEW),
        ("APPLICATION/GraphQL-Response+JSON; charset=utf-8", NEW),
        ("application/graphql-response+json, application/json;q=0.9", NEW),
        ("application/json, application/graphql-response+json", OLD),
        ("application/json;q=0.5, application/graphql-response+json;q=0.8", NEW),
        ("application/graphql-response+json;q=0, application/json;q=0.1", OLD),
        ("application/json;q=x", OLD),
    ] {
        let reply = toy.json_accepting(accept, r#"{"query":"{ hello }"}"#).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some(wanted), "{accept}");
    }
}

#[tokio::test]
async fn what_is_not_executed_is_200_in_the_old_media_type_and_400_in_the_new_one_and_has_no_data() {
    let toy = Toy::new("");
    for query in ["{", "{ unknown }", "query A { hello } query B { hello }", "{ hello(name: 1) }", "{ ...F }"] {
        let body = json!({ "query": query }).to_string();
        for (accept, status) in [("application/json", 200), ("application/graphql-response+json", 400)] {
            let reply = toy.json_accepting(accept, body.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, "BAD_REQUEST"), "{query}");
            assert!(reply.json().get("data").is_none(), "{query}");
        }
    }
    let reply = toy.query(&format!("{{ {} }}", "hello ".repeat(30))).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (200, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_400_in_both_media_types() {
    let toy = Toy::new("");
    let deep = format!(r#"{{"query":"{{hello}}","variables":{{"a":{}{}}}}}"#, "[".repeat(200), "]".repeat(200));
    for body in [
        "",
        "{",
        "null",
        "1",
        "\"x\"",
        "{}",
        "\u{feff}{\"query\":\"{hello}\"}",
        r#"{"query":null}"#,
        r#"{"query":1}"#,
        r#"{"query":["{hello}"]}"#,
        r#"{"query":"{hello}","operationName":1}"#,
        r#"{"query":"{hello}","variables":[]}"#,
        r#"{"query":"{hello}","variables":"{}"}"#,
        r#"{"query":"{hello}","variables":{"1":2}"#,
        r#"{"query":"{hello}","extensions":[]}"#,
        r#"{"query":"{hello}","query":"{hello}"}"#,
        r#"{"query":"{hello}"} {}"#,
        r#"{"query":"\ud800"}"#,
        &deep,
        "[]",
        r#"[{"query":"{hello}"}]"#,
        r#"  [{"query":"{hello}"},{"query":"{hello}"}]"#,
        &format!("[{}]", vec![r#"{"query":"{a}"}"#; 60_000].join(",")),
    ] {
        for accept in ["application/json", "application/graphql-response+json"] {
            let reply = toy.json_accepting(accept, body.to_owned()).await;
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "BAD_REQUEST"), "{body:.60}");
        }
    }
    let reply = toy.json(vec![b'{', 0xff, b'}']).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "BAD_REQUEST"));
    let nulls = r#"{"query":"{hello}","operationName":null,"variables":null,"extensions":null,"id":1}"#;
    assert_eq!(toy.json(nulls).await.json()["data"]["hello"], "hello ");
}

#[tokio::test]
async fn what_is_too_large_is_413() {
    let toy = Toy::new("--max-body 1MiB --max-variables 256KiB");
    let query = |length: usize| json!({ "query": format!("{{ hello }}{}", " ".repeat(length - 9)) }).to_string();
    assert_eq!(toy.json(query(16 << 10)).await.status, 200);
    let variables = |length: usize| format!(r#"{{"query":"{{hello}}","variables":{{"a":"{}"}}}}"#, "x".repeat(length));
    assert_eq!(toy.json(variables((256 << 10) - 8)).await.status, 200);
    for body in [query((16 << 10) + 1), variables(256 << 10), " ".repeat((1 << 20) + 1)] {
        let reply = toy.json(body).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "LIMIT_EXCEEDED"));
    }
}

#[tokio::test]
async fn floods_of_errors_give_small_replies() {
    let toy = Toy::new("--max-fields 100000 --max-root-fields 100000");
    let unknown: String = (0..2_500).map(|at| format!("f{at} ")).collect();
    let long = "x".repeat(15_000);
    let bad = "\u{1}".repeat(10_000);
    for query in [
        format!("{{ {unknown} }}"),
        format!("{{ {long} }}"),
        format!("{{ {long}: {long} }}").chars().take(16_000).collect(),
        format!("{{ hello(name: \"{long}\", unknown: \"\") {bad} "),
        format!("{{ hello(name: {{{long}: 1}}) }}"),
        "{ fails(times: 5000, length: 5000) { name } }".to_owned(),
        format!("{{ {long}: fails(times: 100, length: 1) {{ name }} }}"),
    ] {
        let reply = toy.query(&query).await;
        assert!(!reply.code().is_empty());
        let json = reply.json();
        let errors = json["errors"].as_array().unwrap();
        assert!(errors.len() <= 20, "{query:.40}: {}", errors.len());
        assert!(errors.iter().all(|error| error["message"].as_str().unwrap().len() <= 1024));
        let size = json["errors"].to_string().len();
        assert!(size <= 32 << 10, "{query:.40}: {size}");
        if json["data"].is_null() {
            assert!(reply.body.len() <= 32 << 10, "{query:.40}: {}", reply.body.len());
        }
    }
    let reply = toy.query(&format!("{{ {unknown} }}")).await;
    assert_eq!(reply.json()["extensions"]["errorsOmitted"], 2_480);
}

#[tokio::test]
async fn a_text_that_poses_as_an_uploaded_file_is_refused() {
    let toy = Toy::new("");
    for mark in ["#__graphql_file__:0", "#__graphql_file__:x", "#__graphql_file__:-1", "#__graphql_file__:"] {
        let literal = format!("mutation {{ upload(file: \"{mark}\") }}");
        let given = json!({ "query": "mutation($f: Upload!) { upload(file: $f) }", "variables": { "f": mark } });
        let default = format!("mutation($f: Upload! = \"{mark}\") {{ upload(file: $f) }}");
        for body in [json!({ "query": literal }), given, json!({ "query": default })] {
            assert_eq!(toy.json(body.to_string()).await.code(), "BAD_REQUEST");
        }
    }
    assert_eq!(toy.done.times(), 0);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_server_lives() {
    let toy = Toy::new("");
    for query in ["{ panics }", "mutation { panicsLate }"] {
        let reply = toy.query(query).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (500, "INTERNAL"));
    }
    let reply = toy.send(Request::get("/export/sample.csv").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 500);
    assert_eq!(reply.json()["error"]["code"], "INTERNAL");
    assert_eq!(toy.query("{ hello }").await.status, 200);
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_given_up_but_a_mutation_goes_on() {
    let toy = Toy::new("--deadline 50ms");
    let reply = toy.query("{ slow }").await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (504, "UNAVAILABLE"));
    let reply = toy.query("mutation { countSlowly(ms: 100) }").await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (504, "UNAVAILABLE"));
    toy.state.0.mutations.close();
    toy.state.0.mutations.wait().await;
    assert_eq!(toy.done.times(), 1);
}

#[tokio::test]
async fn a_mutation_is_finished_when_its_client_goes_away() {
    let toy = Toy::new("");
    for _ in 0..20 {
        let request = toy.query("mutation { countSlowly(ms: 30) }");
        assert!(tokio::time::timeout(Duration::from_millis(5), request).await.is_err());
    }
    toy.state.0.mutations.close();
    toy.state.0.mutations.wait().await;
    assert_eq!(toy.done.times(), 20);
}

#[tokio::test]
async fn every_reply_has_the_headers_of_an_api() {
    let toy = Toy::new("");
    for path in ["/livez", "/readyz", "/graphql?query=%7Bhello%7D", "/export/users.csv", "/export/sample.csv", "/other"]
    {
        let reply = toy.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.header("cache-control").unwrap().starts_with("no-store"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(reply.header("x-request-id").unwrap().len(), 16, "{path}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_own_id_if_it_is_plain() {
    let toy = Toy::new("");
    for (id, kept) in [("my-id_1.2", true), ("", false), ("a b", false), ("<a>", false), (&"x".repeat(65), false)] {
        let request = Request::get("/livez").header("x-request-id", id).body(Body::empty()).unwrap();
        assert_eq!(toy.send(request).await.header("x-request-id") == Some(id), kept, "{id}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_plain_json() {
    let toy = Toy::new("");
    let reply = toy.send(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (404, &json!("NOT_FOUND")));
    let reply = toy.send(Request::post("/livez").body(Body::empty()).unwrap()).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (405, &json!("BAD_REQUEST")));
    assert_eq!(reply.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn other_host_names_are_misdirected() {
    let toy = Toy::new("--allowed-hosts roster.example");
    for (host, status) in [("localhost:8000", 200), ("roster.example", 200), ("evil.example", 421)] {
        let request = Request::get("/graphql?query=%7Bhello%7D").header("host", host).body(Body::empty()).unwrap();
        assert_eq!(toy.send(request).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn large_json_is_compressed_for_those_who_take_it_and_downloads_are_not() {
    let toy = Toy::new("");
    let get = async |path: &str| {
        toy.send(Request::get(path).header("accept-encoding", "gzip").body(Body::empty()).unwrap()).await
    };
    let long = get("/graphql?query=%7Blong(length:10000)%7D").await;
    assert_eq!(long.header("content-encoding"), Some("gzip"));
    assert!(long.body.len() < 1_000);
    assert_eq!(get("/graphql?query=%7Blong(length:10)%7D").await.header("content-encoding"), None);
    let export = get("/export/users.csv").await;
    assert_eq!((export.header("content-encoding"), export.body.len()), (None, 8_000));
    let huge = toy.query("{ long(length: 11000000) }").await;
    assert_eq!(huge.json()["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
}
