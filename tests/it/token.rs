//! Tokens: made, shown once, revoked, and found nowhere.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use entity::token::{self, Role};
use futures_util::{SinkExt, StreamExt};
use roster::access::secret::TokenSecret;
use roster::directory::{Actor, Directory, NewToken, Range};
use roster::value::GlobalId;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Home, Issuer, Served, Server, Signer, Site, in_each_home, me, on_both, on_each, run_sql};

const CREATE: &str = "mutation($input: CreateTokenInput!) { createToken(input: $input) { secret token { id } } }";
const REVOKE: &str = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { revokedAt revokedBy } } }";

/// A token that is made past the API, and its secret.
async fn token(site: &Directory, name: &str, role: Role, expires_in: Option<TimeDelta>) -> (token::Model, String) {
    let expires_at = expires_in.map(|time| site.now() + time);
    let new = NewToken { name: name.to_owned(), role, expires_at };
    let (row, secret) = site.create_token(&me(), new).await.unwrap();
    (row, secret.expose().to_owned())
}

/// The status of a request with this token, and the code of its refusal.
async fn ask(server: &mut Server, secret: &str) -> (u16, String) {
    server.set_token(Some(secret));
    let reply = server.execute("{ directory { version } }", json!({}), None).await;
    let code = reply.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
    (reply.status.as_u16(), code)
}

fn made(server: &Served, input: Json) -> (String, String) {
    let made = server.ask(CREATE, json!({ "input": input }))["createToken"].take();
    let text = |at: &str| made.pointer(at).unwrap().as_str().unwrap().to_owned();
    (text("/secret"), text("/token/id"))
}

#[test]
fn the_first_start_of_a_directory_shows_a_token_and_later_ones_do_not() {
    in_each_home(|home| {
        let open = home.serve();
        assert_eq!(open.token(), None, "nobody is asked who they are");
        drop(open);
        let server = home.serve_with_tokens();
        let first = server.token().unwrap().to_owned();
        let told = server.ask("{ tokens { edges { node { name role createdBy expiresAt } } } }", Json::Null);
        let shown = json!({ "name": "first", "role": "ADMIN", "createdBy": "roster", "expiresAt": null });
        assert_eq!(told["tokens"]["edges"], json!([{ "node": shown }]));
        assert_eq!(server.stop().0, Some(0));
        let mut again = home.serve_with_tokens();
        assert_eq!(again.token(), None);
        assert_eq!(again.get("/export/users.csv").status, 401);
        again.set_token(Some(&first));
        assert_eq!(again.get("/export/users.csv").status, 200);
        assert_eq!(again.stop().0, Some(0));
        // One that was revoked has been there.
        let id = home.output_of(&["token", "list"]).split(' ').next().unwrap().to_owned();
        home.output_of(&["token", "revoke", &id]);
        assert_eq!(home.serve_with_tokens().token(), None);
    });
}

#[test]
fn a_server_that_asks_for_tokens_can_be_reached_from_other_machines() {
    let home = Home::new();
    let mut command = home.command(&["serve", "--listen", "0.0.0.0:0"]);
    command.env_remove("ROSTER_AUTH").env("ROSTER_TOKEN", "is no setting");
    let server = Served::start(command);
    assert!(server.address().ip().is_unspecified());
    assert!(server.token().unwrap().starts_with("rst_"));
}

/// A password of the database.
const PASSWORD: &str = "pw-k7Qe2ZrXn5Lw8TsVb3Hd6Yg9Mc4Fa1Ju0";
/// A JSON Web Token of an issuer that is not trusted.
const JWT: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJub2JvZHkiLCJleHAiOjQxMDI0NDQ4MDB9.c2lnbmVkLWJ5LW5vYm9keQ";

/// Fails where one of the secrets stands in a file below `folder`.
fn none_stands_in(folder: &Path, secrets: &[String]) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&entry).unwrap();
        for secret in secrets {
            // The part that is random, in case that something cuts the text.
            let random = &secret.as_bytes()[4..34];
            let found = bytes.windows(random.len()).any(|window| window == random);
            assert!(!found, "a secret stands in {}", entry.display());
        }
        files += 1;
    }
    files
}

