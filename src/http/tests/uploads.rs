use futures_util::stream;

use super::*;

const OPERATIONS: &str = r#"{"query":"mutation($f: Upload!) { upload(file: $f) }","variables":{"f":null}}"#;
const MAP: &str = r#"{"0":["variables.f"]}"#;

/// A multipart body of these parts: name, file name (or none), content.
pub(super) fn parts(parts: &[(&str, &str, &str)]) -> String {
    let mut body = String::new();
    for (name, filename, content) in parts {
        let file = if filename.is_empty() { String::new() } else { format!("; filename=\"{filename}\"") };
        body += &format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n");
    }
    body + "--B--\r\n"
}

fn upload(content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request =
        Request::post("/graphql").header("content-type", content_type).header("graphql-require-preflight", "1");
    request.body(body.into()).unwrap()
}

async fn send(toy: &Toy, body: impl Into<Body>) -> Reply {
    toy.send(upload("multipart/form-data; boundary=B", body)).await
}

/// `body`, in pieces of `size` bytes.
fn in_pieces(body: &str, size: usize) -> Body {
    let pieces: Vec<_> = body.as_bytes().chunks(size).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn a_file_arrives_whole_however_the_body_is_cut() {
    let toy = Toy::new("");
    let content = "a,b\r\n-B-\r\n\r\n--\r\n--A\r".repeat(3_000);
    let body = parts(&[("operations", "", OPERATIONS), ("map", "", MAP), ("0", "people.csv", &content)]);
    for size in [1, 2, 7, 100, 4_096, 1 << 20] {
        let reply = send(&toy, in_pieces(&body, size)).await;
        assert_eq!(reply.status, 200);
        assert!(reply.json()["data"]["upload"] == format!("people.csv: {content}"), "{size}");
    }
    assert_eq!((toy.done.times(), toy.spooled()), (6, 0));
}

#[tokio::test]
async fn the_file_may_go_deep_into_the_variables_and_be_empty() {
    let toy = Toy::new("");
    let operations = r#"{"query":"mutation($i: [Upload!]!) { upload(file: $i) }","variables":{"i":[{"file":null}]}}"#;
    let map = r#"{"file-1":["variables.i.0.file"]}"#;
    let reply = send(&toy, parts(&[("operations", "", operations), ("map", "", map), ("file-1", "x", "")])).await;
    // It gets as far as validation, which knows that this is not what `upload` takes.
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (200, "BAD_REQUEST"));
    let reply = send(&toy, parts(&[("operations", "", OPERATIONS), ("map", "", MAP), ("0", "x", "")])).await;
    assert_eq!(reply.json()["data"]["upload"], "x: ");
}

