use futures_util::SinkExt;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::tungstenite::{Bytes, Error};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::sockets::start;
use super::*;

/// A client that does what it is told, right or wrong.
pub(super) struct Client(WebSocketStream<TcpStream>);

/// What the server says to a request to open a WebSocket, with these headers in it.
pub(super) async fn open(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<Client, http::Response<Option<Vec<u8>>>> {
    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
            Ok(Client(socket))
        }
        Err(Error::Http(response)) => Err(*response),
        Err(error) => panic!("{error}"),
    }
}

pub(super) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

impl Client {
    async fn open(address: SocketAddr) -> Self {
        open(address, &[PROTOCOL]).await.map_err(|refusal| refusal.status()).unwrap()
    }

    /// One that may send operations.
    async fn begin(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        client.send(json!({ "type": "connection_init", "payload": { "any": "thing" } })).await;
        assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
        client
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.say(&message.to_string()).await;
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    /// The next message, but for pings.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The messages about one operation up to its last, which are all that come.
    pub(super) async fn all(&mut self, id: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let message = self.next().await;
            assert_eq!(message["id"], id);
            all.push(message);
            if all.last().unwrap()["type"] != "next" {
                return all;
            }
        }
    }

    /// How the server closes; nothing may come before that, or after it.
    pub(super) async fn closed(mut self) -> (u16, String) {
        let closing = self.closing().await;
        assert!(self.0.next().await.is_none());
        closing
    }

    /// How the server begins to close; nothing may come before that.
    pub(super) async fn closing(&mut self) -> (u16, String) {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    return (code.into(), reason.to_string());
                }
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Nothing has come that was not read.
    async fn has_nothing_more(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }
}

#[tokio::test]
async fn a_subscription_gives_its_events_and_then_ends() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.subscribe("a \"quoted\" id", "subscription { number: numbers(to: 2) }").await;
    let next = |number| json!({ "id": "a \"quoted\" id", "type": "next", "payload": { "data": { "number": number } } });
    let complete = json!({ "id": "a \"quoted\" id", "type": "complete" });
    assert_eq!(client.all("a \"quoted\" id").await, [next(1), next(2), complete]);
    toy.running.are(0).await;
    client.has_nothing_more().await;
}

#[tokio::test]
async fn queries_and_mutations_are_taken_too_and_several_operations_at_a_time() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.subscribe("events", "subscription { numbers }").await;
    assert_eq!(client.next().await["payload"], json!({ "data": { "numbers": 1 } }));
    let payload = json!({ "query": "query A($n: String) { hello(name: $n) } query B { slow }", "operationName": "A",
                "variables": { "n": "Ann" }, "extensions": null });
    client.send(json!({ "id": "q", "type": "subscribe", "payload": payload })).await;
    let answers = client.all("q").await;
    assert_eq!(answers[0]["payload"], json!({ "data": { "hello": "hello Ann" } }));
    assert_eq!(answers[1..], [json!({ "id": "q", "type": "complete" })]);
    client.subscribe("m", "mutation { count }").await;
    assert_eq!(client.all("m").await[0]["payload"], json!({ "data": { "count": 1 } }));
    toy.running.are(1).await;
}

