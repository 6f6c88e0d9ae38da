//! The log: what is appended is there, whatever happens, and what was changed is found.

mod appended;
mod attacks;
mod canonical;
mod index;
mod processes;
mod read;
mod unsafe_places;

use std::fs;
use std::path::{Path, PathBuf};

use caplet_audit::log::{Log, LogConfig, Report, Trust, verify};
use caplet_audit::{Outcome, Record, Sink as _};

/// A log in a folder of its own.
pub(crate) struct World {
    root: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("state/log")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.path().join("state/keys")
    }

    pub(crate) fn config(&self) -> LogConfig {
        LogConfig::new(self.folder(), self.keys()).one_shot()
    }

    pub(crate) fn log(&self) -> Log {
        Log::new(self.config())
    }

    /// The file of the segment with this number.
    pub(crate) fn segment(&self, number: usize) -> PathBuf {
        self.folder().join(format!("audit-{number:08}.jsonl"))
    }

    /// The lines of all segments.
    pub(crate) fn lines(&self) -> Vec<Vec<String>> {
        let read = |number| fs::read_to_string(self.segment(number)).ok();
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        (1..).map_while(read).map(lines).collect()
    }

    /// Puts these lines in the place of all segments.
    pub(crate) fn put(&self, segments: &[Vec<String>]) {
        (1..).map(|number| self.segment(number)).take_while(|path| fs::remove_file(path).is_ok()).for_each(drop);
        for (number, lines) in (1..).zip(segments) {
            let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            fs::write(self.segment(number), text).unwrap();
        }
    }

    pub(crate) fn verify(&self) -> Report {
        verify(&self.folder(), &Trust { keys: Some(self.keys()), key: None }).unwrap()
    }

    /// The tools of all records, oldest first.
    pub(crate) fn tools(&self) -> Vec<String> {
        use caplet_audit::log::{Filter, Order, Reader};
        let records = Reader::new(self.folder()).records(Order::OldestFirst, Filter::default()).unwrap();
        records.map(|kept| kept.unwrap().record.tool).collect()
    }
}

/// Something that is done to a log from outside, by name.
pub(crate) type Change = (&'static str, fn(&World));

pub(crate) fn record(tool: &str) -> Record {
    Record::new(&Outcome::new(tool, None))
}

/// Appends a record of each tool.
pub(crate) fn append(log: &Log, tools: &[&str]) {
    tools.iter().for_each(|tool| log.append(&record(tool)).unwrap());
}
