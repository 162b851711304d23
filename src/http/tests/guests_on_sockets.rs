//! Who is let in on a WebSocket, and for how long.

use serde_json::json;

use super::sockets::start;
use super::websockets::{Client, PROTOCOL, open};
use super::*;
use crate::http::live::{STRANGERS, STRANGERS_OF_ONE};

/// One that has said nothing yet, on a server that asks for tokens.
async fn open_with(address: SocketAddr, token: Option<&str>) -> Client {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> =
        [PROTOCOL].into_iter().chain(bearer.iter().map(|bearer| ("authorization", bearer.as_str()))).collect();
    open(address, &headers).await.map_err(|refusal| refusal.status()).unwrap()
}

#[tokio::test]
async fn a_client_says_who_it_is_in_a_header_or_in_its_first_message() {
    let toy = Toy::new("--auth tokens");
    toy.tokens.add("ann");
    let (address, _stop, _server) = start(&toy).await;
    let refused = open(address, &[PROTOCOL, ("authorization", "Bearer nobody")]).await.err().unwrap();
    assert_eq!(refused.status(), 401);
    let said = |payload: Value| json!({ "type": "connection_init", "payload": payload });
    for (header, first) in [
        (Some("ann"), json!({ "type": "connection_init" })),
        (Some("ann"), said(json!({ "any": "thing" }))),
        (None, said(json!({ "Authorization": "Bearer ann" }))),
        (None, said(json!({ "authorization": "bearer ann" }))),
    ] {
        let mut client = open_with(address, header).await;
        client.send(first).await;
        assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
        client.subscribe("1", "{ me }").await;
        assert_eq!(client.next().await["payload"]["data"]["me"], "ann, Reader");
    }
    for (header, first) in [
        (None, json!({ "type": "connection_init" })),
        (None, said(json!({ "token": "ann" }))),
        (None, said(json!({ "Authorization": "ann" }))),
        (None, said(json!({ "Authorization": "Bearer nobody" }))),
        (Some("ann"), said(json!({ "Authorization": "Bearer nobody" }))),
    ] {
        let mut client = open_with(address, header).await;
        client.send(first).await;
        assert_eq!(client.closed().await, (4403, "Forbidden".to_owned()));
    }
    let mut client = open_with(address, None).await;
    client.send(said(json!({ "Authorization": ["Bearer ann"] }))).await;
    assert_eq!(client.closed().await.0, 4400);
    let mut client = open_with(address, None).await;
    client.subscribe("1", "{ me }").await;
    assert_eq!(client.closed().await.0, 4401);
}

#[tokio::test]
async fn a_socket_is_closed_when_its_token_is_revoked_however_it_was_brought() {
    let toy = Toy::new("--auth tokens");
    let (address, _stop, _server) = start(&toy).await;
    for header in [Some("ann"), None] {
        toy.tokens.add("ann");
        let mut client = open_with(address, header).await;
        client.send(json!({ "type": "connection_init", "payload": { "authorization": "Bearer ann" } })).await;
        client.next().await;
        client.subscribe("1", "subscription { numbers }").await;
        assert_eq!(client.next().await["payload"]["data"]["numbers"], 1);
        toy.tokens.revoke("ann");
        assert_eq!(client.closed().await, (4403, "Forbidden".to_owned()));
        toy.running.are(0).await;
    }
}

