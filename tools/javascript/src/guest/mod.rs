//! The component's side: WIT in, [`crate::Session`], WIT out.
#![expect(unsafe_code, reason = "generated bindings")]

mod host;
mod http;

use std::cell::RefCell;
use std::time::Duration;

wit_bindgen::generate!({ path: "wit", world: "javascript", generate_all });

use exports::caplet::javascript::tool::{Guest, Output};

use crate::{Request, Session};

thread_local! {
    /// The engine. Where the host keeps the instance between calls, so does this keep the globals.
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

struct Tool;

impl Guest for Tool {
    fn run(code: String, input: Option<String>, timeout_ms: Option<u32>) -> Result<Output, String> {
        SESSION.with_borrow_mut(|session| {
            let session = match session {
                Some(session) => {
                    session.tidy();
                    session
                }
                None => {
                    session.insert(Session::new(Box::new(host::Wasi::default()), &caplet_tool_common::cwd::current())?)
                }
            };
            let timeout = timeout_ms.map(|millis| Duration::from_millis(millis.into()));
            let output = session.run(&Request { code, input, timeout })?;
            Ok(Output { value: output.value, stdout: output.stdout, stderr: output.stderr, notes: output.notes })
        })
    }
}

export!(Tool);
