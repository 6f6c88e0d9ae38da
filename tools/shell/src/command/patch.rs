//! `patch`: applies unified differences.
//!
//! A patch names files of its own: names that lead out of the directory (absolute ones, `..`) are refused.

mod apply;
mod parse;

use std::io::ErrorKind;

use bstr::ByteSlice;
use parse::{Difference, parse};

use super::{Call, Flags, Reader};
use crate::fs;
use crate::stop::{Flow, Stop, misused};
use crate::syntax::ast::Text;

/// What a patch, or a file that is patched, may have.
const ALL_MAX: usize = 64 << 20;

pub(super) async fn patch(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("strip", b'p'),
        ("reverse", b'R'),
        ("input", b'i'),
        ("directory", b'd'),
        ("output", b'o'),
        ("silent", b's'),
        ("quiet", b's'),
        ("forward", b'N'),
        ("force", b'f'),
        ("batch", b't'),
        ("fuzz", b'F'),
        ("remove-empty-files", b'E'),
        ("unified", b'u'),
        ("verbose", b'v'),
        ("backup", b'b'),
        ("dry-run", 1),
        ("no-backup-if-mismatch", 2),
        ("reject-file", b'r'),
    ];
    let mut flags = Flags::parse(call.arguments, "p:Ri:d:o:sNftF:Euvblr:", &long)?;
    let source = match (flags.value(b'i'), flags.operands.len()) {
        (Some(name), _) => name.clone(),
        (None, 2) => flags.operands.remove(1),
        _ => b"-".to_vec(),
    };
    if flags.operands.len() > 1 {
        return misused(format!(
            "{}: extra operand",
            flags.operands.get(1).map(|text| text.to_str_lossy()).unwrap_or_default()
        ));
    }
    let Some(mut reader) = call.open(&source).await else { return Ok(2) };
    let text = reader.all(ALL_MAX).await?;
    let mut all = parse(&text).map_err(|reason| Stop::Failed(format!("**** {reason}"), 2))?;
    if all.is_empty() && !text.trim_ascii().is_empty() {
        return Err(Stop::Failed("**** Only garbage was found in the patch input.".to_owned(), 2));
    }
    let mut work = Work { call: &call, flags: &flags, status: 0 };
    for difference in &mut all {
        if flags.has(b'R') {
            difference.reverse();
        }
        work.one(difference).await?;
    }
    Ok(work.status)
}

struct Work<'a> {
    call: &'a Call<'a>,
    flags: &'a Flags,
    status: i32,
}

