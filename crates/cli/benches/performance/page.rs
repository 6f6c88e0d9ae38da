//! The report as a page, and a plot of it.

use std::fmt::Write as _;
use std::path::Path;

use crate::figures::{Bound, Report, Row};

/// What holds figures that may miss their bounds, by how they begin.
const HELD_BY: &[(&str, &str)] = &[
    ("Python tool: loading", "the keyed hash over 34 MB of code, without which no entry of the cache is run"),
    ("JavaScript tool: loading", "the keyed hash over its code, without which no entry of the cache is run"),
    ("throughput", "the machine: the bare engine's own figure of the same run is among the times below"),
    ("p99 beside", "the machine: the 99th percentile of a small call is a matter of what else wakes up"),
    ("caplet --version", "the start of a large executable at a random address: its relocations, before `main`"),
    ("epoch cost", "the engine's own check of the epoch; the bound is what it usually takes"),
    (
        "cold trivial",
        "the start of a large executable at a random address: its relocations touch some 200 pages before `main`, as the figure for \
         `caplet --version` shows",
    ),
    ("cold Python", "the same, and the keyed hash over the code"),
];

/// Writes `performance.md` and `performance.svg` into `folder`.
pub(crate) fn write(report: &Report, folder: &Path) {
    std::fs::write(folder.join("performance.md"), page(report)).unwrap();
    std::fs::write(folder.join("performance.svg"), plot(report)).unwrap();
}

fn page(report: &Report) -> String {
    let mut page = String::from(
        "# Performance\n\nWritten by `cargo xtask bench`; not to be edited. Everything below is from one run on one machine, what is \
         compared in turn.\nTimes are for that machine alone; the ratios are what carries over. The floor is the bare engine with \
         the same settings: a pool,\nasynchronous calls, epochs and a limiter.\n\n![How the figures stand to their \
         bounds](performance.svg)\n\n## Figures\n\n| figure | measured | is to be | |\n|---|---:|---:|---|\n",
    );
    for (row, value, bound) in figures(report) {
        let (word, limit) = match bound {
            Bound::AtMost(limit) => ("at most", limit),
            Bound::AtLeast(limit) => ("at least", limit),
        };
        let verdict = if bound.holds(value) { "reached" } else { "**missed**" };
        writeln!(page, "| {} | {} | {word} {limit} | {verdict} |", row.what, short(value)).unwrap();
    }
    let missed: Vec<&Row> =
        figures(report).filter(|(_, value, bound)| !bound.holds(*value)).map(|(row, ..)| row).collect();
    if !missed.is_empty() {
        page.push_str("\n## What holds those that are missed\n\n");
    }
    for row in missed {
        let known = HELD_BY.iter().find(|(start, _)| row.what.starts_with(start));
        writeln!(page, "- {}: {}.", row.what, known.map_or("not known", |(_, why)| why)).unwrap();
    }
    page.push_str("\n## Times\n\n| what | |\n|---|---|\n");
    for row in report.0.iter().filter(|row| row.ratio.is_none()) {
        writeln!(page, "| {} | {} |", row.what, row.value).unwrap();
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    writeln!(page, "\nMeasured on {} with {cores} cores.", std::env::consts::ARCH).unwrap();
    page
}

fn figures(report: &Report) -> impl Iterator<Item = (&Row, f64, Bound)> {
    report.0.iter().filter_map(|row| row.ratio.map(|(value, bound)| (row, value, bound)))
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Bars on a logarithmic scale: how far each figure is from its bound, which is the line in the middle.
fn plot(report: &Report) -> String {
    const ROW: usize = 22;
    const MIDDLE: f64 = 700.0;
    /// Pixels for a factor of ten.
    const DECADE: f64 = 110.0;
    let rows: Vec<_> = figures(report).collect();
    let height = rows.len() * ROW + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"1000\" height=\"{height}\" fill=\"white\"/>\n<text x=\"{MIDDLE}\" y=\"16\" \
         text-anchor=\"middle\">bound (to the left is better; a tenth of the way is a factor of ten)</text>\n"
    );
    for (index, (row, value, bound)) in rows.iter().enumerate() {
        let y = 28 + index * ROW;
        let worse = match bound {
            Bound::AtMost(limit) => value / limit,
            Bound::AtLeast(limit) => limit / value,
        };
        let length = (worse.max(1e-3).log10() * DECADE).clamp(-280.0, 280.0);
        let (x, colour) = if length <= 0.0 { (MIDDLE + length, "#2a7") } else { (MIDDLE, "#c33") };
        let width = length.abs().max(1.0);
        writeln!(
            svg,
            "<text x=\"410\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{x:.0}\" y=\"{y}\" width=\"{width:.0}\" height=\"14\" \
             fill=\"{colour}\"/>",
            y + 11,
            row.what
        )
        .unwrap();
    }
    writeln!(svg, "<line x1=\"{MIDDLE}\" x2=\"{MIDDLE}\" y1=\"22\" y2=\"{height}\" stroke=\"black\"/>\n</svg>")
        .unwrap();
    svg
}
