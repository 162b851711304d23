//! The program as people run it: a process with a data directory, spoken to over a socket.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::on_empty_places;

/// The longest that anything here may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory, and the database that goes with it: the SQLite file in it, or one on a server.
pub(crate) struct Home {
    folder: TempDir,
    database_url: Option<String>,
}

/// Runs `test` in a home with nothing in it, on SQLite and on PostgreSQL.
pub(crate) fn in_each_home(test: impl Fn(&Home)) {
    on_empty_places(|url| test(&url.map_or_else(Home::new, Home::at)));
}

impl Home {
    /// A home on SQLite.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database_url: None }
    }

    /// A home whose database is on a server.
    pub(crate) fn at(database_url: &str) -> Self {
        Self { database_url: Some(database_url.to_owned()), ..Self::new() }
    }

    /// Where the database is.
    pub(crate) fn database_url(&self) -> String {
        let file = || format!("sqlite:{}", self.data_dir().join("roster.db").display());
        self.database_url.clone().unwrap_or_else(file)
    }

    /// A file beside the data directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// `roster` with these arguments and nothing in the environment but where the directory is kept, and that a server asks
    /// nobody who they are.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("ROSTER_DATA_DIR", self.data_dir())
            .env("ROSTER_AUTH", "none");
        if let Some(url) = &self.database_url {
            command.env("ROSTER_DATABASE_URL", url);
        }
        command
    }

    /// Runs `roster` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, b"")
    }

    /// Runs `roster` to its end, with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        ended(self.command(arguments), input)
    }

    /// Runs `roster` to its end, which has to be a good one, and gives what it wrote.
    #[track_caller]
    pub(crate) fn output_of(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.code, ended.error.as_str()), (Some(0), ""), "roster {arguments:?}");
        ended.output
    }

    /// What `roster export` with these arguments writes to standard output, having checked what it says of that.
    #[track_caller]
    pub(crate) fn exported(&self, arguments: &[&str]) -> String {
        let ended = self.run(&[&["export"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let (name, rest) = ended.error.split_once(": ").unwrap();
        let (_, rest) = rest.split_once(" users, ").or(rest.split_once(" org units, ")).unwrap();
        let (bytes, rest) = rest.split_once(" bytes, sha256 ").unwrap();
        let (sha256, _) = rest.split_once(", of version ").unwrap();
        let digest: String = Sha256::digest(&ended.output).iter().map(|byte| format!("{byte:02x}")).collect();
        let length = bytes.replace(',', "").parse();
        assert_eq!((name, length, sha256), ("standard output", Ok(ended.output.len()), &*digest));
        ended.output
    }

    /// A server on this home that can be reached.
    pub(crate) fn serve(&self) -> Served {
        Served::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// One that asks for tokens. It calls itself with the first one of its directory, if it has made that.
    pub(crate) fn serve_with_tokens(&self) -> Served {
        self.serve_with_tokens_and(&[])
    }

    /// The same, with more settings.
    pub(crate) fn serve_with_tokens_and(&self, settings: &[String]) -> Served {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(settings).env_remove("ROSTER_AUTH");
        Served::start(command)
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) error: String,
}

/// Runs a command to its end, with something on standard input.
pub(crate) fn ended(mut command: Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // Who does not read standard input to its end has its reasons.
        let _ = to.write_all(&input);
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: status.code(), output: text(stdout), error: text(stderr) }
}

/// A server that can be reached. Dropping it ends it at once.
pub(crate) struct Served {
    child: Child,
    address: SocketAddr,
    token: Option<String>,
    log: Mutex<Receiver<String>>,
}

impl Served {
    /// Starts a server, and waits until it says where it listens and is ready.
    pub(crate) fn start(command: Command) -> Self {
        Self::start_and_copy(command, std::io::sink())
    }

    /// The same, with all that it logs written to a file, too.
    pub(crate) fn start_logging(command: Command, log: &Path) -> Self {
        Self::start_and_copy(command, std::fs::File::create(log).unwrap())
    }

    fn start_and_copy(mut command: Command, mut copy: impl Write + Send + 'static) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("{line}");
                writeln!(copy, "{line}").unwrap();
                // Whoever no longer listens has ended the process, or is about to.
                let _ = lines.send(line);
            }
        });
        let until = Instant::now() + PATIENCE;
        let mut token = None;
        let address = loop {
            let line = log.recv_timeout(until - Instant::now()).unwrap();
            token = line.trim().strip_prefix("export ROSTER_TOKEN=").map(str::to_owned).or(token);
            if let Some((_, address)) = line.split_once("Roster listens on http://") {
                break address.split('/').next().unwrap().parse().unwrap();
            }
        };
        let served = Self { child, address, token, log: Mutex::new(log) };
        assert_eq!(served.get("/readyz").status, 200);
        served
    }

    /// The token that it has shown, or that was given.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Calls it with this token from now on.
    pub(crate) fn set_token(&mut self, token: Option<&str>) {
        self.token = token.map(str::to_owned);
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends SIGTERM. Gives the exit code, and how long the process took to end.
    pub(crate) fn stop(mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let killed = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        // Its standard error is closed when it ends, and not before.
        while self.log.get_mut().unwrap().recv_timeout(PATIENCE) != Err(RecvTimeoutError::Disconnected) {
            assert!(start.elapsed() < PATIENCE, "the server does not stop");
        }
        (self.child.wait().unwrap().code(), start.elapsed())
    }

    /// The answer to one GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.exchange(&self.request(&format!("GET {path}"), "", b""))
    }

    /// The text of a download.
    #[track_caller]
    pub(crate) fn download(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.head.to_ascii_lowercase().contains("content-type: text/csv; charset=utf-8"), "{}", answer.head);
        answer.text()
    }

    /// The `data` of an operation that has to succeed.
    #[track_caller]
    pub(crate) fn ask(&self, query: &str, variables: Json) -> Json {
        data(&self.exchange(&self.operation(query, variables)))
    }

    /// The first error of an operation that has to fail.
    #[track_caller]
    pub(crate) fn refusal(&self, request: &[u8]) -> Json {
        let answer = self.exchange(request);
        let mut json: Json = serde_json::from_slice(&answer.body).unwrap();
        assert!(json["errors"].is_array(), "{json:#}");
        json["errors"][0].take()
    }

    /// The request of an operation without a file.
    pub(crate) fn operation(&self, query: &str, variables: Json) -> Vec<u8> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.request("POST /graphql", "Content-Type: application/json\r\n", body.as_bytes())
    }

    /// The same for one with a file as the variable `file`.
    #[track_caller]
    pub(crate) fn upload(&self, query: &str, variables: Json, file: &[u8]) -> Json {
        data(&self.exchange(&self.upload_request(query, variables, file)))
    }

    /// An operation with a file as the variable `file`: the request that the GraphQL multipart specification says.
    pub(crate) fn upload_request(&self, query: &str, variables: Json, file: &[u8]) -> Vec<u8> {
        let (headers, begin, end) = multipart(query, variables);
        self.request("POST /graphql", &headers, &[begin.as_bytes(), file, end.as_bytes()].concat())
    }

    /// The `data` of an operation with a file of any size, which `write` writes as often as it is asked to.
    pub(crate) fn upload_of(
        &self,
        query: &str,
        variables: Json,
        write: impl Fn(&mut dyn Write) -> std::io::Result<()>,
    ) -> Json {
        let (headers, begin, end) = multipart(query, variables);
        let mut size = Size(begin.len() + end.len());
        write(&mut size).unwrap();
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut to = BufWriter::new(&stream);
        to.write_all(&self.head("POST /graphql", &headers, size.0)).unwrap();
        to.write_all(begin.as_bytes()).unwrap();
        write(&mut to).unwrap();
        to.write_all(end.as_bytes()).unwrap();
        to.flush().unwrap();
        drop(to);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        data(&Answer::read(&bytes))
    }

    /// How many lines a download has, of any size.
    pub(crate) fn count_lines(&self, path: &str) -> usize {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // An answer of HTTP/1.0 is not in chunks.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).split(b'\n');
        assert_eq!(lines.find(|line| line.as_ref().unwrap() == b"\r").unwrap().unwrap(), b"\r");
        lines.map(Result::unwrap).count()
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request of whose answer nothing is known, from a thread of its own: the server may be gone before it comes.
    pub(crate) fn begin(&self, request: Vec<u8>) -> JoinHandle<()> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        std::thread::spawn(move || {
            // Either fails when the server is gone.
            let _ = stream.write_all(&request).and_then(|()| stream.read_to_end(&mut Vec::new()));
        })
    }

    /// One request. `line` is method and path; each of `headers` ends its line.
    fn request(&self, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        [&self.head(line, headers, body.len()), body].concat()
    }

    fn head(&self, line: &str, headers: &str, length: usize) -> Vec<u8> {
        let bearer = self.token.as_ref().map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{bearer}{headers}\r\n",
            self.address
        )
        .into_bytes()
    }

    /// Sends a request on a connection of its own, and reads the answer.
    pub(crate) fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::read(&bytes)
    }
}

