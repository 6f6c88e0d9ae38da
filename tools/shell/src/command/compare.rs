//! `cmp`, `comm`, `join`: two sorted or equal files side by side.

use std::cmp::Ordering;

use bstr::ByteSlice;

use super::{Call, Flags, Reader, Writer};
use crate::stop::{Flow, Stop, misused};
use crate::syntax::ast::Text;

/// The bytes of a file, one at a time.
struct Bytes {
    reader: Reader,
    piece: Vec<u8>,
    at: usize,
}

impl Bytes {
    async fn next(&mut self) -> Flow<Option<u8>> {
        if self.at >= self.piece.len() {
            self.piece = self.reader.piece().await?;
            self.at = 0;
        }
        let byte = self.piece.get(self.at).copied();
        self.at += 1;
        Ok(byte)
    }
}

async fn pair(call: &Call<'_>, operands: &[Text]) -> Flow<Option<(Text, Text, Reader, Reader)>> {
    let (left, right) = match operands {
        [one] => (one.clone(), b"-".to_vec()),
        [left, right, ..] => (left.clone(), right.clone()),
        [] => return misused("missing operand"),
    };
    let (Some(first), Some(second)) = (call.open(&left).await, call.open(&right).await) else { return Ok(None) };
    Ok(Some((left, right, first, second)))
}

pub(super) async fn cmp(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("quiet", b's'),
        ("silent", b's'),
        ("verbose", b'l'),
        ("bytes", b'n'),
        ("print-bytes", b'b'),
        ("ignore-initial", b'i'),
    ];
    let flags = Flags::parse(call.arguments, "sln:bi:", &long)?;
    let Some((left, right, first, second)) = pair(&call, &flags.operands).await? else { return Ok(2) };
    let bytes = |reader| Bytes { reader, piece: Vec::new(), at: 0 };
    let (mut one, mut two) = (bytes(first), bytes(second));
    for _ in 0..flags.number(b'i')?.unwrap_or(0) {
        one.next().await?;
        two.next().await?;
    }
    let most = flags.number(b'n')?.map_or(u64::MAX, |most| most as u64);
    let (mut at, mut line, mut status) = (0_u64, 1_u64, 0);
    let mut last = None;
    let mut out = call.writer();
    while at < most {
        let (a, b) = (one.next().await?, two.next().await?);
        let (a, b) = match (a, b) {
            (None, None) => break,
            (Some(a), Some(b)) => (a, b),
            (a, _) => {
                out.flush().await?;
                if !flags.has(b's') {
                    let short = if a.is_none() { &left } else { &right };
                    let place = match last {
                        None => "which is empty".to_owned(),
                        Some(_) if flags.has(b'l') => format!("after byte {at}"),
                        Some(b'\n') => format!("after byte {at}, line {}", line - 1),
                        Some(_) => format!("after byte {at}, in line {line}"),
                    };
                    let comma = if last.is_none() { "" } else { " " };
                    let place = if last.is_none() { format!(" {place}") } else { format!("{comma}{place}") };
                    call.say(format!("EOF on {}{place}", short.to_str_lossy())).await;
                }
                return Ok(1);
            }
        };
        at += 1;
        if a != b {
            status = 1;
            if flags.has(b's') {
                return Ok(1);
            }
            if flags.has(b'l') {
                out.line(format!("{at} {a:>3o} {b:>3o}").as_bytes()).await?;
            } else {
                let mut row =
                    format!("{} {} differ: byte {at}, line {line}", left.to_str_lossy(), right.to_str_lossy());
                if flags.has(b'b') {
                    row.push_str(&format!(" is {a:>3o} {} {b:>3o} {}", char::from(a), char::from(b)));
                }
                out.line(row.as_bytes()).await?;
                break;
            }
        }
        line += u64::from(a == b'\n');
        last = Some(a);
    }
    out.flush().await?;
    Ok(status)
}

