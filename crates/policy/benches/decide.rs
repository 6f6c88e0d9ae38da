//! How long a decision takes: an op on a file or a request, 100 rules, two layers, with its record.
//!
//! Prints one line for each case. It fails when a decision takes longer than 2 µs, on a request and the URL that it is made from 5 µs.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_policy::{
    FilesystemSection, GuestPath, HttpOp, HttpSection, Journal, Layer, LayerKind, Policy, Read, Rule, Search,
};

/// The bound for one decision.
const BOUND: Duration = Duration::from_micros(2);
/// The bound for making an op of a URL and deciding on it.
const REQUEST_BOUND: Duration = Duration::from_micros(5);
const ROUNDS: u32 = 200_000;

fn policy(rules: usize) -> Policy {
    let mut manifest = Layer::new(LayerKind::Manifest);
    let mut operator = Layer::new(LayerKind::Operator);
    for number in 0..rules {
        for (layer, text) in [
            (&mut manifest, format!("write:/home/user/project-{number}/**")),
            (&mut operator, format!("read:/home/user/project-{number}/src/**/*.rs")),
        ] {
            if let Ok(rule) = Rule::parse_grant(&text, &GuestPath::root()) {
                layer.add_allow(rule);
            }
        }
    }
    Policy::new(manifest).attenuate(operator)
}

/// Requests under 100 rules; whether one takes too long.
#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn requests() -> bool {
    let mut layers = [Layer::new(LayerKind::Manifest), Layer::new(LayerKind::Operator)];
    for number in 0..100 {
        for layer in &mut layers {
            let rule = format!("fetch:https://host{number}.example.com/v1/*/items/**");
            if let Ok(rule) = Rule::parse_grant(&rule, &GuestPath::root()) {
                layer.add_allow(rule);
            }
        }
    }
    let [manifest, operator] = layers;
    let guard = Policy::new(manifest).attenuate(operator).guard::<HttpSection>(&Arc::new(Journal::new()));
    let decide = |url: &str| drop(black_box(HttpOp::new("GET", black_box(url)).map(|op| guard.check(op))));
    decide("https://host0.example.com/");
    let cases = [
        ("request, permitted", "https://host99.example.com/v1/a/items/deep/down?q=1"),
        ("request, denied", "https://host99.example.com/v2/a/items/deep/down?q=1"),
    ];
    let mut is_slow = false;
    for (name, url) in cases {
        let time = best(|| decide(url));
        is_slow |= time > REQUEST_BOUND;
        println!("     {name:<18} {time:?}");
    }
    is_slow
}

/// The time of one call of `work`, the best of several rounds.
fn best(mut work: impl FnMut()) -> Duration {
    let round = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        started.elapsed() / ROUNDS
    };
    (0..5).map(|_| round(&mut work)).min().unwrap_or(Duration::MAX)
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() -> ExitCode {
    let mut is_slow = false;
    for rules in [1, 10, 100] {
        let started = Instant::now();
        let policy = policy(rules);
        let compiled = policy.compile();
        println!(
            "{rules:>4} rules a layer: compiled in {:?}{}",
            started.elapsed(),
            if compiled.is_ok() { "" } else { " in part" }
        );
        let guard = policy.guard::<FilesystemSection>(&Arc::new(Journal::new()));
        let path = |text: String| GuestPath::parse(&text).unwrap_or_else(|_| GuestPath::root());
        let last = rules.saturating_sub(1);
        let permitted = path(format!("/home/user/project-{last}/src/deep/down/main.rs"));
        let denied = path(format!("/home/user/project-{last}/target/debug/main.o"));
        let cases: [(&str, &mut dyn FnMut()); 4] = [
            ("read, permitted", &mut || drop(black_box(guard.check(Read(permitted.clone()))))),
            ("read, denied", &mut || drop(black_box(guard.check(Read(denied.clone()))))),
            ("search, permitted", &mut || drop(black_box(guard.check(Search(permitted.clone()))))),
            ("read, only asked", &mut || {
                black_box(guard.would_permit(&Read(permitted.clone())));
            }),
        ];
        for (name, work) in cases {
            let time = best(work);
            is_slow |= time > BOUND;
            println!("     {name:<18} {time:?}");
        }
    }
    is_slow |= requests();
    if is_slow { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
