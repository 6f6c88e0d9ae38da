//! Reading records.

use std::rc::Rc;

use bstr::ByteSlice;

use super::super::value::Value;
use super::{FILENAME, FNR, Machine, NR, RS, RT, bad};
use crate::command::Reader;
use crate::escape::{self, Style};
use crate::regex::Regex;
use crate::stop::Flow;
use crate::syntax::ast::Text;

/// How long a record may be that an expression ends.
const RECORD_MAX: usize = 64 << 20;

impl Machine<'_> {
    /// The next record of the operands, or of the input.
    pub(super) async fn next_record(&mut self) -> Flow<Option<Text>> {
        let separator = self.global(RS).text();
        let regex = self.separator(&separator)?;
        loop {
            if let Some(reader) = &mut self.main {
                if let Some((record, by)) = record(reader, &separator, regex.as_deref()).await? {
                    if regex.is_some() {
                        self.set_global(RT, Value::Text(by.unwrap_or_default()));
                    }
                    return Ok(Some(record));
                }
                self.main = None;
            }
            if !self.next_file().await? {
                return Ok(None);
            }
        }
    }

    /// The expression that separates records, where it is not one character.
    fn separator(&mut self, text: &[u8]) -> Flow<Option<Rc<Regex>>> {
        if text.len() > 1 { self.regex_of(text).map(Some) } else { Ok(None) }
    }

    async fn next_file(&mut self) -> Flow<bool> {
        while let Some(operand) = self.operands.pop_front() {
            if let Some((name, value)) = operand.split_once_str("=")
                && crate::syntax::param::is_name(name)
            {
                let value = escape::expand(value, Style::Printf).0;
                let name = name.to_vec();
                self.preset(&name, &value);
                continue;
            }
            if operand.is_empty() {
                continue;
            }
            self.read_stdin = false;
            match super::super::open(self.shell, &operand) {
                Ok(reader) => self.main = Some(reader),
                Err(message) => return Err(bad(format!("cannot open {message}"))),
            }
            self.set_global(FNR, Value::Number(0.0));
            self.set_global(FILENAME, Value::Text(operand));
            return Ok(true);
        }
        if std::mem::take(&mut self.read_stdin) {
            self.main = Some(Reader::new(self.shell.stdin()));
            return Ok(true);
        }
        Ok(false)
    }

    /// Counts a record that was read.
    pub(super) fn count(&mut self) {
        for slot in [NR, FNR] {
            let value = self.global(slot).number() + 1.0;
            self.set_global(slot, Value::Number(value));
        }
    }

    /// A record of a file or of the output of a command; the status of `getline`.
    pub(super) async fn read_from(&mut self, name: &Text, command: bool) -> Flow<Result<Option<Text>, ()>> {
        if !self.readers.contains_key(name) {
            let reader = if command {
                self.out.flush().await?;
                Reader::new(crate::stream::Stream::bytes(self.run_command(name, None).await?))
            } else {
                match super::super::open(self.shell, name) {
                    Ok(reader) => reader,
                    Err(_) => return Ok(Err(())),
                }
            };
            self.readers.insert(name.clone(), reader);
        }
        let separator = self.global(RS).text();
        let regex = self.separator(&separator)?;
        match self.readers.get_mut(name) {
            Some(reader) => Ok(Ok(record(reader, &separator, regex.as_deref()).await?.map(|(record, _)| record))),
            None => Ok(Err(())),
        }
    }
}

/// One record: a line, a paragraph if the separator is empty, or what a character ends.
async fn record(reader: &mut Reader, separator: &[u8], regex: Option<&Regex>) -> Flow<Option<(Text, Option<Text>)>> {
    match separator {
        [] => {
            let mut whole: Option<Text> = None;
            loop {
                let Some(line) = reader.line(b'\n').await? else { return Ok(whole.map(|text| (text, None))) };
                match (&mut whole, line.is_empty()) {
                    (None, true) => {}
                    (Some(_), true) => return Ok(whole.map(|text| (text, None))),
                    (Some(text), false) => {
                        text.push(b'\n');
                        text.extend_from_slice(line);
                    }
                    (None, false) => whole = Some(line.to_vec()),
                }
            }
        }
        [byte] => {
            let last = reader.line(*byte).await?.map(<[u8]>::to_vec);
            Ok(last.filter(|text| reader.delimited || !text.is_empty()).map(|text| (text, None)))
        }
        _ => {
            let Some(regex) = regex else { return Ok(None) };
            by_regex(reader, regex).await
        }
    }
}

/// A record up to what an expression matches.
async fn by_regex(reader: &mut Reader, regex: &Regex) -> Flow<Option<(Text, Option<Text>)>> {
    let mut ended = false;
    loop {
        let rest = reader.rest();
        // A match at the end of what was read may go on in what comes.
        let found = regex.find(rest, 0).filter(|found| !found.is_empty() && (ended || found.end < rest.len()));
        if let Some(found) = found {
            let record = rest.get(..found.start).unwrap_or_default().to_vec();
            let separator = rest.get(found.clone()).unwrap_or_default().to_vec();
            reader.consume(found.end);
            return Ok(Some((record, Some(separator))));
        }
        if ended {
            let record = rest.to_vec();
            reader.consume(record.len());
            return Ok((!record.is_empty()).then_some((record, None)));
        }
        if rest.len() > RECORD_MAX {
            return Err(bad(format!("a record has more than {} MiB", RECORD_MAX >> 20)));
        }
        ended = !reader.more().await?;
    }
}
