//! Clients that keep a journal of what was acknowledged to them, while the server is killed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Client, Home, Random, Served, check_log, in_each_home};

const WRITERS: usize = 8;
const CREATE: &str = "mutation($name: String!, $email: String!, $further: [String!]!, $step: AttributeInputValue!) {
    createUser(input: {name: $name, email: $email, furtherEmails: $further, attributes: [{key: \"step\", value: $step}]}) {
        user { id } } }";
const UPDATE: &str = "mutation($id: ID!, $name: String!, $further: [String!]!, $step: AttributeInputValue!) {
    updateUser(input: {id: $id, name: $name, furtherEmails: $further, attributes: [{key: \"step\", value: $step}]}) {
        user { id } } }";

/// One client. Each of its steps makes a user, or changes the first that it made: name, further email and value of a
/// user all tell which step it was.
struct Writer {
    number: usize,
    first: Option<String>,
    /// The steps that were acknowledged, or that the directory was seen to have.
    done: BTreeSet<usize>,
    /// The step of which it is not known whether it was done.
    pending: Option<usize>,
}

impl Writer {
    fn email(&self, step: usize) -> String {
        format!("{}-{step}@corp.example", self.number)
    }

    /// Takes one step after the other until the server is gone.
    fn run(&mut self, address: SocketAddr) {
        let mut client = Client::new(address);
        loop {
            let step = self.done.last().map_or(0, |last| last + 1);
            self.pending = Some(step);
            let mut variables = json!({
                "name": format!("Writer {} step {step}", self.number),
                "further": [format!("{}-{step}@home.example", self.number)],
                "step": step.to_string(),
            });
            let is_update = step % 2 == 1;
            if is_update {
                variables["id"] = json!(self.first);
            } else {
                variables["email"] = json!(self.email(step));
            }
            let Ok(answer) = client.ask(if is_update { UPDATE } else { CREATE }, variables) else { return };
            let mut said: Json = serde_json::from_slice(&answer.body).unwrap();
            assert!(said.get("errors").is_none(), "{said}");
            if step == 0 {
                self.first = said["data"]["createUser"]["user"]["id"].take().as_str().map(str::to_owned);
            }
            self.done.insert(step);
            self.pending = None;
        }
    }

    /// Checks that the directory has each step that was acknowledged, and of the last one all or nothing.
    fn look(&mut self, users: &[Row]) {
        let own: Vec<&Row> = users.iter().filter(|row| row.writer == self.number).collect();
        if let Some(pending) = self.pending.take()
            && own.iter().any(|row| row.step == pending)
        {
            self.done.insert(pending);
        }
        let updated = self.done.iter().rfind(|step| *step % 2 == 1);
        let made = self.done.iter().filter(|step| *step % 2 == 0);
        let wanted: BTreeSet<(String, usize)> =
            made.map(|step| (self.email(*step), if *step == 0 { *updated.unwrap_or(step) } else { *step })).collect();
        let found: BTreeSet<(String, usize)> = own.iter().map(|row| (row.email.clone(), row.step)).collect();
        assert_eq!(found, wanted, "the users of writer {}", self.number);
        self.first = own.iter().find(|row| row.email == self.email(0)).map(|row| row.id.clone());
    }
}

/// A user, whole.
struct Row {
    id: String,
    email: String,
    writer: usize,
    step: usize,
}

/// All users, having checked that each is whole.
fn users(server: &Served) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut after = Json::Null;
    loop {
        let query = "query($after: String) { users(first: 100, after: $after, orderBy: {by: CREATED_AT}) {
            edges { node { id name email furtherEmails attribute(key: \"step\") { text } } }
            pageInfo { endCursor hasNextPage } } }";
        let page = server.ask(query, json!({ "after": after }))["users"].take();
        for edge in page["edges"].as_array().unwrap() {
            let user = &edge["node"];
            let text = |name: &str| user[name].as_str().unwrap().to_owned();
            let name = text("name");
            let (writer, step) = name.strip_prefix("Writer ").unwrap().split_once(" step ").unwrap();
            let told = [&user["furtherEmails"][0], &user["attribute"]["text"]];
            assert_eq!(told, [&json!(format!("{writer}-{step}@home.example")), &json!(step)], "{user}");
            let (writer, step) = (writer.parse().unwrap(), step.parse().unwrap());
            rows.push(Row { id: text("id"), email: text("email"), writer, step });
        }
        if page["pageInfo"]["hasNextPage"] == false {
            return rows;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Kills a server so many times while clients write. Gives how many writes were acknowledged.
pub(crate) fn keep_journals(home: &Home, kills: usize) -> usize {
    let mut server = home.serve();
    let attribute = "mutation { createAttribute(input: {title: \"Step\", type: TEXT}) { attribute { id } } }";
    server.ask(attribute, Json::Null);
    let new = |number| Writer { number, first: None, done: BTreeSet::new(), pending: None };
    let mut writers: Vec<Writer> = (0..WRITERS).map(new).collect();
    let mut random = Random::new();
    for _ in 0..kills {
        let address = server.address();
        scope(|threads| {
            for writer in &mut writers {
                threads.spawn(move || writer.run(address));
            }
            sleep(Duration::from_millis(200 + random.below(400) as u64));
            drop(server);
        });
        server = home.serve();
        let users = users(&server);
        writers.iter_mut().for_each(|writer| writer.look(&users));
        assert!(home.output_of(&["verify"]).starts_with("Sound: "));
    }
    drop(server);
    check_log(&home.database_url());
    writers.iter().map(|writer| writer.done.len()).sum()
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_what_was_not_is_there_as_a_whole_or_not_at_all() {
    in_each_home(|home| assert!(keep_journals(home, 3) > 0));
}
