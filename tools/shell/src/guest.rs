//! The component's side: WIT in, [`Session`], WIT out; and `wasi:http` and `caplet:tools` behind [`Host`].
#![expect(unsafe_code, reason = "generated bindings")]

wit_bindgen::generate!({ path: "wit", world: "shell", generate_all });

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use caplet::tools::invoke;
use caplet_tool_common::{cwd, http};
use exports::caplet::shell::tool::{Guest, Outcome, Variable};

use crate::host::{CallFailure, Host, HttpFailure, HttpRequest, HttpResponse, Tool};
use crate::session::{Request, Session};

struct Component;

thread_local! {
    /// Lasts as long as the instance does: for one call, or for a session.
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

impl Guest for Component {
    fn run(
        command: String,
        cwd: Option<String>,
        env: Option<Vec<Variable>>,
        stdin: Option<String>,
        timeout_ms: Option<u32>,
    ) -> Outcome {
        let request = Request {
            command,
            cwd,
            env: env.unwrap_or_default().into_iter().map(|variable| (variable.name, variable.value)).collect(),
            stdin: stdin.map(String::into_bytes),
            timeout: timeout_ms.map(|limit| Duration::from_millis(limit.into())),
        };
        let answer = SESSION.with(|session| {
            let mut session = session.borrow_mut();
            let fresh = || Session::new(Rc::new(World), &cwd::current(), std::env::vars().collect());
            session.get_or_insert_with(fresh).run(&request)
        });
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        Outcome {
            stdout: text(answer.stdout),
            stderr: text(answer.stderr),
            exit_status: answer.exit_status,
            stdout_truncated: answer.stdout_truncated,
            stderr_truncated: answer.stderr_truncated,
        }
    }
}

export!(Component);

/// What the host gives.
struct World;

impl Host for World {
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let (scheme, rest) = request.url.split_once("://").ok_or(HttpFailure::BadUrl)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let mut response = http::send(&http::Request {
            method: &request.method,
            is_https: scheme.eq_ignore_ascii_case("https"),
            authority,
            target: &target,
            headers: &request.headers,
            body: request.body.as_deref(),
        })?;
        Ok(HttpResponse {
            status: response.status,
            headers: std::mem::take(&mut response.headers),
            body: Box::new(move || response.body.read()),
        })
    }

    fn tools(&self) -> Vec<Tool> {
        let tool = |callable: invoke::Callable| Tool {
            name: callable.name,
            description: callable.description,
            input_schema: callable.input_schema,
        };
        invoke::list().into_iter().map(tool).collect()
    }

    fn call(&self, name: &str, arguments: &str) -> Result<String, CallFailure> {
        invoke::call(name, arguments).map_err(|error| match error {
            invoke::Error::Denied(hint) => CallFailure::Denied(hint),
            invoke::Error::Limit(reason) => CallFailure::Limit(reason),
            invoke::Error::Failed(reason) => CallFailure::Failed(reason),
        })
    }

    fn seed(&self) -> u64 {
        // The standard library seeds its hash maps from the host's randomness.
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }
}
