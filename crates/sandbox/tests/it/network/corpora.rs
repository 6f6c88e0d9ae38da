//! URLs, names and addresses that others collected for their own parsers and checks: what of them may be asked for at all, and what
//! the rules for everything public permit.
//!
//! `cargo xtask programs` fetches the lists. Without them these tests say so and pass, unless `CAPLET_TEST_PROGRAMS=required`.
//! Each test counts what it looked at: a list that was read wrong must not look like one that holds.

mod addresses;
mod names;
mod urls;

use std::path::PathBuf;
use std::sync::Arc;

use caplet_policy::{GuestPath, HttpOp, HttpSection, Journal, Layer, LayerKind, Policy, Rule};

/// A fetched list.
#[expect(clippy::print_stderr, reason = "a test that had nothing to run says so")]
fn corpus(name: &str) -> Option<String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let text = std::fs::read_to_string(cache.join("caplet/programs").join(name));
    if text.is_err() {
        assert!(std::env::var_os("CAPLET_TEST_PROGRAMS").is_none(), "{name} is missing: run `cargo xtask programs`");
        eprintln!("{name} was not fetched, so it was not tried: `cargo xtask programs` fetches it");
    }
    text.ok()
}

/// The strings of a JavaScript array that begins behind `start`, one a line.
fn strings(script: &str, start: &str) -> Vec<String> {
    let array = script.split_once(start).unwrap_or_else(|| panic!("the script has no {start:?}")).1;
    let lines = array.lines().skip(1).map(str::trim).take_while(|line| !line.starts_with(']'));
    lines.map(|line| unquoted(line).unwrap_or_else(|| panic!("{line:?} is no string"))).collect()
}

/// What a string literal says. None of the lists has an escape but of a character for itself.
fn unquoted(line: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = line.chars();
    let quote = rest.next().filter(|quote| matches!(quote, '"' | '\''))?;
    loop {
        match rest.next()? {
            '\\' => text.push(rest.next()?),
            end if end == quote => return matches!(rest.as_str().trim(), "" | ",").then_some(text),
            plain => text.push(plain),
        }
    }
}

/// A policy of one layer with these rules.
fn policy(rules: &[&str]) -> Policy {
    let mut operator = Layer::new(LayerKind::Operator);
    for rule in rules {
        operator.add_allow(Rule::parse_grant(rule, &GuestPath::root()).unwrap());
    }
    Policy::new(operator)
}

/// All that is public.
fn everything_public() -> Policy {
    policy(&["fetch:http://*:*/**", "fetch:https://*:*/**"])
}

/// Whether `policy` permits the op, and a request to a literal address also the connection to it.
fn permits(policy: &Policy, op: HttpOp) -> bool {
    let guard = policy.guard::<HttpSection>(&Arc::new(Journal::default()));
    let Ok(permitted) = guard.check(op) else { return false };
    match *permitted.op().host() {
        caplet_policy::Host::Address(address) => guard.connect(&permitted, address).is_ok(),
        caplet_policy::Host::Name(_) => true,
    }
}

/// The op for `url`, of which holds what must of each: its URL is one that is taken, and stays what it is.
fn op(url: &str) -> Option<HttpOp> {
    let op = HttpOp::new("GET", url).ok()?;
    let again = HttpOp::new("GET", op.url()).unwrap_or_else(|error| panic!("{url:?} became {}: {error}", op.url()));
    assert_eq!(op, again, "{url:?} is not what it was decided to be");
    assert!(op.url().is_ascii() && !op.url().contains(['#', ' ', '\\']), "{url:?} became {:?}", op.url());
    Some(op)
}
