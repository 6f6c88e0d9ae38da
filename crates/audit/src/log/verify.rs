//! Says whether a log is as it was written, or what the first thing in it is that is not. It reads each byte once and holds one line.

use std::io;
use std::path::Path;

use super::canonical;
use super::checkpoint::{self, Vouched};
use super::entry::{Hash, Kind, RawEntry, Remark};
use super::folder::{Folder, segment_name};
use super::lines::{End, Lines};
use super::reader::ReadError;
use super::tail::{self, Head};

mod report;

pub use report::{Fault, FaultKind, Note, Report, Trust};

/// Lines that are looked through for an entry that is not where it should be.
const LOOK_AHEAD: usize = 10_000;

/// Notes that are kept; more are only counted.
const MOST_NOTES: usize = 100;

/// Verifies the log in `folder`.
///
/// What a crash left unfinished at the very end is no fault; the next process that appends remarks on it.
///
/// # Errors
///
/// When there is no log, or it cannot be read. That it is wrong is no error but in the report.
pub fn verify(folder: &Path, trust: &Trust) -> Result<Report, ReadError> {
    let failed = |source| ReadError::Io { path: folder.to_owned(), source };
    let opened = Folder::open(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing(folder.to_owned()),
        _ => failed(error),
    })?;
    let segments = opened.segments().map_err(failed)?;
    let Some(first) = segments.first() else { return Err(ReadError::Missing(folder.to_owned())) };
    let log = log_id(&opened, *first).map_err(failed)?;
    let vouched = match &trust.keys {
        Some(keys) => {
            let failed = |source| ReadError::Io { path: keys.clone(), source };
            checkpoint::read(keys, log.as_deref().unwrap_or_default()).map_err(failed)?
        }
        None => Vouched::default(),
    };
    let mut walk = Walk::new(opened, segments, log, &vouched);
    let walked = walk.check_checkpoints(&vouched, trust).and_then(|()| walk.all()).and_then(|()| walk.check_end());
    walk.report.head = (walk.report.entries > 0).then(|| walk.head.hash.to_string());
    match walked {
        Ok(()) => {}
        Err(Stop::Fault(fault)) => walk.report.fault = Some(*fault),
        Err(Stop::Io(source)) => return Err(failed(source)),
    }
    Ok(walk.report)
}

/// The id that the first entry says, if it can be read.
fn log_id(folder: &Folder, first: u64) -> io::Result<Option<String>> {
    let Some(file) = folder.open_to_read(&segment_name(first))? else { return Ok(None) };
    let size = file.metadata()?.len();
    Ok(tail::start(&file, size).ok().map(|(log, _)| log))
}

/// What ends a walk early.
enum Stop {
    Fault(Box<Fault>),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The way through a log.
struct Walk {
    folder: Folder,
    segments: Vec<u64>,
    /// What checkpoints say of this log, by number; those to come.
    points: std::iter::Peekable<std::vec::IntoIter<Head>>,
    /// An entry of another log that a checkpoint vouches for.
    foreign: Option<u64>,
    head: Head,
    /// What the entry before names as the one before it.
    before: Hash,
    /// Where the walk is: segment, and line.
    at: (u64, u64),
    /// The time of the record before.
    time: Vec<u8>,
    times_back: u64,
    report: Report,
}

impl Walk {
    fn new(folder: Folder, segments: Vec<u64>, log: Option<String>, vouched: &Vouched) -> Self {
        let mut points: Vec<Head> =
            vouched.points.iter().filter(|point| point.is_own).map(|point| point.head).collect();
        // Two that speak of one entry and differ stay beside each other, so that one of them is found wrong.
        points.sort_by_key(|head| head.seq);
        points.dedup();
        let checkpoints = vouched.points.len() as u64;
        let last = points.last().map(|head| head.seq);
        Self {
            folder,
            segments,
            points: points.into_iter().peekable(),
            foreign: vouched.points.iter().find(|point| !point.is_own).map(|point| point.head.seq),
            head: Head { seq: 0, hash: Hash::NONE },
            before: Hash::NONE,
            at: (0, 0),
            time: Vec::new(),
            times_back: 0,
            report: Report { log, checkpoints, vouched: last, ..Report::default() },
        }
    }