pub(super) async fn comm(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "123z\u{1}:\u{2}",
        &[("output-delimiter", 1), ("total", 2), ("check-order", b'c'), ("nocheck-order", b'd')],
    )?;
    let [left, right] = flags.operands.as_slice() else { return misused("two operands are wanted") };
    let Some((_, _, mut one, mut two)) = pair(&call, &[left.clone(), right.clone()]).await? else { return Ok(1) };
    let tab = flags.value(1).cloned().unwrap_or_else(|| b"\t".to_vec());
    let mut out = call.writer();
    let end = if flags.has(b'z') { 0 } else { b'\n' };
    let mut a = one.line(end).await?.map(<[u8]>::to_vec);
    let mut b = two.line(end).await?.map(<[u8]>::to_vec);
    loop {
        let order = match (&a, &b) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        };
        let (column, line) = match order {
            Ordering::Less => (b'1', &a),
            Ordering::Greater => (b'2', &b),
            Ordering::Equal => (b'3', &a),
        };
        if !flags.has(column) {
            for earlier in b'1'..column {
                if !flags.has(earlier) {
                    out.put(&tab);
                }
            }
            out.put(line.as_deref().unwrap_or_default());
            out.put(&[end]);
            out.step().await?;
        }
        if order != Ordering::Greater {
            a = one.line(end).await?.map(<[u8]>::to_vec);
        }
        if order != Ordering::Less {
            b = two.line(end).await?.map(<[u8]>::to_vec);
        }
    }
    out.flush().await?;
    Ok(0)
}

/// How lines are joined and shown.
struct Join {
    separator: Option<u8>,
    keys: [usize; 2],
    fold: bool,
    /// What is shown: the file (0: the key) and the field.
    layout: Option<Vec<(usize, usize)>>,
    empty: Text,
}

impl Join {
    fn fields<'l>(&self, line: &'l [u8]) -> Vec<&'l [u8]> {
        match self.separator {
            Some(separator) => line.split(|byte| *byte == separator).collect(),
            None => line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty()).collect(),
        }
    }

    fn key(&self, file: usize, line: &[u8]) -> Text {
        let at = self.keys.get(file).copied().unwrap_or(1);
        let key = self.fields(line).get(at - 1).map(|field| field.to_vec()).unwrap_or_default();
        if self.fold { key.to_ascii_lowercase() } else { key }
    }

    fn show(&self, out: &mut Writer, lines: [Option<&[u8]>; 2]) {
        let fields = lines.map(|line| line.map(|line| self.fields(line)).unwrap_or_default());
        let field = |file: usize, number: usize| -> Text {
            let found = fields.get(file).and_then(|all| all.get(number - 1)).copied().unwrap_or_default();
            if found.is_empty() { self.empty.clone() } else { found.to_vec() }
        };
        let present = usize::from(lines[0].is_none());
        let key = field(present, self.keys.get(present).copied().unwrap_or(1));
        let row: Vec<Text> = match &self.layout {
            Some(layout) => layout
                .iter()
                .map(|(file, number)| if *file == 0 { key.clone() } else { field(file - 1, *number) })
                .collect(),
            None => {
                let mut row = vec![key];
                for (file, line) in lines.iter().enumerate() {
                    if line.is_some() {
                        let count = fields.get(file).map_or(0, Vec::len);
                        let own = self.keys.get(file).copied().unwrap_or(1);
                        row.extend((1..=count).filter(|number| *number != own).map(|number| field(file, number)));
                    }
                }
                row
            }
        };
        out.put(&bstr::join([self.separator.unwrap_or(b' ')], row));
        out.put(b"\n");
    }
}