impl Work<'_> {
    async fn note(&self, text: String) -> Flow<()> {
        self.call.shell.stdout().write(format!("{text}\n").as_bytes()).await
    }

    /// The file that a difference is about.
    fn target(&self, difference: &Difference) -> Option<Text> {
        if let Some(name) = self.flags.operands.first() {
            return Some(name.clone());
        }
        let strip = self.flags.number(b'p').ok().flatten();
        let short = |name: &Text| -> Option<Text> {
            if name == b"/dev/null" {
                return None;
            }
            let mut rest = name.as_slice();
            match strip {
                Some(count) => {
                    for _ in 0..count {
                        rest = rest.split_once_str("/")?.1.trim_start_with(|letter| letter == '/');
                    }
                }
                None => rest = rest.rsplit_once_str("/").map_or(rest, |(_, name)| name),
            }
            (!rest.is_empty()).then(|| rest.to_vec())
        };
        let names: Vec<Text> = [&difference.old, &difference.new].into_iter().filter_map(short).collect();
        let there = |name: &&Text| fs::exists(&self.call.shell.path(&self.place(name)));
        names.iter().find(there).or(names.last()).cloned()
    }

    fn place(&self, name: &[u8]) -> Text {
        match self.flags.value(b'd') {
            Some(folder) if !name.starts_with(b"/") => [folder.as_slice(), b"/", name].concat(),
            _ => name.to_vec(),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    async fn one(&mut self, difference: &Difference) -> Flow<()> {
        let Some(name) = self.target(difference) else {
            self.call.say("can't find file to patch: the -p option may be missing or wrong").await;
            self.status = 1;
            return Ok(());
        };
        let shown = name.to_str_lossy().into_owned();
        let named = self.flags.operands.first() == Some(&name);
        if !named && (name.starts_with(b"/") || name.split(|byte| *byte == b'/').any(|piece| piece == b"..")) {
            self.call.say(format!("Ignoring potentially dangerous file name {shown}")).await;
            self.status = 1;
            return Ok(());
        }
        let path = self.place(&name);
        let (old, exists) = match self.call.shell.open_to_read(&path) {
            Ok(stream) => (Reader::new(stream).all(ALL_MAX).await?, true),
            Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), false),
            Err(error) => {
                return Err(Stop::Failed(
                    format!("**** Can't open file {}", self.call.shell.refusal(&path, &error, false)),
                    2,
                ));
            }
        };
        if !exists && !difference.creates() {
            self.note(format!("can't find file to patch at input line {}", difference.line)).await?;
            self.status = 1;
            return Ok(());
        }
        if !self.flags.has(b's') {
            let verb = if self.flags.has(1) { "checking" } else { "patching" };
            let line = match self.flags.value(b'o') {
                Some(output) => format!("{verb} file {} (read from {shown})", output.to_str_lossy()),
                None => format!("{verb} file {shown}"),
            };
            self.note(line).await?;
        }
        let fuzz = self.flags.number(b'F')?.unwrap_or(2);
        if self.is_applied(difference, &old, exists) {
            return self.skip(difference, &path, &shown).await;
        }
        let result = apply::apply(difference, &old, fuzz);
        for note in &result.notes {
            if !self.flags.has(b's') || result.rejected.contains(&note.hunk) {
                self.note(note.text.clone()).await?;
            }
        }
        if !result.rejected.is_empty() {
            self.status = 1;
            let count = result.rejected.len();
            let word = if difference.hunks.len() == 1 { "hunk" } else { "hunks" };
            let saving =
                if self.flags.has(1) { String::new() } else { format!(" -- saving rejects to file {shown}.rej") };
            self.note(format!("{count} out of {} {word} FAILED{saving}", difference.hunks.len())).await?;
        }
        if self.flags.has(1) {
            return Ok(());
        }
        let backup = self.flags.has(b'b') || !result.exact && !self.flags.has(2);
        if backup && exists {
            self.write(&[path.as_slice(), b".orig"].concat(), &old).await?;
        }
        if !result.rejected.is_empty() {
            self.write(&[path.as_slice(), b".rej"].concat(), &difference.rejects(&result.rejected)).await?;
        }
        let target = self.flags.value(b'o').cloned().unwrap_or_else(|| path.clone());
        if result.text.is_empty() && (difference.removes() || self.flags.has(b'E')) && result.rejected.is_empty() {
            let removed = std::fs::remove_file(self.call.shell.path(&path));
            return removed.map_err(|error| Stop::Failed(self.call.shell.refusal(&path, &error, true), 2));
        }
        if difference.hunks.len() > result.rejected.len() {
            self.write(&target, &result.text).await?;
        }
        Ok(())
    }

    /// Whether the file is already as the patch would make it.
    fn is_applied(&self, difference: &Difference, old: &[u8], exists: bool) -> bool {
        if difference.creates() {
            return exists && !old.is_empty();
        }
        let mut back = difference.clone();
        back.reverse();
        apply::apply(difference, old, 0).rejected.len() == difference.hunks.len()
            && apply::apply(&back, old, 0).rejected.is_empty()
    }

    async fn skip(&mut self, difference: &Difference, path: &Text, shown: &str) -> Flow<()> {
        let count = difference.hunks.len();
        let word = if count == 1 { "hunk" } else { "hunks" };
        self.note("Reversed (or previously applied) patch detected!  Skipping patch.".to_owned()).await?;
        let saving = if self.flags.has(1) { String::new() } else { format!(" -- saving rejects to file {shown}.rej") };
        self.note(format!("{count} out of {count} {word} ignored{saving}")).await?;
        self.status = 1;
        if self.flags.has(1) {
            return Ok(());
        }
        let every: Vec<usize> = (0..count).collect();
        self.write(&[path.as_slice(), b".rej"].concat(), &difference.rejects(&every)).await
    }

    async fn write(&self, path: &[u8], text: &[u8]) -> Flow<()> {
        if let Some(parent) = self.call.shell.path(path).parent() {
            drop(std::fs::create_dir_all(parent));
        }
        match self.call.shell.open_to_write(path, false) {
            Ok(stream) => stream.write(text).await,
            Err(error) => {
                Err(Stop::Failed(format!("**** Can't create file {}", self.call.shell.refusal(path, &error, true)), 2))
            }
        }
    }
}