#[test]
fn a_secret_stands_in_no_file_and_no_log() {
    in_each_home(|home| {
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env_remove("ROSTER_AUTH").env("ROSTER_LOG", "trace").env("ROSTER_LOG_FORMAT", "json");
        // The server of the tests lets in whoever brings whatever password.
        command.env("ROSTER_DATABASE_URL", home.database_url().replace("postgres@", &format!("postgres:{PASSWORD}@")));
        std::fs::create_dir(home.path("logs")).unwrap();
        let log = home.path("logs/log");
        let mut server = Served::start_logging(command, &log);
        let first = server.token().unwrap().to_owned();
        let mut secrets = Vec::new();
        for role in ["ADMIN", "EDITOR", "READER", "RESOLVER"] {
            secrets.push(made(&server, json!({ "name": role, "role": role })).0);
        }
        let shell = home.run(&["token", "create", "--name", "shell", "--role", "reader"]);
        secrets.push(shell.output.trim().to_owned());
        let mut wrong = secrets[0].clone();
        wrong.replace_range(39.., if wrong.ends_with('0') { "1" } else { "0" });
        for secret in secrets.iter().chain([&wrong, &JWT.to_owned()]) {
            server.set_token(Some(secret));
            let status = match () {
                () if *secret == wrong || secret == JWT => 401,
                // One that only resolves reads no emails.
                () if *secret == secrets[3] => 403,
                () => 200,
            };
            assert_eq!(server.get("/export/users.csv").status, status);
            say_on_a_socket(&server, secret);
        }
        server.set_token(Some(&first));
        let all =
            "{ tokens(first: 100) { totalCount edges { node { id name lastUsedAt } } } changesets { totalCount } }";
        let told = server.ask(all, Json::Null);
        assert_eq!(told["tokens"]["totalCount"], 6);
        assert_eq!(told["changesets"]["totalCount"], 1, "no token is in the log of changes");
        secrets.extend([wrong, JWT.to_owned(), PASSWORD.to_owned()]);
        assert!(!secrets.iter().any(|secret| told.to_string().contains(secret)));
        // While it runs there is a WAL.
        let files = none_stands_in(&home.data_dir(), &secrets);
        if home.database_url().starts_with("postgres") {
            let looks = |text: &str| {
                format!("UPDATE token SET name = name WHERE position('{text}' IN encode(hash, 'escape') || name) > 0")
            };
            assert!(secrets.iter().all(|secret| run_sql(&home.database_url(), &looks(&secret[4..34])) == 0));
        } else {
            assert!(files >= 2);
            secrets.push(first);
        }
        assert_eq!(run_sql(&home.database_url(), "UPDATE token SET name = name WHERE length(hash) = 32"), 6);
        assert_eq!(server.stop().0, Some(0));
        none_stands_in(&home.data_dir(), &secrets);
        // The first one is shown on standard error, of which this is a copy, and that once.
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("a token was made") && log.contains("let nobody in"), "{log}");
        for secret in &secrets {
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(&secret[4..34])).collect();
            assert!(lines.iter().all(|line| line.trim() == format!("export ROSTER_TOKEN={secret}")), "{lines:?}");
        }
    });
}

/// Opens a WebSocket with a token in its first message, and waits for what the server makes of it.
fn say_on_a_socket(server: &Served, secret: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut request = format!("ws://{}/graphql", server.address()).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        let (mut socket, _) = client_async(request, stream).await.unwrap();
        let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {secret}") } });
        socket.send(Message::text(init.to_string())).await.unwrap();
        socket.next().await.unwrap().unwrap();
    });
}

