//! `printf`

use bstr::ByteSlice;

use crate::escape::{self, Escape, Style};
use crate::number::{self, Spec};
use crate::shell::Shell;
use crate::stop::{Flow, misused};
use crate::syntax::ast::Text;

/// The widest field: a script that asks for more wants to fill memory.
const WIDTH_MAX: usize = 1 << 20;

pub(super) async fn printf(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let mut rest = arguments;
    let mut variable = None;
    if let [flag, name, more @ ..] = rest
        && flag == b"-v"
    {
        variable = Some(name.clone());
        rest = more;
    }
    if let [flag, more @ ..] = rest
        && flag == b"--"
    {
        rest = more;
    }
    let [format, values @ ..] = rest else { return misused("usage: printf [-v var] format [arguments]") };
    let mut job = Job { values, at: 0, out: Text::new(), stopped: false, wrong: Vec::new() };
    loop {
        let before = job.at;
        job.once(format)?;
        if job.stopped || job.at >= values.len() || job.at == before {
            break;
        }
        crate::task::breathe().await;
        if variable.is_none() && job.out.len() > crate::stream::CHUNK {
            shell.stdout().write(&std::mem::take(&mut job.out)).await?;
        }
    }
    for wrong in &job.wrong {
        shell.complain(format!("printf: {wrong}: invalid number")).await;
    }
    match variable {
        Some(name) => match name.split_once_str("[") {
            Some((base, index)) if index.ends_with(b"]") => {
                let index = index.get(..index.len() - 1).unwrap_or_default();
                shell.assign_element(base, index, job.out, false)?;
            }
            _ => shell.assign(&name, job.out, false)?,
        },
        None => shell.stdout().write(&job.out).await?,
    }
    Ok(i32::from(!job.wrong.is_empty()))
}

struct Job<'a> {
    values: &'a [Text],
    at: usize,
    out: Text,
    stopped: bool,
    wrong: Vec<String>,
}

impl<'a> Job<'a> {
    fn next(&mut self) -> Option<&'a Text> {
        let value = self.values.get(self.at);
        self.at += 1;
        value
    }

    fn number(&mut self) -> i64 {
        let Some(text) = self.next().filter(|text| !text.is_empty()) else { return 0 };
        let (value, whole) = number::integer(text);
        if !whole {
            self.wrong.push(text.to_str_lossy().into_owned());
        }
        value
    }

    /// Writes the format once.
    fn once(&mut self, format: &[u8]) -> Flow<()> {
        let mut at = 0;
        while let Some(byte) = format.get(at) {
            at += 1;
            match byte {
                b'\\' => {
                    let (sequence, taken) = escape::read(format.get(at..).unwrap_or_default(), Style::Printf);
                    at += taken;
                    match sequence {
                        Escape::Bytes(bytes) => self.out.extend_from_slice(&bytes),
                        Escape::Stop => {
                            self.stopped = true;
                            return Ok(());
                        }
                        Escape::Unknown => self.out.push(b'\\'),
                    }
                }
                b'%' => {
                    at = self.conversion(format, at)?;
                    if self.stopped {
                        return Ok(());
                    }
                }
                other => self.out.push(*other),
            }
        }
        Ok(())
    }

    fn size(&mut self, format: &[u8], at: &mut usize) -> Flow<i64> {
        if format.get(*at) == Some(&b'*') {
            *at += 1;
            return Ok(self.number());
        }
        let digits = format.iter().skip(*at).take_while(|byte| byte.is_ascii_digit()).count();
        let text = format.get(*at..*at + digits).unwrap_or_default();
        *at += digits;
        Ok(text.to_str_lossy().parse().unwrap_or(0))
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    fn conversion(&mut self, format: &[u8], mut at: usize) -> Flow<usize> {
        let mut spec = Spec::default();
        while let Some(flag) = format.get(at) {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            at += 1;
        }
        let width = self.size(format, &mut at)?;
        spec.left |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        if format.get(at) == Some(&b'.') {
            at += 1;
            spec.precision = usize::try_from(self.size(format, &mut at)?).ok();
        }
        if spec.width > WIDTH_MAX || spec.precision.is_some_and(|precision| precision > WIDTH_MAX) {
            return misused("a field that wide is not written");
        }
        let time = format.get(at) == Some(&b'(');
        if time {
            let rest = format.get(at + 1..).unwrap_or_default();
            let Some(end) = rest.find(b")T") else { return misused("`%(': invalid format character") };
            let layout = rest.get(..end).unwrap_or_default().to_str_lossy().into_owned();
            let seconds = match self.next() {
                Some(text) if text != b"-1" && text != b"-2" => number::integer(text).0,
                _ => i64::try_from(crate::fs::now().as_secs()).unwrap_or(0),
            };
            let shown = crate::calendar::Moment::new(seconds, 0).format(&layout);
            self.out.extend(spec.text(shown.as_bytes()));
            return Ok(at + end + 3);
        }
        let Some(kind) = format.get(at).copied() else { return misused("`%': missing format character") };
        match kind {
            b'%' => self.out.push(b'%'),
            b's' => {
                let text = self.next().map_or(&b""[..], Vec::as_slice);
                self.out.extend(spec.text(text));
            }
            b'b' => {
                let text = self.next().map_or(&b""[..], Vec::as_slice);
                let (text, stopped) = escape::expand(text, Style::Echo);
                self.out.extend(spec.text(&text));
                self.stopped = stopped;
            }
            b'q' => {
                let text = self.next().map_or(&b""[..], Vec::as_slice);
                self.out.extend(spec.text(&crate::text::quoted(text)));
            }
            b'c' => {
                let text = self.next().and_then(|text| text.first().copied());
                self.out.extend(spec.text(&text.into_iter().collect::<Text>()));
            }
            b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => {
                let value = self.number();
                self.out.extend_from_slice(spec.integer(value, kind).as_bytes());
            }
            b'f' | b'F' | b'e' | b'E' | b'g' | b'G' => {
                let text = self.next().cloned().unwrap_or_default();
                let (value, used) = number::leading(&text);
                if used < text.len() {
                    self.wrong.push(text.to_str_lossy().into_owned());
                }
                self.out.extend_from_slice(spec.float(value, kind).as_bytes());
            }
            other => return misused(format!("`{}': invalid format character", char::from(other))),
        }
        Ok(at + 1)
    }
}
