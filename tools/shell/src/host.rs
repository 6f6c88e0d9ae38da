//! What the shell asks of the world around it, besides files and clocks.

pub use caplet_tool_common::http::Failure as HttpFailure;

/// A request over HTTP.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The address, absolute.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

/// The head of an answer, and its body piece by piece.
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Gives the next piece of the body; none at its end.
    pub body: Box<dyn FnMut() -> Result<Option<Vec<u8>>, HttpFailure>>,
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Another tool that may be called.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name, as `tool` takes it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its input.
    pub input_schema: String,
}

/// Why a call of a tool gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The policy refuses it; with what an operator could do.
    Denied(String),
    /// No room for another call.
    Limit(String),
    /// The tool failed.
    Failed(String),
}

/// The world around the shell.
pub trait Host {
    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// There is no answer.
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpFailure>;

    /// The tools that may be called.
    fn tools(&self) -> Vec<Tool>;

    /// Calls a tool with a JSON object; gives its output as JSON.
    ///
    /// # Errors
    /// It may not be called, or has failed.
    fn call(&self, name: &str, arguments: &str) -> Result<String, CallFailure>;

    /// A number to begin pseudo-random ones from.
    fn seed(&self) -> u64;
}
