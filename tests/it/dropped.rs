//! Clients that go away while their request is under way: nothing is half done, and no connection is left unfit.

use std::io::Write;
use std::net::TcpStream;
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Home, Random, Served, check_log, in_each_home, query_sql};

const CLIENTS: usize = 8;
/// The connections of a server to its database: those that read, and the one that writes.
const CONNECTIONS: usize = 8 + 1;
const CREATE: &str = "mutation($name: String!, $email: String!, $further: [String!]!) {
    createUser(input: {name: $name, email: $email, furtherEmails: $further}) { user { id } } }";
const READ: &str = "{ users(first: 100) { totalCount edges { node { name email furtherEmails accounts { id } } } }
    changesets(first: 20) { edges { node { number changes(first: 5) { edges { node { after } } } } } } }";

fn create(server: &Served, number: usize) -> Vec<u8> {
    let name = format!("User {number}");
    let [email, further] = ["corp", "home"].map(|domain| format!("user{number}@{domain}.example"));
    server.operation(CREATE, json!({ "name": name, "email": email, "further": [further] }))
}

/// Reads and writes at once, on more connections than the server has to its database.
fn ask_at_once(server: &Served, first: usize) {
    scope(|threads| {
        for number in first..first + 3 * CONNECTIONS {
            threads.spawn(move || {
                for request in [create(server, number), server.operation(READ, Json::Null)] {
                    let answer = server.exchange(&request);
                    let said: Json = serde_json::from_slice(&answer.body).unwrap();
                    assert_eq!((answer.status, said.get("errors")), (200, None), "{said}");
                }
            });
        }
    });
}

/// The connections of the server to PostgreSQL, each by what it does.
fn connections(home: &Home) -> Vec<String> {
    let sql = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'roster'";
    query_sql(&home.database_url(), sql)
}

/// Sends so many requests and goes away within 20 ms of each; then checks that all is as if each had been answered or
/// never been sent.
pub(crate) fn drop_requests(home: &Home, requests: usize) {
    // Those who are gone still have their turn to write, and nobody is to be told to try again for that.
    let settings = ["serve", "--listen", "127.0.0.1:0", "--pool-timeout", "60s", "--deadline", "60s"];
    let server = Served::start(home.command(&settings));
    let is_postgres = home.database_url().starts_with("postgres");
    ask_at_once(&server, requests);
    scope(|threads| {
        for client in 0..CLIENTS {
            let server = &server;
            threads.spawn(move || {
                let mut random = Random::new();
                for number in (client..requests).step_by(CLIENTS) {
                    let request =
                        if random.one_in(3) { server.operation(READ, Json::Null) } else { create(server, number) };
                    let mut stream = TcpStream::connect(server.address()).unwrap();
                    stream.write_all(&request).unwrap();
                    sleep(Duration::from_micros(random.below(20_000) as u64));
                }
            });
        }
    });
    ask_at_once(&server, requests + 3 * CONNECTIONS);
    if is_postgres {
        let mut looks = 0;
        while connections(home).iter().any(|state| state != "idle") {
            looks += 1;
            assert!(looks < 500, "{:?}", connections(home));
            sleep(Duration::from_millis(20));
        }
        assert!((1..=CONNECTIONS).contains(&connections(home).len()), "{:?}", connections(home));
    }
    assert!(home.output_of(&["verify"]).starts_with("Sound: "));
    let half = server.ask("{ users(first: 1) { totalCount } directory { version } }", Json::Null);
    // The first version is the empty directory; each further one is of one user.
    assert_eq!(half["directory"]["version"], json!(1 + half["users"]["totalCount"].as_u64().unwrap()));
    assert_eq!(server.stop().0, Some(0));
    check_log(&home.database_url());
}

#[test]
fn requests_whose_client_goes_away_leave_nothing_half_done_and_every_connection_fit() {
    in_each_home(|home| drop_requests(home, 200));
}
