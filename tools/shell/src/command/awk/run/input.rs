//! Reading records.

use bstr::ByteSlice;

use super::super::value::Value;
use super::{FILENAME, FNR, Machine, NR, RS, bad};
use crate::command::Reader;
use crate::escape::{self, Style};
use crate::stop::Flow;
use crate::syntax::ast::Text;

impl Machine<'_> {
    /// The next record of the operands, or of the input.
    pub(super) async fn next_record(&mut self) -> Flow<Option<Text>> {
        let separator = self.global(RS).text();
        loop {
            if let Some(reader) = &mut self.main {
                if let Some(record) = record(reader, &separator).await? {
                    return Ok(Some(record));
                }
                self.main = None;
            }
            if !self.next_file().await? {
                return Ok(None);
            }
        }
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
        match self.readers.get_mut(name) {
            Some(reader) => Ok(Ok(record(reader, &separator).await?)),
            None => Ok(Err(())),
        }
    }
}

/// One record: a line, a paragraph if the separator is empty, or what a character ends.
async fn record(reader: &mut Reader, separator: &[u8]) -> Flow<Option<Text>> {
    match separator {
        [] => {
            let mut whole: Option<Text> = None;
            loop {
                let Some(line) = reader.line(b'\n').await? else { return Ok(whole) };
                match (&mut whole, line.is_empty()) {
                    (None, true) => {}
                    (Some(_), true) => return Ok(whole),
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
            Ok(last
                .map(|mut text| {
                    // The line's end at the end of a file is no part of the last record.
                    if *byte != b'\n' && !reader.delimited && text.last() == Some(&b'\n') {
                        text.pop();
                    }
                    text
                })
                .filter(|text| reader.delimited || !text.is_empty()))
        }
        _ => Err(bad("RS: only a single character, or nothing for paragraphs, separates records in the sandbox")),
    }
}
