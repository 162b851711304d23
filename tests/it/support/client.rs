//! A client that asks one thing after the other on a connection that stays open, and may find the server gone.

use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value as Json, json};

use super::process::{Answer, PATIENCE};

/// One client.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// Of a server that listens there. It connects when it asks.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends an operation, and reads the whole answer. Fails where the connection does; the next one has another.
    pub(crate) fn ask(&mut self, query: &str, variables: Json) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(self.address)?),
        };
        let body = json!({ "query": query, "variables": variables }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        stream.get_mut().write_all((head + &body).as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body)?;
        if !head.contains("connection: close") {
            self.stream = Some(stream);
        }
        Ok(Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body })
    }
}