fn layout(text: &[u8]) -> Flow<Option<Vec<(usize, usize)>>> {
    if text == b"auto" {
        return Ok(None);
    }
    let mut all = Vec::new();
    for piece in text.to_str_lossy().split([',', ' ']) {
        let place = match piece.split_once('.') {
            Some((file, field)) => file.parse().ok().zip(field.parse().ok()),
            None if piece == "0" => Some((0, 1)),
            None => None,
        };
        match place {
            Some((file @ 0..=2, field)) if field > 0 => all.push((file, field)),
            _ => return misused(format!("invalid field specification: '{piece}'")),
        }
    }
    Ok(Some(all))
}

pub(super) async fn join(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "t:1:2:j:a:v:o:e:i",
        &[("ignore-case", b'i'), ("check-order", b'c'), ("nocheck-order", b'd')],
    )?;
    let [left, right] = flags.operands.as_slice() else { return misused("two operands are wanted") };
    let Some((_, _, mut one, mut two)) = pair(&call, &[left.clone(), right.clone()]).await? else { return Ok(1) };
    let both = flags.number(b'j')?.unwrap_or(1);
    let keys = [flags.number(b'1')?.unwrap_or(both).max(1), flags.number(b'2')?.unwrap_or(both).max(1)];
    let how = Join {
        separator: flags.value(b't').and_then(|text| if text == b"\\t" { Some(b'\t') } else { text.first().copied() }),
        keys,
        fold: flags.has(b'i'),
        layout: match flags.value(b'o') {
            Some(text) => layout(text)?,
            None => None,
        },
        empty: flags.value(b'e').cloned().unwrap_or_default(),
    };
    let alone = |file: &[u8]| flags.values(b'a').chain(flags.values(b'v')).any(|value| value == file);
    let (left_alone, right_alone) = (alone(b"1"), alone(b"2"));
    let paired = !flags.has(b'v');
    let mut out = call.writer();
    let mut a = group(&how, 0, &mut one, None).await?;
    let mut b = group(&how, 1, &mut two, None).await?;
    loop {
        let order = match (&a, &b) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.key.cmp(&b.key),
        };
        let none = Vec::new();
        let (rows, others) =
            (a.as_ref().map_or(&none, |group| &group.lines), b.as_ref().map_or(&none, |group| &group.lines));
        match order {
            Ordering::Less if left_alone => rows.iter().for_each(|line| how.show(&mut out, [Some(line), None])),
            Ordering::Greater if right_alone => others.iter().for_each(|line| how.show(&mut out, [None, Some(line)])),
            Ordering::Equal if paired => {
                for line in rows {
                    for other in others {
                        how.show(&mut out, [Some(line), Some(other)]);
                        out.step().await?;
                    }
                }
            }
            _ => {}
        }
        out.step().await?;
        if order != Ordering::Greater {
            a = group(&how, 0, &mut one, a.and_then(|group| group.next)).await?;
        }
        if order != Ordering::Less {
            b = group(&how, 1, &mut two, b.and_then(|group| group.next)).await?;
        }
    }
    out.flush().await?;
    Ok(0)
}

/// Lines of one key, and the first line after them.
struct Group {
    key: Text,
    lines: Vec<Text>,
    next: Option<Text>,
}

/// How many lines of one key are kept.
const GROUP_MAX: usize = 1_000_000;

async fn group(how: &Join, file: usize, reader: &mut Reader, first: Option<Text>) -> Flow<Option<Group>> {
    let first = match first {
        Some(line) => line,
        None => match reader.line(b'\n').await? {
            Some(line) => line.to_vec(),
            None => return Ok(None),
        },
    };
    let key = how.key(file, &first);
    let mut lines = vec![first];
    while let Some(line) = reader.line(b'\n').await? {
        if how.key(file, line) != key {
            return Ok(Some(Group { key, lines, next: Some(line.to_vec()) }));
        }
        if lines.len() >= GROUP_MAX {
            return Err(Stop::Failed(format!("more than {GROUP_MAX} lines have the same key"), 1));
        }
        lines.push(line.to_vec());
    }
    Ok(Some(Group { key, lines, next: None }))
}