/// The headers of an operation with a file, and what stands before and after the file.
fn multipart(query: &str, mut variables: Json) -> (String, String, String) {
    variables["file"] = Json::Null;
    let operations = json!({ "query": query, "variables": variables });
    let boundary = "------------------------d74496d66958873e";
    let begin = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{operations}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{{\"0\":[\"variables.file\"]}}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"0\"; filename=\"users.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n"
    );
    let headers = format!("Content-Type: multipart/form-data; boundary={boundary}\r\nGraphQL-Require-Preflight: 1\r\n");
    (headers, begin, format!("\r\n--{boundary}--\r\n"))
}

/// Counts what is written.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn data(answer: &Answer) -> Json {
    let mut json: Json = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, json.get("errors")), (200, None), "{json:#}");
    json["data"].take()
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let rest = &bytes[end + 4..];
        let says = |header: &str| {
            head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix(header).map(str::to_owned))
        };
        let body = match says("content-length: ") {
            Some(length) => {
                assert_eq!(length, rest.len().to_string(), "an answer that breaks off");
                rest.to_vec()
            }
            None => {
                assert_eq!(says("transfer-encoding: ").as_deref(), Some("chunked"), "{head}");
                chunks(rest)
            }
        };
        Self { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// What a chunked body holds, up to its last chunk, which has to be there.
fn chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        let chunk = &rest[end + 2..];
        body.extend_from_slice(&chunk[..size]);
        assert_eq!(&chunk[size..size + 2], b"\r\n");
        rest = &chunk[size + 2..];
    }
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