#[tokio::test]
async fn whoever_completes_an_operation_hears_no_more_of_it() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.subscribe("1", "subscription { numbers }").await;
    client.next().await;
    client.send(json!({ "id": "1", "type": "complete" })).await;
    toy.running.are(0).await;
    client.subscribe("2", "{ slow }").await;
    client.send(json!({ "id": "2", "type": "complete" })).await;
    client.send(json!({ "id": "unknown", "type": "complete" })).await;
    // The ids are free again.
    for id in ["1", "2"] {
        client.subscribe(id, "subscription { numbers(to: 1) }").await;
        assert_eq!(client.all(id).await.len(), 2);
    }
    client.subscribe("flood", "subscription { long(length: 10) }").await;
    client.next().await;
    client.send(json!({ "id": "flood", "type": "complete" })).await;
    client.send(json!({ "type": "ping" })).await;
    // What was under way still comes; after the pong, nothing.
    while client.next().await != json!({ "type": "pong" }) {}
    client.has_nothing_more().await;
    toy.running.are(0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_subscriptions() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut rude = Client::begin(address).await;
    let mut polite = Client::begin(address).await;
    for client in [&mut rude, &mut polite] {
        client.subscribe("1", "subscription { numbers }").await;
        client.next().await;
    }
    toy.running.are(2).await;
    drop(rude);
    toy.running.are(1).await;
    polite.0.close(None).await.unwrap();
    assert!(matches!(polite.0.next().await, Some(Ok(Message::Close(None)))), "the close is answered");
    toy.running.are(0).await;
    while toy.state.0.streams.available_permits() < 256 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_the_protocol_does_not_have_closes_with_its_code() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let subscribe = r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { numbers }"}}"#;
    for (begun, said, code, reason) in [
        (false, subscribe, 4401, "Unauthorized"),
        (true, r#"{"type":"connection_init"}"#, 4429, "Too many initialisation requests"),
        (false, r#"{"type":"connection_init","payload":1}"#, 4400, "`payload` has to be an object"),
        (true, r#"{"type":"ping","payload":"text"}"#, 4400, "`payload` has to be an object"),
        (true, "not JSON", 4400, "the message is not JSON"),
        (true, "[]", 4400, "the message is not JSON"),
        (true, r#"{"id":"1"}"#, 4400, "the message is not JSON"),
        (true, r#"{"type":"start"}"#, 4400, "a client sends no messages of this `type`"),
        (true, r#"{"type":"next","id":"1","payload":{}}"#, 4400, "a client sends no messages of this `type`"),
        (true, r#"{"type":"connection_ack"}"#, 4400, "a client sends no messages of this `type`"),
        (true, r#"{"type":"subscribe","payload":{"query":"{ hello }"}}"#, 4400, "`id` has to be a string"),
        (true, r#"{"type":"subscribe","id":"","payload":{"query":"{ hello }"}}"#, 4400, "`id` has to be a string"),
        (true, r#"{"type":"subscribe","id":7,"payload":{"query":"{ hello }"}}"#, 4400, "the message is not JSON"),
        (true, r#"{"type":"subscribe","id":"1"}"#, 4400, "`payload` is missing"),
        (true, r#"{"type":"subscribe","id":"1","payload":"{ hello }"}"#, 4400, "the request has to be a JSON object"),
        (true, r#"{"type":"subscribe","id":"1","payload":{}}"#, 4400, "`query` is missing"),
        (true, r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#, 4400, "`query` has to be a string"),
        (true, r#"{"type":"subscribe","id":"1","payload":{"query":"{ hello }","variables":[]}}"#, 4400, "`variables`"),
        (true, r#"{"type":"complete"}"#, 4400, "`id` has to be a string"),
    ] {
        let mut client = if begun { Client::begin(address).await } else { Client::open(address).await };
        client.say(said).await;
        let (closed, why) = client.closed().await;
        assert_eq!(closed, code, "{said}: {why}");
        assert!(why.starts_with(reason), "{said}: {why}");
    }
    let mut client = Client::begin(address).await;
    client.0.send(Message::binary(subscribe.as_bytes().to_vec())).await.unwrap();
    assert_eq!(client.closed().await.0, 4400);
}

#[tokio::test]
async fn an_id_in_use_closes_the_socket_whatever_kind_of_operation_has_it() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    for query in ["subscription { numbers(to: 0) }", "{ hello }", "nonsense"] {
        for first in ["{ slow }", "mutation { countSlowly(ms: 3600000) }"] {
            let mut client = Client::begin(address).await;
            client.subscribe("ü", first).await;
            client.subscribe("ü", query).await;
            assert_eq!(client.closed().await, (4409, "Subscriber for ü already exists".to_owned()));
        }
    }
    let mut client = Client::begin(address).await;
    let long = format!("x{}", "ü".repeat(127));
    client.subscribe(&long, "{ slow }").await;
    client.subscribe(&long, "{ slow }").await;
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason.len()), (4409, 122), "cut to fit, between two characters");
}

#[tokio::test]
async fn a_client_that_does_not_begin_is_closed() {
    let toy = Toy::new("--header-timeout 1s");
    let (address, _stop, _server) = start(&toy).await;
    let mut begun = Client::begin(address).await;
    let mut late = Client::open(address).await;
    late.send(json!({ "type": "ping" })).await;
    assert_eq!(late.next().await, json!({ "type": "pong" }), "allowed before");
    assert_eq!(late.closed().await, (4408, "Connection initialisation timeout".to_owned()));
    begun.has_nothing_more().await;
}

#[tokio::test]
async fn pings_of_either_kind_are_answered_and_pongs_are_not() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.send(json!({ "type": "pong", "payload": { "a": 1 } })).await;
    client.send(json!({ "type": "ping", "payload": { "a": [1, "b"] } })).await;
    assert_eq!(client.next().await, json!({ "type": "pong", "payload": { "a": [1, "b"] } }));
    client.send(json!({ "type": "ping", "payload": null })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }));
    client.0.send(Message::Ping(Bytes::from_static(b"x"))).await.unwrap();
    assert_eq!(client.0.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"x")));
}

#[tokio::test]
async fn a_client_that_answers_pings_stays_and_one_that_does_not_is_let_go() {
    let toy = Toy::new("--ping-interval 300ms");
    let (address, _stop, _server) = start(&toy).await;
    let mut deaf = Client::begin(address).await;
    deaf.subscribe("1", "subscription { numbers }").await;
    let mut alive = Client::begin(address).await;
    alive.subscribe("1", "subscription { numbers }").await;
    alive.next().await;
    toy.running.are(2).await;
    for _ in 0..4 {
        // Reading answers.
        assert!(matches!(alive.0.next().await, Some(Ok(Message::Ping(_)))));
    }
    toy.running.are(1).await;
    alive.has_nothing_more().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_an_error_and_what_goes_wrong_later_is_in_a_result() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    let bomb = format!("{{ {} }}", "a: __typename ".repeat(51));
    for (query, code) in [
        ("subscription {", "BAD_REQUEST"),
        ("subscription { unknown }", "BAD_REQUEST"),
        ("subscription { numbers(to: \"x\") }", "BAD_REQUEST"),
        ("subscription($to: Int!) { numbers(to: $to) }", "BAD_REQUEST"),
        ("subscription { a: numbers b: numbers }", "BAD_REQUEST"),
        ("subscription { ...F } fragment F on Events { numbers }", "BAD_REQUEST"),
        ("subscription { ... { numbers } }", "BAD_REQUEST"),
        ("subscription { numbers @skip(if: true) }", "BAD_REQUEST"),
        ("subscription { __typename }", "BAD_REQUEST"),
        ("{ unknown }", "BAD_REQUEST"),
        ("subscription A { numbers } subscription B { numbers }", "BAD_REQUEST"),
        (
            "subscription { numbers @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a \
          @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a @a }",
            "LIMIT_EXCEEDED",
        ),
        (&bomb, "LIMIT_EXCEEDED"),
        (&format!("{{ hello }} # {}", "x".repeat(17_000)), "LIMIT_EXCEEDED"),
    ] {
        client.subscribe("1", query).await;
        let message = client.next().await;
        let errors = message["payload"].as_array().unwrap();
        assert_eq!((&message["id"], &message["type"]), (&json!("1"), &json!("error")), "{query}");
        assert_eq!(errors[0]["extensions"]["code"], code, "{query}: {message}");
        assert!(errors.iter().all(|error| error["extensions"]["requestId"].is_string()), "{message}");
        client.has_nothing_more().await;
    }
    client.subscribe("1", "subscription { failing }").await;
    let messages = client.all("1").await;
    assert_eq!(messages[0]["payload"]["errors"][0]["message"], "it cannot begin");
    assert_eq!((&messages[0]["type"], &messages[1]["type"]), (&json!("next"), &json!("complete")));
    client.subscribe("1", "subscription { failsLater }").await;
    let messages = client.all("1").await;
    assert_eq!(messages[0]["payload"], json!({ "data": { "failsLater": 1 } }));
    assert_eq!(messages[1]["payload"]["errors"][0]["message"], "it cannot go on");
    assert_eq!(messages[1]["payload"]["errors"][0]["extensions"]["code"], "INVALID_INPUT");
}

#[tokio::test]
async fn a_panic_ends_its_operation_alone_and_tells_no_secrets() {
    let toy = Toy::new("--deadline 100ms");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.subscribe("1", "subscription { panicsLater }").await;
    let messages = client.all("1").await;
    assert_eq!(messages[0]["payload"], json!({ "data": { "panicsLater": true } }));
    for (query, code) in
        [("{ panics }", "INTERNAL"), ("mutation { panicsLate }", "INTERNAL"), ("{ slow }", "UNAVAILABLE")]
    {
        client.subscribe("2", query).await;
        let messages = [messages.clone(), client.all("2").await].concat();
        let last = messages.last().unwrap();
        assert_eq!((&last["type"], &last["payload"][0]["extensions"]["code"]), (&json!("error"), &json!(code)));
        assert!(!json!(messages).to_string().contains("secret"), "{messages:?}");
    }
    assert_eq!(messages[1]["payload"][0]["extensions"]["code"], "INTERNAL");
    client.has_nothing_more().await;
}

#[tokio::test]
async fn each_operation_is_named_after_the_request_that_opened_the_socket() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = open(address, &[PROTOCOL, ("x-request-id", "mine")]).await.ok().unwrap();
    client.send(json!({ "type": "connection_init" })).await;
    client.next().await;
    for number in 1..3 {
        client.subscribe("1", "nonsense").await;
        let expected = json!(format!("mine.{number}"));
        assert_eq!(client.next().await["payload"][0]["extensions"]["requestId"], expected);
    }
}

#[tokio::test]
async fn a_mutation_over_a_socket_is_finished_when_its_client_goes_away() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.subscribe("1", "mutation { countSlowly(ms: 200) }").await;
    while toy.state.0.mutations.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(client);
    while toy.done.times() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_socket_has_so_many_operations_and_a_server_so_many_sockets() {
    let toy = Toy::new("--max-operations 2 --max-streams 1");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    for id in ["1", "2", "3"] {
        client.subscribe(id, "{ slow }").await;
    }
    let refused = client.next().await;
    assert_eq!((&refused["id"], &refused["type"]), (&json!("3"), &json!("error")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    client.send(json!({ "id": "1", "type": "complete" })).await;
    client.subscribe("3", "{ hello }").await;
    assert_eq!(client.all("3").await.len(), 2);

    let refused = open(address, &[PROTOCOL]).await.err().unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    drop(client);
    while open(address, &[PROTOCOL]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_socket_is_opened_for_our_own_pages_and_in_our_protocol_alone() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let ours = format!("http://{address}");
    for (headers, status) in [
        (vec![], 400),
        (vec![("sec-websocket-protocol", "graphql-ws")], 400),
        (vec![("sec-websocket-protocol", "Graphql-Transport-WS")], 400),
        (vec![("sec-websocket-version", "8"), PROTOCOL], 400),
        (vec![("origin", "http://evil.example"), PROTOCOL], 403),
        (vec![("origin", "null"), PROTOCOL], 403),
        (vec![("origin", "http://localhost"), PROTOCOL], 403),
        (vec![("host", "evil.example"), ("origin", "http://evil.example"), PROTOCOL], 421),
        (vec![("origin", &ours), PROTOCOL], 101),
        (vec![("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")], 101),
    ] {
        let given = open(address, &headers).await.err().map_or(101, |refusal| refusal.status().as_u16());
        assert_eq!(given, status, "{headers:?}");
    }
    let refused = open(address, &[("sec-websocket-protocol", "graphql-ws")]).await.err().unwrap();
    let json: Value = serde_json::from_slice(refused.body().as_ref().unwrap()).unwrap();
    let error = json!({ "message": "`Sec-WebSocket-Protocol` has to name graphql-transport-ws",
        "extensions": { "code": "BAD_REQUEST", "requestId": refused.headers()["x-request-id"].to_str().unwrap() } });
    assert_eq!(json, json!({ "errors": [error] }));
}

#[tokio::test]
async fn a_message_that_is_too_large_or_broken_closes_with_its_code() {
    let toy = Toy::new("--max-body 10KiB");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.say(&json!({ "type": "ping", "payload": { "x": "x".repeat(10_000) } }).to_string()).await;
    assert_eq!(client.next().await["type"], "pong");
    client.say(&"x".repeat(10 * 1024 + 1)).await;
    assert_eq!(client.closed().await.0, 1009);

    // In parts none of which is too large; a text that is not UTF-8; a reserved kind of frame.
    let part = |first: u8| [&[first, 0xFE, 0x20, 0x00, 0, 0, 0, 0], vec![b'x'; 0x2000].as_slice()].concat();
    for (bytes, code) in [
        ([part(0x01), part(0x00)].concat(), 1009),
        (vec![0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
        (vec![0x83, 0x80, 0, 0, 0, 0], 1002),
    ] {
        let mut client = Client::begin(address).await;
        client.0.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(client.closed().await.0, code);
    }
}

#[tokio::test]
async fn a_reader_of_a_socket_that_stalls_is_let_go_and_costs_nothing_meanwhile() {
    let toy = Toy::new("--stall-timeout 100ms");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = Client::begin(address).await;
    client.subscribe("1", "subscription { long(length: 1000000) }").await;
    toy.running.are(1).await;
    toy.running.are(0).await;
}

#[tokio::test]
async fn stopping_ends_subscriptions_finishes_the_rest_and_says_so() {
    let toy = Toy::new("");
    let (address, stop, server) = start(&toy).await;
    let mut idle = Client::begin(address).await;
    idle.subscribe("1", "subscription { numbers }").await;
    idle.next().await;
    let mut busy = Client::begin(address).await;
    busy.subscribe("1", "mutation { countSlowly(ms: 300) }").await;
    while toy.state.0.mutations.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send(()).unwrap();
    let goodbye = (1001, "the server is stopping".to_owned());
    assert_eq!(idle.closed().await, goodbye);
    busy.subscribe("2", "{ hello }").await;
    let refused = busy.next().await;
    assert_eq!((&refused["id"], &refused["type"]), (&json!("2"), &json!("error")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(busy.all("1").await[0]["payload"], json!({ "data": { "countSlowly": 1 } }));
    assert_eq!(busy.closed().await, goodbye);
    timeout(Duration::from_secs(5), server).await.expect("it does not stop").unwrap();
    toy.running.are(0).await;
}