#[test]
fn a_token_that_was_revoked_is_refused_by_every_process_a_second_later() {
    in_each_home(|home| {
        let here = home.serve_with_tokens();
        let mut there = home.serve_with_tokens();
        let (secret, id) = made(&here, json!({ "name": "ci", "role": "READER" }));
        there.set_token(Some(&secret));
        let traffic = |seconds: f32| {
            let until = std::time::Instant::now() + Duration::from_secs_f32(seconds);
            let mut statuses = Vec::new();
            while std::time::Instant::now() < until {
                statuses.push(there.get("/graphql?query=%7Bdirectory%7Bversion%7D%7D").status);
            }
            statuses
        };
        assert!(traffic(0.3).iter().all(|status| *status == 200));
        let revoking = here.begin(here.operation(REVOKE, json!({ "id": id })));
        let statuses = traffic(1.5);
        revoking.join().unwrap();
        let first = statuses.iter().position(|status| *status != 200).unwrap();
        assert!(!statuses[first..].contains(&200), "once refused, always refused");
        let revoked = here.ask(REVOKE, json!({ "id": id }))["revokeToken"]["token"].take();
        assert_eq!(revoked["revokedBy"], "first");
        assert_eq!(here.ask(REVOKE, json!({ "id": id }))["revokeToken"]["token"], revoked, "again");
        for served in [&here, &there] {
            let request = format!(
                "GET /export/users.csv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\r\n"
            );
            let status = served.exchange(request.as_bytes()).status;
            assert!(status == 401 || status == 429, "{status}");
        }
    });
}

#[test]
fn a_token_that_was_revoked_here_is_refused_at_once() {
    on_both(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let (row, secret) = token(site, "ci", Role::Reader, None).await;
        assert_eq!(ask(&mut server, &secret).await.0, 200);
        site.revoke_token(&me(), row.id, false).await.unwrap();
        assert_eq!(ask(&mut server, &secret).await, (401, "UNAUTHENTICATED".to_owned()));
    });
}

#[test]
fn a_token_works_until_it_expires() {
    on_both(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let (_, secret) = token(site, "ci", Role::Reader, Some(TimeDelta::hours(1))).await;
        let (_, for_ever) = token(site, "ops", Role::Reader, None).await;
        assert_eq!(ask(&mut server, &secret).await.0, 200);
        site.pass(TimeDelta::minutes(59));
        assert_eq!(ask(&mut server, &secret).await.0, 200);
        site.pass(TimeDelta::minutes(1));
        assert_eq!(ask(&mut server, &secret).await, (401, "UNAUTHENTICATED".to_owned()));
        assert_eq!(ask(&mut server, &for_ever).await.0, 200);
    });
}

#[test]
fn a_subscription_ends_when_its_token_expires() {
    on_each(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let (_, secret) = token(site, "ci", Role::Reader, Some(TimeDelta::hours(1))).await;
        server.set_token(Some(&secret));
        let query = "subscription { directoryChanged(afterVersion: 0) { version } }";
        let mut events = server.subscribe(query, json!({})).await;
        assert_eq!(events.next().await.unwrap()["data"]["directoryChanged"]["version"], 1);
        site.pass(TimeDelta::hours(1));
        let last = events.next().await.unwrap();
        assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(last["errors"][0]["message"], "the token has expired");
        assert_eq!(events.next().await, None);
    });
}

#[test]
fn it_is_noted_at_most_once_a_minute_that_a_token_is_in_use() {
    on_each(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let (_, secret) = token(site, "ci", Role::Reader, None).await;
        let used = async || {
            let range = Range { after: None, before: None, limit: 1, from_end: false };
            site.list_tokens(range).await.unwrap().rows[0].last_used_at
        };
        assert_eq!(used().await, None);
        ask(&mut server, &secret).await;
        let first = loop {
            if let Some(at) = used().await {
                break at;
            }
            tokio::task::yield_now().await;
        };
        site.pass(TimeDelta::seconds(30));
        // What is known of a token is looked up again after half a second.
        tokio::time::sleep(Duration::from_millis(600)).await;
        ask(&mut server, &secret).await;
        site.pass(TimeDelta::seconds(31));
        tokio::time::sleep(Duration::from_millis(600)).await;
        ask(&mut server, &secret).await;
        let second = loop {
            if let Some(at) = used().await.filter(|at| *at != first) {
                break at;
            }
            tokio::task::yield_now().await;
        };
        assert!(second - first >= TimeDelta::seconds(60), "{first} {second}");
    });
}

