//! A tool to read: a server that answers as GitLab does when it is asked for its users, and as slowly or wrongly as it is
//! told to; and repositories of git.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value as Json, json};

/// A tool that can be reached until the test ends.
#[derive(Clone)]
pub(crate) struct Tool {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    users: Vec<Json>,
    status: u16,
    is_held: bool,
    /// The heads of the requests that have come.
    requests: Vec<String>,
}

impl Tool {
    /// A tool with these users.
    pub(crate) fn new(users: Vec<Json>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { users, status: 200, is_held: false, requests: Vec::new() };
        let tool = Self { address, shared: Arc::new((Mutex::new(state), Condvar::new())) };
        let answering = tool.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tool = answering.clone();
                std::thread::spawn(move || tool.answer(stream));
            }
        });
        tool
    }

    /// Answers one request. Who asked may be gone by then.
    fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let (state, changed) = &*self.shared;
        let mut state = state.lock().unwrap();
        state.requests.push(String::from_utf8(head).unwrap());
        changed.notify_all();
        state = changed.wait_while(state, |state| state.is_held).unwrap();
        let body = if state.status == 200 { Json::from(state.users.clone()).to_string() } else { "{}".to_owned() };
        let reply = format!(
            "HTTP/1.1 {} As told\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            state.status,
            body.len()
        );
        drop(state);
        let _ = stream.write_all(reply.as_bytes());
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.shared.0.lock().unwrap());
        self.shared.1.notify_all();
        changed
    }

    /// Has other users from now on.
    pub(crate) fn has(&self, users: Vec<Json>) {
        self.change(|state| state.users = users);
    }

    /// Answers with this status from now on.
    pub(crate) fn fails_with(&self, status: u16) {
        self.change(|state| state.status = status);
    }

    /// Answers nobody until it is released.
    pub(crate) fn hold(&self) {
        self.change(|state| state.is_held = true);
    }

    /// Answers who waits.
    pub(crate) fn release(&self) {
        self.change(|state| state.is_held = false);
    }

    /// The heads of the requests that have come.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.change(|state| state.requests.clone())
    }

    /// Waits until so many requests have come. To be called where nothing else waits for this thread.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let (state, changed) = &*self.shared;
        drop(changed.wait_while(state.lock().unwrap(), |state| state.requests.len() < count).unwrap());
    }

    /// The settings of an integration that reads it.
    pub(crate) fn settings(&self) -> Json {
        json!({ "baseUrl": self.url() })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A user of the tool.
pub(crate) fn tool_user(id: u64, username: &str, email: &str) -> Json {
    json!({
        "id": id, "username": username, "name": username, "state": "active", "locked": false, "bot": false,
        "email": email, "public_email": Json::Null, "web_url": format!("https://gitlab.example/{username}"),
    })
}

/// Makes a repository in which each of these has committed once, by name and email, or adds their commits to it.
pub(crate) fn commit_by(repository: &Path, people: &[(&str, &str)], mailmap: Option<&str>) {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(repository).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_CONFIG_NOSYSTEM", "1").stdout(Stdio::null());
        command
    };
    let is_new = !repository.exists();
    if is_new {
        std::fs::create_dir_all(repository).unwrap();
        assert!(git(&["init", "-q", "-b", "main"]).status().unwrap().success());
    }
    let mut stream = String::new();
    for (number, (name, email)) in (1..).zip(people) {
        let time = 1_700_000_000 + number;
        stream += &format!("commit refs/heads/main\nauthor {name} <{email}> {time} +0000\n");
        stream += &format!("committer {name} <{email}> {time} +0000\ndata 1\nx\n");
        if number == 1 && !is_new {
            stream += "from refs/heads/main^0\n";
        }
        if let Some(mailmap) = mailmap.filter(|_| number == 1) {
            stream += &format!("M 100644 inline .mailmap\ndata {}\n{mailmap}\n", mailmap.len());
        }
        stream += "\n";
    }
    let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    assert!(git(&["reset", "-q", "--hard", "main"]).status().unwrap().success());
}