#[tokio::test]
async fn a_client_that_puts_off_its_first_message_is_let_in_no_longer_either() {
    let toy = Toy::new("--auth tokens");
    let (address, _stop, _server) = start(&toy).await;
    toy.tokens.add("ann");
    let (mut quick, mut slow) = (open_with(address, Some("ann")).await, open_with(address, Some("ann")).await);
    toy.tokens.revoke("ann");
    quick.send(json!({ "type": "connection_init" })).await;
    assert_eq!(quick.closed().await.0, 4403);
    for _ in 0..10 {
        slow.send(json!({ "type": "pong" })).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let closing = tokio::time::timeout(Duration::from_millis(500), slow.closing()).await;
    assert_eq!(closing.expect("it is let in still").0, 4403);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_in_no_longer_either() {
    let toy = Toy::new("--auth tokens");
    toy.tokens.add("ann");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = open_with(address, Some("ann")).await;
    client.send(json!({ "type": "connection_init" })).await;
    client.next().await;
    client.subscribe("1", "subscription { long(length: 1000000) }").await;
    client.next().await;
    // By then no buffer takes more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.subscribe("2", "mutation { count }").await;
    toy.tokens.revoke("ann");
    tokio::time::timeout(Duration::from_secs(10), toy.running.are(0)).await.expect("it goes on");
    drop(client);
    while !toy.state.0.sockets.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(toy.done.times(), 0);
}

#[tokio::test]
async fn a_socket_has_its_place_until_it_is_closed_on_both_sides() {
    let toy = Toy::new("--auth tokens");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = open_with(address, None).await;
    client.send(json!({ "type": "nothing" })).await;
    assert_eq!(client.closing().await.0, 4400);
    assert_eq!(toy.state.0.strangers.taken(), 1);
    drop(client);
    while toy.state.0.strangers.taken() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn wrong_attempts_on_sockets_are_counted_and_operations_on_them_take_points() {
    let toy = Toy::new("--auth tokens --rate-limit 3");
    toy.tokens.add("ann");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = open_with(address, Some("ann")).await;
    client.send(json!({ "type": "connection_init" })).await;
    client.next().await;
    for (id, last) in [("1", "complete"), ("2", "complete"), ("3", "error")] {
        client.subscribe(id, "{ me }").await;
        let all = client.all(id).await;
        assert_eq!(all.last().unwrap()["type"], last);
        if last == "error" {
            assert_eq!(all[0]["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
        }
    }
    for _ in 0..20 {
        let mut client = open_with(address, None).await;
        client.send(json!({ "type": "connection_init", "payload": { "authorization": "Bearer nobody" } })).await;
        assert_eq!(client.closed().await.0, 4403);
    }
    let mut client = open_with(address, None).await;
    client.send(json!({ "type": "connection_init", "payload": { "authorization": "Bearer ann" } })).await;
    assert_eq!(client.next().await, json!({ "type": "connection_ack" }), "a right token, from the same address");
    let wrong = open(address, &[PROTOCOL, ("authorization", "Bearer nobody")]).await.err().unwrap();
    assert_eq!(wrong.status(), 429);
}

#[tokio::test]
async fn what_cannot_be_read_as_a_first_message_is_an_attempt_too() {
    let toy = Toy::new("--auth tokens");
    let (address, _stop, _server) = start(&toy).await;
    for _ in 0..20 {
        let mut client = open_with(address, None).await;
        client.send(json!({ "type": "connection_init", "payload": { "authorization": 7 } })).await;
        assert_eq!(client.closed().await.0, 4400);
    }
    let wrong = open(address, &[PROTOCOL, ("authorization", "Bearer nobody")]).await.err().unwrap();
    assert_eq!(wrong.status(), 429);
}

#[tokio::test]
async fn clients_that_have_not_said_who_they_are_take_no_place_of_those_who_have() {
    let toy = Toy::new("--auth tokens --max-streams 2 --trusted-proxies 127.0.0.0/8");
    toy.tokens.add("ann");
    let (address, _stop, _server) = start(&toy).await;
    let first = json!({ "type": "connection_init", "payload": { "authorization": "Bearer ann" } });
    let (mut strangers, mut kept) = (Vec::new(), Vec::new());
    let open_from = async |origin: &str| open(address, &[PROTOCOL, ("x-forwarded-for", origin)]).await;
    for origin in (0..STRANGERS / STRANGERS_OF_ONE).map(|number| format!("192.0.2.{number}")) {
        for _ in 0..STRANGERS_OF_ONE {
            strangers.push(open_from(&origin).await.map_err(|refusal| refusal.status()).unwrap());
        }
        assert_eq!(open_from(&origin).await.err().unwrap().status(), 429, "one more from there");
    }
    assert_eq!(open_from("192.0.2.100").await.err().unwrap().status(), 429, "one more of all");
    let mut known = open_with(address, Some("ann")).await;
    known.send(json!({ "type": "connection_init" })).await;
    assert_eq!(known.next().await, json!({ "type": "connection_ack" }));
    for (mut stranger, is_in) in strangers.into_iter().zip([true, false]) {
        stranger.send(first.clone()).await;
        if is_in {
            assert_eq!(stranger.next().await, json!({ "type": "connection_ack" }));
            assert_eq!(toy.state.0.strangers.taken(), STRANGERS - 1, "its place is free again");
            kept.push(stranger);
        } else {
            let (code, reason) = stranger.closed().await;
            assert_eq!((code, reason.contains("too many WebSockets")), (1013, true));
        }
    }
}

#[tokio::test]
async fn a_client_sends_little_before_it_has_said_who_it_is_and_much_afterwards() {
    let toy = Toy::new("--auth tokens");
    toy.tokens.add("ann");
    let (address, _stop, _server) = start(&toy).await;
    let ping = |length: usize| json!({ "type": "ping", "payload": { "long": "x".repeat(length) } });
    let mut client = open_with(address, None).await;
    client.send(ping(20_000)).await;
    // What was sent beyond that is not read, so the connection may be reset after it.
    assert_eq!(client.closing().await.0, 1009);
    let mut client = open_with(address, None).await;
    client.send(json!({ "type": "connection_init", "payload": { "authorization": "Bearer ann" } })).await;
    assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
    client.send(ping(1_000_000)).await;
    assert_eq!(client.next().await["type"], "pong");
}

#[tokio::test]
async fn a_socket_is_closed_to_come_back_when_it_cannot_be_found_out_who_it_is_of() {
    let toy = Toy::new("--auth tokens");
    toy.tokens.add("ann");
    let (address, _stop, _server) = start(&toy).await;
    let mut client = open_with(address, Some("ann")).await;
    client.send(json!({ "type": "connection_init" })).await;
    client.next().await;
    let mut late = open_with(address, None).await;
    toy.tokens.are_lost();
    assert_eq!(client.closed().await.0, 1013);
    late.send(json!({ "type": "connection_init", "payload": { "authorization": "Bearer ann" } })).await;
    assert_eq!(late.closed().await, (1013, "the tokens cannot be read".to_owned()));
}
