//! A shell in an empty directory, and a world without a network and with one other tool.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use shell::{Answer, CallFailure, Host, HttpFailure, HttpRequest, HttpResponse, Request, Session, Tool};

#[derive(Debug)]
pub(crate) struct World;

impl Host for World {
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpFailure> {
        if !request.url.starts_with("https://granted.test/") {
            return Err(HttpFailure::Denied);
        }
        let mut rest = Some(format!("{} {}\n", request.method, request.url).into_bytes());
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: Box::new(move || Ok(rest.take())) })
    }

    fn tools(&self) -> Vec<Tool> {
        vec![Tool { name: "echo".into(), description: "Says it again.\nMore.".into(), input_schema: "{}".into() }]
    }

    fn call(&self, name: &str, arguments: &str) -> Result<String, CallFailure> {
        match name {
            "echo" => Ok(arguments.to_owned()),
            _ => Err(CallFailure::Denied(format!("not permitted; an operator can grant `call:{name}`"))),
        }
    }

    fn seed(&self) -> u64 {
        7
    }
}

pub(crate) fn session(directory: &Path) -> Session {
    Session::new(Rc::new(World), directory.to_str().expect("a UTF-8 path"), vec![("HOME".into(), "/root".into())])
}

pub(crate) fn run(session: &mut Session, script: &str) -> Answer {
    let limit = Some(Duration::from_secs(60));
    session.run(&Request { command: script.to_owned(), timeout: limit, ..Request::default() })
}
