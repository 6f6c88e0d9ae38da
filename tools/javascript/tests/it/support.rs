//! A made-up outside: a clock that moves only when it is waited for, and answers by table.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use javascript::{
    Callable, Ended, Host, HttpFailure, HttpRequest, HttpResponse, Output, Request, Session, ToolFailure,
};

/// What was asked of the outside, and in which order.
pub(crate) type Log = Rc<RefCell<Vec<String>>>;

/// An answer and how long it takes.
type Answer = (u64, Result<HttpResponse, HttpFailure>);
type ToolAnswer = fn(&str) -> Result<String, ToolFailure>;

#[derive(Debug, Default)]
pub(crate) struct World {
    now: Duration,
    pub(crate) log: Log,
    pub(crate) answers: BTreeMap<String, Answer>,
    pub(crate) callables: Vec<Callable>,
    pub(crate) tools: BTreeMap<String, (u64, ToolAnswer)>,
    at_once: Option<usize>,
    in_all: Option<usize>,
    calls: usize,
    under_way: BTreeMap<(Duration, u64), Ended>,
}

impl World {
    /// Lets `GET url` and the like be answered.
    pub(crate) fn answer(mut self, request: &str, millis: u64, response: Result<HttpResponse, HttpFailure>) -> Self {
        self.answers.insert(request.to_owned(), (millis, response));
        self
    }

    /// Lets so many operations run at once, and so many calls of tools begin.
    pub(crate) fn room(mut self, at_once: usize, in_all: Option<usize>) -> Self {
        self.at_once = Some(at_once);
        self.in_all = in_all;
        self
    }

    pub(crate) fn tool(mut self, name: &str, schema: &str, millis: u64, answer: ToolAnswer) -> Self {
        self.callables.push(Callable {
            name: name.to_owned(),
            description: format!("Does {name}."),
            input_schema: schema.to_owned(),
            output_schema: None,
        });
        self.tools.insert(name.to_owned(), (millis, answer));
        self
    }
}

pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Result<HttpResponse, HttpFailure> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(HttpResponse { status, headers, body: body.as_bytes().to_vec() })
}

impl Host for World {
    fn now(&mut self) -> Duration {
        self.now
    }

    fn random(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    fn send(&mut self, operation: u64, request: &HttpRequest) -> Result<(), HttpFailure> {
        let name = format!("{} {}", request.method, request.url);
        let body = request.body.as_ref().map(|body| format!(" {}", String::from_utf8_lossy(body))).unwrap_or_default();
        let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        self.log.borrow_mut().push(format!("{name}{}{body}", headers.concat()));
        let (millis, answer) = self.answers.get(&name).cloned().unwrap_or((1, Err(HttpFailure::Denied)));
        self.under_way.insert((self.now + Duration::from_millis(millis), operation), Ended::Http(answer));
        Ok(())
    }

    fn callables(&mut self) -> Vec<Callable> {
        self.callables.clone()
    }

    fn call(&mut self, operation: u64, name: &str, arguments: &str) -> Result<(), ToolFailure> {
        self.log.borrow_mut().push(format!("call {name} {arguments}"));
        let Some((millis, answer)) = self.tools.get(name) else {
            return Err(ToolFailure::Denied(format!("not permitted: grant `call:{name}`")));
        };
        if self.at_once.is_some_and(|most| self.under_way.len() >= most) {
            return Err(ToolFailure::Limit("calls-at-once".to_owned()));
        }
        if self.in_all.is_some_and(|most| self.calls >= most) {
            return Err(ToolFailure::Limit("calls in all".to_owned()));
        }
        self.calls += 1;
        self.under_way.insert((self.now + Duration::from_millis(*millis), operation), Ended::Tool(answer(arguments)));
        Ok(())
    }

    fn cancel(&mut self, operation: u64) {
        self.log.borrow_mut().push(format!("cancel {operation}"));
        self.under_way.retain(|(_, number), _| *number != operation);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Vec<(u64, Ended)> {
        let end = timeout.map(|timeout| self.now + timeout);
        let next = self.under_way.first_key_value().map(|((due, _), _)| *due);
        match (next, end) {
            (Some(due), end) if end.is_none_or(|end| due <= end) => {
                self.now = self.now.max(due);
                let ((_, number), ended) = self.under_way.pop_first().unwrap();
                vec![(number, ended)]
            }
            (_, Some(end)) => {
                self.now = end;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

pub(crate) fn session() -> Session {
    Session::new(Box::new(World::default()), "/").unwrap()
}

pub(crate) fn request(code: &str) -> Request {
    Request { code: code.to_owned(), ..Request::default() }
}

pub(crate) fn run(code: &str) -> Result<Output, String> {
    session().run(&request(code))
}

pub(crate) fn value(code: &str) -> String {
    match run(code) {
        Ok(output) => output.value,
        Err(error) => format!("error: {error}"),
    }
}

pub(crate) fn error(code: &str) -> String {
    match run(code) {
        Ok(output) => panic!("{code} gives {output:?}"),
        Err(error) => error,
    }
}

/// Each program gives the value beside it.
pub(crate) fn check(cases: &[(&str, &str)]) {
    for (code, expected) in cases {
        assert_eq!(value(code), *expected, "{code}");
    }
}