#[test]
fn the_last_token_of_an_admin_stays_unless_people_can_sign_in_otherwise() {
    on_both(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let (first, secret) = token(site, "first", Role::Admin, None).await;
        let (second, _) = token(site, "second", Role::Admin, None).await;
        token(site, "short", Role::Admin, Some(TimeDelta::minutes(1))).await;
        token(site, "reader", Role::Reader, None).await;
        site.pass(TimeDelta::minutes(1));
        server.set_token(Some(&secret));
        let revoke = async |id: entity::TokenId| {
            let reply = server.execute(REVOKE, json!({ "id": id.to_global() }), None).await.json();
            let violation = &reply["errors"][0]["extensions"]["violations"][0];
            (violation["path"].clone(), violation["code"].clone())
        };
        assert_eq!(revoke(second.id).await, (Json::Null, Json::Null));
        assert_eq!(revoke(first.id).await, (json!("id"), json!("LAST_ADMIN")));
        assert_eq!(ask(&mut server, &secret).await.0, 200);
        let signer = Signer::ed_dsa();
        let settings = Issuer::new(vec![signer.jwk("a")]).settings();
        let mut other = Server::with_tokens(site, &settings.iter().map(String::as_str).collect::<Vec<_>>());
        other.set_token(Some(&secret));
        let reply = other.execute(REVOKE, json!({ "id": first.id.to_global() }), None).await.json();
        assert_eq!(reply["data"]["revokeToken"]["token"]["revokedBy"], "first", "{reply}");
    });
}

#[test]
fn only_an_admin_sees_makes_and_revokes_tokens_and_the_log_names_who_did_what() {
    on_both(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let (row, admin) = token(site, "the admin", Role::Admin, None).await;
        for role in [Role::Resolver, Role::Reader, Role::Editor] {
            let (_, secret) = token(site, "another", role, None).await;
            server.set_token(Some(&secret));
            let input = json!({ "input": { "name": "more", "role": "ADMIN" } });
            for (query, variables) in [
                ("{ tokens { totalCount } }", json!({})),
                (CREATE, input),
                (REVOKE, json!({ "id": row.id.to_global() })),
            ] {
                let reply = server.execute(query, variables, None).await.json();
                assert_eq!(reply["errors"][0]["extensions"]["code"], "FORBIDDEN", "{role:?}: {reply}");
            }
        }
        server.set_token(Some(&admin));
        let create = "mutation { createUser(input: {name: \"Ben\", email: \"ben@corp.example\"}) { version } }";
        server.execute(create, json!({}), None).await;
        let log = "{ changesets(first: 1) { edges { node { actor } } } tokens { totalCount } }";
        let log = server.execute(log, json!({}), None).await.json();
        assert_eq!(log["data"]["changesets"]["edges"][0]["node"]["actor"], "the admin");
        assert_eq!(log["data"]["tokens"]["totalCount"], 4, "nobody else has made one");
    });
}

#[test]
fn a_thousand_tokens_work_beside_each_other() {
    on_each(async |site: &Site| {
        let mut server = Server::with_tokens(site, &[]);
        let mut secrets = Vec::new();
        // More than are kept in memory.
        for number in 0..1_050 {
            let new = NewToken { name: format!("{number}"), role: Role::Reader, expires_at: None };
            secrets.push(site.create_token(&Actor("ann".to_owned()), new).await.unwrap().1.expose().to_owned());
        }
        for secret in &secrets {
            assert_eq!(ask(&mut server, secret).await.0, 200);
        }
    });
}