    /// Whether the checkpoints are what was signed.
    fn check_checkpoints(&mut self, vouched: &Vouched, trust: &Trust) -> Result<(), Stop> {
        let wrong = |seq, what: String| {
            let kind = FaultKind::Checkpoint;
            Stop::Fault(Box::new(Fault { segment: None, line: None, seq, kind, what }))
        };
        let key = trust.key.or(vouched.key);
        self.report.key = key.map(|key| key.to_string());
        if let Some(line) = vouched.broken {
            return Err(wrong(None, format!("line {line} of the file of checkpoints is none")));
        }
        if vouched.points.is_empty() {
            if trust.key.is_some() {
                return Err(wrong(None, "there is no checkpoint that the key could have signed".to_owned()));
            }
            self.note(None, "there is no checkpoint: nobody would see it if the last entries were gone".to_owned());
            return Ok(());
        }
        let Some(key) = key else {
            return Err(wrong(
                None,
                "the public key that is beside the checkpoints is gone; give it with --key".to_owned(),
            ));
        };
        for signed in &vouched.newest {
            if !signed.is_by(&key) {
                let seq = signed.checkpoint.seq;
                return Err(wrong(Some(seq), format!("the checkpoint on entry {seq} was not signed with {key}")));
            }
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), Stop> {
        let newest = self.segments.last().copied().unwrap_or(0);
        for (expected, number) in (1..).zip(self.segments.clone()) {
            self.at = (number, 1);
            if number != expected {
                return Err(self.fault(FaultKind::Deleted, format!("{} is missing", segment_name(expected))));
            }
            self.segment(number, number == newest)?;
            self.report.segments += 1;
        }
        Ok(())
    }

    fn segment(&mut self, number: u64, is_newest: bool) -> Result<(), Stop> {
        let file = self.folder.open_to_read(&segment_name(number))?;
        let mut lines = Lines::new(file.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?, 0)?;
        let mut line = Vec::new();
        for at in 1.. {
            self.at = (number, at);
            let start = lines.offset;
            let end = lines.next(&mut line)?;
            self.report.bytes += lines.offset - start;
            match end {
                Some(End::Break) => self.entry(&line, lines.offset)?,
                Some(End::Length) => {
                    return Err(self.fault(FaultKind::Edited, "it is longer than any entry".to_owned()));
                }
                Some(End::File) if is_newest => {
                    let bytes = line.len();
                    self.note_here(format!(
                        "a write was cut short here, by a crash or this moment: {bytes} bytes, no entry"
                    ));
                    return Ok(());
                }
                Some(End::File) => return Err(self.fault(FaultKind::Truncated, "it is cut off".to_owned())),
                None if at == 1 && !is_newest => {
                    return Err(self.fault(FaultKind::Truncated, "the segment is empty".to_owned()));
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether `line` is the entry that follows.
    fn entry(&mut self, line: &[u8], next: u64) -> Result<(), Stop> {
        let entry = match RawEntry::parse(line) {
            Some(entry) if entry.is_sealed() => entry,
            _ => return Err(self.unsealed(line, next)?),
        };
        if let Err(why) = canonical::check(line) {
            return Err(self.fault(FaultKind::Edited, format!("it is not in the form of an entry: {why}")));
        }
        let seq = self.head.seq.saturating_add(1);
        if entry.seq != seq || entry.prev != self.head.hash {
            return Err(self.misplaced(&entry, next)?);
        }
        match entry.kind {
            Kind::Record => {
                self.report.records += 1;
                self.check_time(entry.content);
                if self.at.1 == 1 {
                    return Err(
                        self.fault(FaultKind::Deleted, "the segment does not begin with its first entry".to_owned())
                    );
                }
            }
            Kind::Remark => self.remark(entry.remark())?,
        }
        while let Some(point) = self.points.next_if(|point| point.seq <= seq) {
            if point.seq == seq && point.hash != entry.hash {
                let what =
                    "a checkpoint says that another entry was here: this one, or one before it, was put in its place";
                return Err(self.fault(FaultKind::Swapped, what.to_owned()));
            }
        }
        (self.before, self.head) = (entry.prev, Head { seq, hash: entry.hash });
        self.report.entries += 1;
        Ok(())
    }

    fn remark(&mut self, remark: Option<Remark>) -> Result<(), Stop> {
        let (number, line) = self.at;
        match remark {
            Some(Remark::Start { log, segment, .. }) => {
                if line != 1 {
                    return Err(self.fault(FaultKind::Inserted, "a segment begins in the middle of another".to_owned()));
                }
                if Some(&log) != self.report.log.as_ref() {
                    return Err(self.fault(FaultKind::Swapped, "it is of another log".to_owned()));
                }
                if segment != number {
                    return Err(self.fault(FaultKind::Swapped, format!("it begins segment {segment}")));
                }
            }
            _ if line == 1 => {
                return Err(
                    self.fault(FaultKind::Deleted, "the segment does not begin with its first entry".to_owned())
                );
            }
            Some(Remark::Torn { bytes, time, .. }) => {
                self.note_here(format!("a write of {bytes} bytes was cut short by a crash before {time}"));
            }
            Some(Remark::Gap { seq, .. }) => {
                let what = format!("a process that wrote here knew of entry {seq}, and it was not there any more");
                return Err(self.fault(FaultKind::Deleted, what));
            }
            None => {
                return Err(self.fault(FaultKind::Edited, "it is a remark that this release does not know".to_owned()));
            }
        }
        Ok(())
    }

    /// What is wrong with a line that is no entry, or whose hash is not that of its text.
    fn unsealed(&self, line: &[u8], next: u64) -> Result<Stop, io::Error> {
        if let Ok(value) = crate::json::strict(line) {
            let mut text = Vec::new();
            let is_whole = canonical::write(&mut text, &value).is_ok();
            if is_whole && text != line && RawEntry::parse(&text).is_some_and(|entry| entry.is_sealed()) {
                let what = "its text was changed, and means the same: whitespace, the order of keys or escapes";
                return Ok(self.fault(FaultKind::Whitespace, what.to_owned()));
            }
        }
        // Where the one that belongs here follows, this one was put before it.
        if self.is_ahead(next, 1, &|entry| self.follows(entry))? {
            return Ok(
                self.fault(FaultKind::Inserted, "it is no entry, and the one that belongs here follows".to_owned())
            );
        }
        let what = if RawEntry::parse(line).is_some() { "its hash is not that of its text" } else { "it is no entry" };
        Ok(self.fault(FaultKind::Edited, what.to_owned()))
    }

    /// What is wrong with a whole entry that does not follow the one before it.
    fn misplaced(&self, entry: &RawEntry<'_>, next: u64) -> Result<Stop, io::Error> {
        let (found, expected) = (entry.seq, self.head.seq.saturating_add(1));
        if entry.hash == self.head.hash {
            return Ok(self.fault(FaultKind::Duplicated, format!("entry {found} is here twice")));
        }
        if found == self.head.seq && entry.prev == self.before {
            let what =
                format!("there are two entries {found}, and only one of them was there when the next was written");
            return Ok(self.fault(FaultKind::Inserted, what));
        }
        if found < expected {
            return Ok(self.fault(FaultKind::Duplicated, format!("entry {found} is here again")));
        }
        if self.is_ahead(next, LOOK_AHEAD, &|entry| self.follows(entry))? {
            let what = format!("entry {found} is here, and entry {expected}, which belongs here, comes later");
            return Ok(self.fault(FaultKind::Reordered, what));
        }
        if found > expected {
            let what = format!("entry {found} is here: those from {expected} to {} are missing", found - 1);
            return Ok(self.fault(FaultKind::Deleted, what));
        }
        let what = "it follows another entry than the one before it, which was put in the place of that one";
        let kind = if self.at.1 == 1 { FaultKind::Swapped } else { FaultKind::Edited };
        Ok(self.fault(kind, what.to_owned()))
    }

    fn follows(&self, entry: &RawEntry<'_>) -> bool {
        entry.seq == self.head.seq.saturating_add(1) && entry.prev == self.head.hash && entry.is_sealed()
    }

    /// Whether one of the next `most` lines, in this segment or the one after it, is meant.
    fn is_ahead(&self, offset: u64, most: usize, is_meant: &dyn Fn(&RawEntry<'_>) -> bool) -> io::Result<bool> {
        let mut left = most;
        for (number, offset) in [(self.at.0, offset), (self.at.0.saturating_add(1), 0)] {
            let Some(file) = self.folder.open_to_read(&segment_name(number))? else { return Ok(false) };
            let (mut lines, mut line) = (Lines::new(file, offset)?, Vec::new());
            while left > 0 && lines.next(&mut line)? == Some(End::Break) {
                left -= 1;
                if RawEntry::parse(&line).is_some_and(|entry| is_meant(&entry)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether what checkpoints vouch for is all there.
    fn check_end(&mut self) -> Result<(), Stop> {
        if self.times_back > 0 {
            self.note(
                None,
                format!("the clock was set back {} times: records are in the order of their numbers", self.times_back),
            );
        }
        if let Some(seq) = self.foreign {
            let what = "checkpoints vouch for another log than this one, which is not here".to_owned();
            let fault = Fault { segment: None, line: None, seq: Some(seq), kind: FaultKind::Swapped, what };
            return Err(Stop::Fault(Box::new(fault)));
        }
        let Some(point) = self.points.next() else { return Ok(()) };
        let (number, line) = self.at;
        let what = format!("a checkpoint vouches for entry {}, and the log ends at entry {}", point.seq, self.head.seq);
        let segment = Some(segment_name(number));
        let kind = FaultKind::Truncated;
        Err(Stop::Fault(Box::new(Fault { segment, line: Some(line), seq: Some(self.head.seq + 1), kind, what })))
    }

    /// Compares the time of a record with the one before. The clock may be set, so that is no fault.
    fn check_time(&mut self, record: &[u8]) {
        // No string holds this text: its quotes would be escaped.
        const KEY: &[u8] = b",\"time\":\"";
        const LENGTH: usize = "2026-01-01T00:00:00.000Z".len();
        let Some(at) = memchr::memmem::rfind(record, KEY) else { return };
        let Some(time) = record.get(at + KEY.len()..at + KEY.len() + LENGTH) else { return };
        if time < self.time.as_slice() {
            self.times_back += 1;
        }
        self.time.clear();
        self.time.extend_from_slice(time);
    }

    fn fault(&self, kind: FaultKind, what: String) -> Stop {
        let (number, line) = self.at;
        let (segment, seq) = (Some(segment_name(number)), Some(self.head.seq.saturating_add(1)));
        Stop::Fault(Box::new(Fault { segment, line: Some(line), seq, kind, what }))
    }

    fn note_here(&mut self, what: String) {
        self.note(Some(self.at), what);
    }

    fn note(&mut self, at: Option<(u64, u64)>, what: String) {
        if self.report.notes.len() < MOST_NOTES {
            let (segment, line) = at.map(|(number, line)| (segment_name(number), line)).unzip();
            self.report.notes.push(Note { segment, line, what });
        }
    }
}
