//! What the outside does for a program. One implementation speaks WASI; the tests have one of their own.

use std::fmt;
use std::time::Duration;

pub use caplet_tool_common::http::Failure as HttpFailure;

/// The outside.
///
/// An operation that takes time gets a number from the caller, and [`Host::wait`] tells when it has ended.
pub trait Host: fmt::Debug {
    /// Time since some moment, never going back.
    fn now(&mut self) -> Duration;

    /// That many random bytes.
    fn random(&mut self, count: usize) -> Vec<u8>;

    /// Begins to send a request; follows no redirect.
    ///
    /// # Errors
    /// The request is not one that can be sent, or is refused at once.
    fn send(&mut self, operation: u64, request: &HttpRequest) -> Result<(), HttpFailure>;

    /// The tools that may be called.
    fn callables(&mut self) -> Vec<Callable>;

    /// Begins a call of another tool with the text of a JSON object.
    ///
    /// # Errors
    /// The call is refused at once.
    fn call(&mut self, operation: u64, name: &str, arguments: &str) -> Result<(), ToolFailure>;

    /// Ends an operation; nothing more is told of it.
    fn cancel(&mut self, operation: u64);

    /// Waits until an operation has ended or the time is over, and tells what has ended. It waits for ever without a time, and returns
    /// at once if there is neither a time nor an operation.
    fn wait(&mut self, timeout: Option<Duration>) -> Vec<(u64, Ended)>;
}

/// How an operation ended.
#[derive(Debug)]
pub enum Ended {
    /// A request.
    Http(Result<HttpResponse, HttpFailure>),
    /// A call: the output as JSON text.
    Tool(Result<String, ToolFailure>),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, in capitals where it is a standard one.
    pub method: String,
    /// Where to, without a fragment.
    pub url: url::Url,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// A response with all of its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Another tool's function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callable {
    /// `TOOL` or `TOOL.FUNCTION`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub input_schema: String,
    /// JSON Schema of its output, where there is one.
    pub output_schema: Option<String>,
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolFailure {
    /// The policy does not allow it.
    Denied(String),
    /// There is no more room.
    Limit(String),
    /// The called tool failed.
    Failed(String),
}
