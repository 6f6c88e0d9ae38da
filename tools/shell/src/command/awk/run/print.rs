//! Writing: `print`, `printf`, files and commands.

use bstr::ByteSlice;

use super::super::tree::{Expr, Out};
use super::super::value::Value;
use super::{Machine, OFMT, OFS, ORS, bad};
use crate::command::Writer;
use crate::number::{self, Spec};
use crate::stop::{Flow, Stop};
use crate::stream::{Kept, Stream};
use crate::syntax::ast::Text;

/// The widest field.
const WIDTH_MAX: usize = 1 << 20;

impl Machine<'_> {
    pub(super) async fn print_record(&mut self) -> Flow<()> {
        self.join();
        self.out.put(&self.record);
        let end = self.global(ORS).text();
        self.out.put(&end);
        self.out.step().await
    }

    pub(super) async fn print(&mut self, values: &[Expr], format: bool, to: Option<&(Out, Expr)>) -> Flow<()> {
        if values.is_empty() && to.is_none() && !format {
            return self.print_record().await;
        }
        let mut line = Text::new();
        if format {
            let mut all = Vec::new();
            for value in values {
                all.push(self.value(value).await?);
            }
            let (first, rest) = all.split_first().ok_or_else(|| bad("printf: no format"))?;
            line = formatted(&first.text(), rest)?;
        } else {
            let separator = self.global(OFS).text();
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    line.extend_from_slice(&separator);
                }
                let value = self.value(value).await?;
                line.extend(self.shown(&value, OFMT)?);
            }
            if values.is_empty() {
                self.join();
                line.extend_from_slice(&self.record);
            }
            line.extend(self.global(ORS).text());
        }
        let Some((kind, target)) = to else {
            self.out.put(&line);
            return self.out.step().await;
        };
        let name = self.value(target).await?.text();
        if *kind == Out::Command {
            self.pipes.entry(name).or_default().extend(line);
            return Ok(());
        }
        if name == b"/dev/stdout" {
            self.out.put(&line);
            return self.out.step().await;
        }
        if name == b"/dev/stderr" {
            self.out.flush().await?;
        }
        if !self.files.contains_key(&name) {
            let stream = self.shell.open_to_write(&name, *kind == Out::Append);
            let stream =
                stream.map_err(|error| bad(format!("cannot open {}", self.shell.refusal(&name, &error, true))))?;
            self.files.insert(name.clone(), Writer::new(stream));
        }
        if let Some(writer) = self.files.get_mut(&name) {
            writer.put(&line);
            if name == b"/dev/stderr" {
                writer.flush().await?;
            }
            writer.step().await?;
        }
        Ok(())
    }

    /// Closes a file or command; gives 0, or -1 if there is none.
    pub(super) async fn close(&mut self, name: &Text) -> Flow<f64> {
        if let Some(mut writer) = self.files.remove(name) {
            writer.flush().await?;
            return Ok(0.0);
        }
        if let Some(input) = self.pipes.remove(name) {
            self.pipe_to(name, input).await?;
            return Ok(0.0);
        }
        Ok(if self.readers.remove(name).is_some() { 0.0 } else { -1.0 })
    }

    /// Runs a command that gets what was printed to it.
    pub(super) async fn pipe_to(&mut self, command: &Text, input: Vec<u8>) -> Flow<()> {
        self.out.flush().await?;
        let output = self.run_command(command, Some(input)).await?;
        self.shell.stdout().write(&output).await
    }

    /// Runs a shell command in a subshell; gives what it writes.
    pub(super) async fn run_command(&mut self, command: &Text, input: Option<Vec<u8>>) -> Flow<Vec<u8>> {
        let kept = Kept::all();
        let mut inner = self.shell.inner()?;
        inner.set_stream(1, Stream::kept(&kept));
        if let Some(input) = input {
            inner.set_stream(0, Stream::bytes(input));
        }
        let outcome = inner.run_source(command).await;
        self.shell.status = inner.end(outcome).await?;
        Ok(kept.take().0)
    }
}

/// `sprintf`
#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) fn formatted(format: &[u8], values: &[Value]) -> Flow<Text> {
    let mut out = Text::new();
    let mut values = values.iter();
    let mut at = 0;
    while let Some(byte) = format.get(at) {
        at += 1;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = format.get(at) {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                b'0' => spec.zero = true,
                // Groups of thousands: the locale has none.
                b'\'' => {}
                _ => break,
            }
            at += 1;
        }
        let mut size = |at: &mut usize| -> i64 {
            if format.get(*at) == Some(&b'*') {
                *at += 1;
                return values.next().map_or(0, |value| number::truncate(value.number()));
            }
            let digits = format.iter().skip(*at).take_while(|byte| byte.is_ascii_digit()).count();
            let text = format.get(*at..*at + digits).unwrap_or_default().to_str_lossy().into_owned();
            *at += digits;
            text.parse().unwrap_or(0)
        };
        let width = size(&mut at);
        spec.left |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        if format.get(at) == Some(&b'.') {
            at += 1;
            spec.precision = usize::try_from(size(&mut at)).ok();
        }
        if spec.width > WIDTH_MAX || spec.precision.is_some_and(|precision| precision > WIDTH_MAX) {
            return Err(Stop::Failed("printf: a field that wide is not written".to_owned(), 2));
        }
        while matches!(format.get(at), Some(b'l' | b'h' | b'q')) {
            at += 1;
        }
        let kind = format.get(at).copied();
        at += 1;
        match kind {
            Some(b'%') => out.push(b'%'),
            Some(b's') => out.extend(spec.text(&values.next().map(Value::text).unwrap_or_default())),
            Some(b'c') => {
                let value = values.next().cloned().unwrap_or_default();
                let text = match value {
                    Value::Number(code) => {
                        let code = u32::try_from(number::truncate(code)).unwrap_or(0);
                        char::from_u32(code).map(String::from).unwrap_or_default().into_bytes()
                    }
                    other => crate::text::characters(&other.text()).next().unwrap_or_default().to_vec(),
                };
                out.extend(spec.text(&text));
            }
            Some(kind @ (b'd' | b'i' | b'u' | b'o' | b'x' | b'X')) => {
                let value = values.next().map_or(0.0, Value::number);
                out.extend_from_slice(
                    spec.integer(number::truncate(value), if kind == b'u' && value < 0.0 { b'd' } else { kind })
                        .as_bytes(),
                );
            }
            Some(kind @ (b'f' | b'F' | b'e' | b'E' | b'g' | b'G')) => {
                let value = values.next().map_or(0.0, Value::number);
                out.extend_from_slice(spec.float(value, kind).as_bytes());
            }
            Some(other) => out.extend([b'%', other]),
            None => out.push(b'%'),
        }
    }
    Ok(out)
}
