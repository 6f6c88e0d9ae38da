//! The other side: the public library, as a program embeds it.

use std::path::Path;
use std::sync::Arc;

use caplet::audit::{MemorySink, Outcome, OutcomeKind};
use caplet::{Caplet, Ceiling, Grant, Granted, Source};
use serde_json::Value;

/// A Caplet with its records in memory.
pub(crate) fn caplet() -> Caplet {
    Caplet::builder().sink(Arc::new(MemorySink::new())).build().unwrap()
}

/// A Caplet that keeps no records, for what runs so often that records would fill the memory.
pub(crate) fn caplet_without_records() -> Caplet {
    Caplet::builder().build().unwrap()
}

/// A tool that is held in the program, with nothing granted but the usual clock, under `limits`.
pub(crate) fn granted_bytes(caplet: &Caplet, name: &str, text: &str, limits: &[&str]) -> Granted {
    let source = Source::Bytes { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let tool = caplet.load(&source).unwrap();
    let mut grant = Grant::new("/").unwrap();
    for limit in limits {
        grant.limit(limit).unwrap();
    }
    caplet.grant(&tool, grant).unwrap()
}

/// As [`granted_bytes`], for a tool without a manifest that asks for more than to compute.
pub(crate) fn granted_openly(caplet: &Caplet, name: &str, text: &str, allow: &[String], limits: &[&str]) -> Granted {
    let source = Source::Bytes { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let tool = caplet.load(&source).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(Ceiling::Open);
    for rule in allow {
        grant.allow(rule).unwrap();
    }
    for limit in limits {
        grant.limit(limit).unwrap();
    }
    caplet.grant(&tool, grant).unwrap()
}

/// A tool under `allow`, ready to be called.
pub(crate) fn granted(caplet: &Caplet, source: &Source, cwd: &Path, allow: &[String]) -> Granted {
    let tool = caplet.load(source).unwrap();
    let mut grant = Grant::new(cwd).unwrap();
    for rule in allow {
        grant.allow(rule).unwrap();
    }
    caplet.grant(&tool, grant).unwrap()
}

/// One call, which must succeed.
pub(crate) async fn call(granted: &Granted, arguments: Value) -> Value {
    call_function(granted, None, arguments).await
}

/// One call of `function`, which must succeed.
pub(crate) async fn call_function(granted: &Granted, function: Option<&str>, arguments: Value) -> Value {
    let outcome: Outcome = granted.call(function, arguments).await;
    assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
    outcome.output
}
