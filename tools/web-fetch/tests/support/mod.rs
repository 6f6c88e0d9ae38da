//! A client with a script in the place of the network.
#![allow(dead_code, reason = "each test file uses a part")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::VecDeque;

use web_fetch::{Body, Client, Failure, Incoming, Outgoing, Page, Request, fetch};

/// What the server answers: a response or a failure, and how its body ends.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Result<u16, Failure>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) end: Option<Failure>,
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Answer { outcome: Ok(status), headers, pieces: vec![body.as_ref().to_vec()], end: None }
}

pub(crate) fn html(body: &str) -> Answer {
    answer(200, &[("content-type", "text/html; charset=utf-8")], body)
}

pub(crate) fn refusal(failure: Failure) -> Answer {
    Answer { outcome: Err(failure), headers: Vec::new(), pieces: Vec::new(), end: None }
}

/// A request as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) sent: Vec<Sent>,
}

struct Pieces(VecDeque<Vec<u8>>, Option<Failure>);

impl Body for Pieces {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match (self.0.pop_front(), self.1.take()) {
            (Some(piece), end) => {
                self.1 = end;
                Ok(Some(piece))
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(None),
        }
    }
}

impl Client for Script {
    fn send(&mut self, request: &Outgoing<'_>) -> Result<Incoming, Failure> {
        self.sent.push(Sent {
            method: request.method.to_owned(),
            url: request.url.to_string(),
            headers: request.headers.to_vec(),
            body: request.body.map(|body| String::from_utf8(body.to_vec()).unwrap()),
        });
        let answer = self.answers.pop_front().expect("one answer for each request");
        let status = answer.outcome?;
        let body = Pieces(answer.pieces.into(), answer.end);
        Ok(Incoming { status, headers: answer.headers, body: Box::new(body) })
    }
}

/// A call against a script: the outcome and what was sent.
pub(crate) fn call(request: &Request, answers: &[Answer]) -> (Result<Page, String>, Vec<Sent>) {
    let mut script = Script { answers: answers.to_vec().into(), sent: Vec::new() };
    let outcome = fetch(&mut script, request);
    (outcome, script.sent)
}

pub(crate) fn request(url: &str) -> Request {
    Request { url: url.to_owned(), ..Request::default() }
}

/// The page that one answer becomes.
pub(crate) fn page(answer: Answer, change: impl FnOnce(&mut Request)) -> Page {
    let mut request = request("https://example.com/docs/page");
    change(&mut request);
    call(&request, &[answer]).0.unwrap()
}

/// An HTML document's body as Markdown.
pub(crate) fn markdown(body: &str) -> String {
    page(html(body), |_| {}).content
}
