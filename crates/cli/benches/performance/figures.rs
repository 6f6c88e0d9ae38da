//! Samples, what is said of them, and the report.

use std::time::{Duration, Instant};

/// Times of one thing, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// None as yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e6);
    }

    /// A value that is no time.
    pub(crate) fn add_value(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The value below which `percent` of the samples lie.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn p50(&self) -> f64 {
        self.percentile(50)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.percentile(99)
    }
}

/// Runs two things in turn, `rounds` times after a tenth as many to warm up, and times each.
pub(crate) fn in_turn(rounds: usize, mut one: impl FnMut(), mut other: impl FnMut()) -> (Samples, Samples) {
    let (mut ones, mut others) = (Samples::default(), Samples::default());
    for round in 0..rounds + rounds / 10 {
        let started = Instant::now();
        one();
        let middle = Instant::now();
        other();
        let ended = Instant::now();
        if round >= rounds / 10 {
            ones.add(middle - started);
            others.add(ended - middle);
        }
    }
    (ones, others)
}

/// One line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) value: String,
    /// The figure that counts, and its bound where there is one: at most, or at least.
    pub(crate) ratio: Option<(f64, Bound)>,
}

/// What a figure is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

/// All lines.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) Vec<Row>);

impl Report {
    /// A time, as a median and a 99th percentile.
    pub(crate) fn time(&mut self, what: &str, samples: &Samples) {
        let value = format!("p50 {:.1} µs, p99 {:.1} µs", samples.p50(), samples.p99());
        self.0.push(Row { what: what.to_owned(), value, ratio: None });
    }

    /// Something counted.
    pub(crate) fn count(&mut self, what: &str, value: f64, unit: &str) {
        self.0.push(Row { what: what.to_owned(), value: format!("{value:.0} {unit}"), ratio: None });
    }

    /// A figure with its bound.
    pub(crate) fn figure(&mut self, what: &str, value: f64, bound: Bound) {
        self.0.push(Row { what: what.to_owned(), value: String::new(), ratio: Some((value, bound)) });
    }

    /// Something to be said of what was or was not measured.
    pub(crate) fn note(&mut self, what: &str, text: &str) {
        self.0.push(Row { what: what.to_owned(), value: text.to_owned(), ratio: None });
    }

    /// The median that was reported of `what`, in microseconds.
    pub(crate) fn median(&self, what: &str) -> Option<f64> {
        let row = self.0.iter().find(|row| row.what == what)?;
        row.value.strip_prefix("p50 ")?.split(' ').next()?.parse().ok()
    }

    pub(crate) fn print(&self) {
        for Row { what, value, ratio } in &self.0 {
            match ratio {
                None => println!("{what:<64} {value}"),
                Some((value, bound)) => {
                    let (word, limit) = match bound {
                        Bound::AtMost(limit) => ("at most", limit),
                        Bound::AtLeast(limit) => ("at least", limit),
                    };
                    let verdict = if bound.holds(*value) { "reached" } else { "MISSED" };
                    println!("  => {what:<59} {value:.2} ({word} {limit}) {verdict}");
                }
            }
        }
    }
}