#[tokio::test]
async fn malformed_bodies_are_told_so_and_leave_nothing() {
    let toy = Toy::new("--max-upload 1MiB");
    let good = [("operations", "", OPERATIONS), ("map", "", MAP), ("0", "a.csv", "text")];
    let [operations, map, file] = good;
    let whole = parts(&good);
    let with_operations = |text: &str| parts(&[("operations", "", text), map, file]);
    let with_map = |text: &str| parts(&[operations, ("map", "", text), file]);
    let with_type = |name: &str, content_type: &str| {
        whole.replace(&format!("name=\"{name}\"\r\n"), &format!("name=\"{name}\"\r\nContent-Type: {content_type}\r\n"))
    };
    let many: Vec<_> = (0..1_000).map(|_| ("0", "a.csv", "text")).collect();
    let paths = format!("{{\"0\":[{}]}}", vec!["\"variables.f\""; 200].join(","));
    let head = &whole[..whole.find("--B\r\nContent-Disposition: form-data; name=\"0\"").unwrap()];
    let large = "x".repeat((1 << 20) + 1);
    for (what, status, body) in [
        ("nothing", 400, String::new()),
        ("no boundary in it", 400, "junk".to_owned()),
        ("only an end", 400, "--B--\r\n".to_owned()),
        ("file first", 400, parts(&[file, operations, map])),
        ("map first", 400, parts(&[map, operations, file])),
        ("file before map", 400, parts(&[operations, file, map])),
        ("no operations", 400, parts(&[map, file])),
        ("no map", 400, parts(&[operations, file])),
        ("no file", 400, parts(&[operations, map])),
        ("operations twice", 400, parts(&[operations, operations, map, file])),
        ("map twice", 400, parts(&[operations, map, map, file])),
        ("file twice", 400, parts(&[operations, map, file, file])),
        ("a thousand files", 400, parts(&[&[operations, map], many.as_slice()].concat())),
        ("a part more", 400, parts(&[operations, map, file, ("more", "", "text")])),
        ("another file", 400, parts(&[operations, map, ("1", "a.csv", "text")])),
        ("a file without a filename", 400, parts(&[operations, map, ("0", "", "text")])),
        ("operations empty", 400, with_operations("")),
        ("operations not JSON", 400, with_operations("{")),
        ("operations a batch", 400, with_operations(&format!("[{OPERATIONS}]"))),
        ("operations without a query", 400, with_operations(r#"{"variables":{"f":null}}"#)),
        ("operations without variables", 400, with_operations(r#"{"query":"{ hello }"}"#)),
        ("operations too large", 413, with_operations(&" ".repeat(64 * 1024 + 1))),
        ("no null at the path", 400, with_operations(&OPERATIONS.replace("null", "\"x\""))),
        ("a forged upload there", 400, with_operations(&OPERATIONS.replace("null", "\"#__graphql_file__:0\""))),
        ("map empty", 400, with_map("")),
        ("map not an object", 400, with_map("[]")),
        ("map without files", 400, with_map("{}")),
        ("map of two files", 400, with_map(r#"{"0":["variables.f"],"1":["variables.f"]}"#)),
        ("map without paths", 400, with_map(r#"{"0":[]}"#)),
        ("map of two paths", 400, with_map(r#"{"0":["variables.f","variables.f"]}"#)),
        ("map of many paths", 400, with_map(&paths)),
        ("map of a number", 400, with_map(r#"{"0":[1]}"#)),
        ("map of a text", 400, with_map(r#"{"0":"variables.f"}"#)),
        ("map to nowhere", 400, with_map(r#"{"0":["variables.g"]}"#)),
        ("map to the query", 400, with_map(r#"{"0":["query"]}"#)),
        ("map into a null", 400, with_map(r#"{"0":["variables.f.g"]}"#)),
        ("map to an index of nothing", 400, with_map(r#"{"0":["variables.f.4294967295"]}"#)),
        ("map to an empty path", 400, with_map(r#"{"0":[""]}"#)),
        ("map of a batch's path", 400, with_map(r#"{"0":["0.variables.f"]}"#)),
        ("map of an empty name", 400, with_map(r#"{"":["variables.f"]}"#)),
        ("map of operations", 400, with_map(r#"{"operations":["variables.f"]}"#)),
        ("map too large", 413, with_map(&" ".repeat(4 * 1024 + 1))),
        ("operations that is multipart", 400, with_type("operations", "multipart/mixed")),
        ("map that is an image", 400, with_type("map", "image/png")),
        ("a name without quotes' end", 400, whole.replace("name=\"operations\"", "name=\"operations")),
        ("no name", 400, whole.replace("; name=\"operations\"", "")),
        ("no Content-Disposition", 400, whole.replace("Content-Disposition: form-data; name=\"map\"", "X: y")),
        ("a header that is none", 400, whole.replace("Content-Disposition", "Content Disposition")),
        ("a hundred headers", 400, whole.replacen("--B\r\n", &format!("--B\r\n{}", "X: y\r\n".repeat(100)), 1)),
        ("a header that does not end", 413, format!("--B\r\nX: {}", "x".repeat(200_000))),
        ("a preamble that does not end", 413, "x".repeat(200_000)),
        ("a header after the file that does not end", 413, whole.replace("--B--", &format!("--B\r\nX: {large}"))),
        ("a file's header that does not end", 413, format!("{head}--B\r\nX: {}", "x".repeat(200_000))),
        ("padding that does not end", 413, format!("--B{}", " ".repeat(200_000))),
        ("a file too large", 413, parts(&[operations, map, ("0", "a.csv", &large)])),
        ("no end", 400, whole.replace("--B--\r\n", "")),
        ("half an end", 400, whole.replace("--B--\r\n", "--B-")),
        ("bare line feeds", 400, whole.replace("\r\n", "\n")),
        ("another boundary", 400, whole.replace("--B", "--C")),
        ("cut in the file", 400, whole[..whole.len() - 15].to_owned()),
        ("cut in map", 400, whole[..200].to_owned()),
    ] {
        for size in [1 << 20, 1_000] {
            let reply = send(&toy, in_pieces(&body, size)).await;
            let code = if status == 413 { "LIMIT_EXCEEDED" } else { "BAD_REQUEST" };
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{what}: {:?}", reply.json());
        }
    }
    assert_eq!((toy.done.times(), toy.spooled()), (0, 0));
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\""]
    {
        assert_eq!(toy.send(upload(content_type, whole.clone())).await.status, 400, "{content_type}");
    }
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    assert_eq!(toy.send(upload(&long, whole.clone())).await.status, 400);
    assert_eq!(send(&toy, whole).await.status, 200, "and a good one still passes");
}

#[tokio::test]
async fn a_document_that_is_refused_is_refused_before_its_file_arrives() {
    let toy = Toy::new("");
    let whole = parts(&[("operations", "", &OPERATIONS.replace("($f", "($f $")), ("map", "", MAP)]);
    let head = whole.replace("--B--\r\n", "--B\r\n");
    let never_ends = stream::iter([Ok::<_, std::io::Error>(head)]);
    let body = Body::from_stream(futures_util::StreamExt::chain(never_ends, stream::pending()));
    let reply = send(&toy, body).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (200, "BAD_REQUEST"));
}

#[tokio::test]
async fn an_upload_that_is_announced_too_large_is_refused_at_once() {
    let toy = Toy::new("--max-upload 1MiB");
    let mut request = upload(
        "multipart/form-data; boundary=B",
        Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>()),
    );
    request.headers_mut().insert("content-length", "2000000".parse().unwrap());
    let reply = toy.send(request).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let toy = Toy::new("--stall-timeout 50ms");
    let endless = || Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let reply = send(&toy, endless()).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (408, "BAD_REQUEST"));
    let reply = toy.json(endless()).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (408, "BAD_REQUEST"));
    let trickle = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    });
    let reply = toy.json(Body::from_stream(trickle)).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (408, "BAD_REQUEST"), "too slow on average");
    assert_eq!(toy.spooled(), 0);
}

#[tokio::test]
async fn there_are_only_so_many_uploads_at_a_time() {
    let toy = Toy::new("--max-transfers 1");
    let _taken = toy.state.0.uploads.try_acquire().unwrap();
    let reply = send(&toy, parts(&[("operations", "", OPERATIONS), ("map", "", MAP), ("0", "a.csv", "x")])).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (429, "UNAVAILABLE"));
    assert_eq!(reply.header("retry-after"), Some("1"));
}
