//! [`Host`] over WASI and `caplet:tools`: what is under way, and one wait for all of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::caplet::tools::invoke;
use super::http::Transfer;
use super::wasi::clocks::monotonic_clock;
use super::wasi::io::poll::{Pollable, poll};
use super::wasi::random::random;
use crate::host::{Callable, Ended, Host, HttpFailure, HttpRequest, ToolFailure};

/// What the host of this component offers.
#[derive(Default)]
pub(super) struct Wasi {
    under_way: BTreeMap<u64, Operation>,
}

enum Operation {
    Http(Box<Transfer>),
    Tool(invoke::Invocation),
}

impl fmt::Debug for Wasi {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Wasi").field("under_way", &self.under_way.len()).finish()
    }
}

impl Operation {
    /// Goes on as far as it can without waiting.
    fn step(&mut self) -> Option<Ended> {
        match self {
            Self::Http(transfer) => transfer.step().map(Ended::Http),
            Self::Tool(invocation) => invocation.get().map(|outcome| Ended::Tool(outcome.map_err(failure))),
        }
    }

    fn subscribe(&self) -> Pollable {
        match self {
            Self::Http(transfer) => transfer.subscribe(),
            Self::Tool(invocation) => invocation.subscribe(),
        }
    }
}

impl Wasi {
    fn step(&mut self) -> Vec<(u64, Ended)> {
        let mut ended = Vec::new();
        for (number, operation) in &mut self.under_way {
            ended.extend(operation.step().map(|end| (*number, end)));
        }
        for (number, _) in &ended {
            self.under_way.remove(number);
        }
        ended
    }
}

impl Host for Wasi {
    fn now(&mut self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&mut self, count: usize) -> Vec<u8> {
        random::get_random_bytes(count as u64)
    }

    fn send(&mut self, operation: u64, request: &HttpRequest) -> Result<(), HttpFailure> {
        let transfer = Transfer::begin(request)?;
        self.under_way.insert(operation, Operation::Http(Box::new(transfer)));
        Ok(())
    }

    fn callables(&mut self) -> Vec<Callable> {
        let callable = |found: invoke::Callable| Callable {
            name: found.name,
            description: found.description,
            input_schema: found.input_schema,
            output_schema: found.output_schema,
        };
        invoke::list().into_iter().map(callable).collect()
    }

    fn call(&mut self, operation: u64, name: &str, arguments: &str) -> Result<(), ToolFailure> {
        let invocation = invoke::start(name, arguments).map_err(failure)?;
        self.under_way.insert(operation, Operation::Tool(invocation));
        Ok(())
    }

    fn cancel(&mut self, operation: u64) {
        self.under_way.remove(&operation);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Vec<(u64, Ended)> {
        let end = timeout.map(|timeout| self.now().saturating_add(timeout));
        loop {
            let ended = self.step();
            let left = end.map(|end| end.saturating_sub(self.now()));
            if !ended.is_empty() || left == Some(Duration::ZERO) || (left.is_none() && self.under_way.is_empty()) {
                return ended;
            }
            let mut pollables: Vec<Pollable> = self.under_way.values().map(Operation::subscribe).collect();
            pollables.extend(
                left.map(|left| {
                    monotonic_clock::subscribe_duration(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
                }),
            );
            poll(&pollables.iter().collect::<Vec<_>>());
        }
    }
}

fn failure(error: invoke::Error) -> ToolFailure {
    match error {
        invoke::Error::Denied(reason) => ToolFailure::Denied(reason),
        invoke::Error::Limit(reason) => ToolFailure::Limit(reason),
        invoke::Error::Failed(reason) => ToolFailure::Failed(reason),
    }
}