#[test]
fn tokens_are_made_listed_and_revoked_from_the_shell() {
    in_each_home(|home| {
        let made = home.run(&["token", "create", "--name", "ci", "--role", "READER", "--expires", "90d"]);
        assert_eq!(made.code, Some(0));
        let (id, rest) = made.error.split_once(' ').unwrap();
        assert_eq!((made.output.len(), rest), (41, "is made; its secret is shown this once:\n"));
        let made: Json =
            serde_json::from_str(&home.output_of(&["token", "create", "--name", "ops", "--role", "admin", "--json"]))
                .unwrap();
        assert_eq!(
            (&made["role"], &made["createdBy"], &made["expiresAt"]),
            (&json!("ADMIN"), &json!("cli"), &Json::Null)
        );
        let mut server = home.serve_with_tokens();
        assert_eq!(server.token(), None, "there are some");
        server.set_token(made["secret"].as_str());
        assert_eq!(server.get("/export/users.csv").status, 200);
        let lines = home.output_of(&["token", "list", "--json"]);
        let listed: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(listed.iter().map(|token| &token["name"]).collect::<Vec<_>>(), ["ops", "ci"]);
        assert!(listed.iter().all(|token| token.get("secret").is_none() && token.get("hash").is_none()));
        assert_eq!(listed[1]["id"], id);
        let revoked = home.output_of(&["token", "revoke", id]);
        assert!(revoked.starts_with(&format!("{id} was revoked at 20")), "{revoked}");
        let text = home.output_of(&["token", "list"]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].contains(" ADMIN    ops (for ever; ") && lines[1].contains(" READER   ci (revoked 20"),
            "{text}"
        );
        for (line, says) in [
            (["token", "revoke", "tok_1"].as_slice(), "roster: `tok_1` is not a token id\n"),
            (
                &["token", "revoke", "tok_00000000000070008000000000000000"],
                "roster: token `tok_00000000000070008000000000000000` does not exist\n",
            ),
            (&["token", "create", "--name", " ", "--role", "reader"], "roster: name: this must not be empty\n"),
        ] {
            let ended = home.run(line);
            assert_eq!((ended.code, ended.output.as_str(), ended.error.as_str()), (Some(2), "", says));
        }
        assert_eq!(home.run(&["token", "create", "--name", "a", "--role", "root"]).code, Some(2));
        assert_eq!(
            home.run(&["token", "create", "--name", "a", "--role", "reader", "--expires", "soon"]).code,
            Some(2)
        );
    });
}

/// The status of a request with this token from another address of this machine, which claims to call for `forwarded`.
fn status_from(server: &Served, address: [u8; 4], secret: &str, forwarded: &str) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(address), 0).into()).unwrap();
        let mut stream = socket.connect(server.address()).await.unwrap();
        let request = format!(
            "GET /export/sample.csv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {forwarded}\r\n\
             Authorization: Bearer {secret}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply.split(' ').nth(1).unwrap().parse().unwrap()
    })
}

#[test]
fn whoever_tries_a_thousand_tokens_is_shut_out_and_nobody_else_is() {
    in_each_home(|home| {
        let server = home.serve_with_tokens();
        let good = server.token().unwrap();
        let tried = (0..1_000).map(|number| {
            // Half of them are formed as tokens are, and are looked for.
            let made_up = TokenSecret::generate().unwrap();
            let wrong = if number % 2 == 0 { made_up.expose() } else { "rst_000" };
            status_from(&server, [127, 0, 0, 2], wrong, &format!("198.51.100.{}", number % 256))
        });
        let tried: Vec<u16> = tried.collect();
        assert_eq!(tried[..25], [[401; 20].as_slice(), &[429; 5]].concat());
        // Each minute has twenty attempts.
        assert!(tried.iter().all(|status| matches!(status, 401 | 429)));
        assert_eq!(status_from(&server, [127, 0, 0, 3], "rst_000", "127.0.0.2"), 401, "a neighbour");
        assert_eq!(
            status_from(&server, [127, 0, 0, 2], good, "127.0.0.2"),
            200,
            "a right token, from the same address"
        );
    });
}

#[test]
fn a_token_whose_points_are_used_up_waits_and_its_neighbour_does_not() {
    in_each_home(|home| {
        let mut server = home.serve_with_tokens_and(&["--rate-limit", "150"].map(str::to_owned));
        let (neighbour, _) = made(&server, json!({ "name": "neighbour", "role": "READER" }));
        // 5 points are gone.
        for (path, status) in [("/export/sample.csv", 200), ("/export/sample.csv", 200), ("/export/sample.csv", 429)] {
            assert_eq!(server.get(path).status, status);
        }
        let refused = server.get("/graphql?query=%7Bdirectory%7Bversion%7D%7D");
        let head = refused.head.to_ascii_lowercase();
        assert_eq!(refused.status, 429);
        assert!(head.contains("\r\nratelimit-policy: \"points\";q=150;w=60\r\n"), "{head}");
        assert!(head.contains("\r\nratelimit: \"points\";r=0;t=") && head.contains("\r\nretry-after: "), "{head}");
        let error: Json = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(error["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
        server.set_token(Some(&neighbour));
        for _ in 0..50 {
            assert_eq!(server.get("/graphql?query=%7Bdirectory%7Bversion%7D%7D").status, 200);
        }
    });
}
