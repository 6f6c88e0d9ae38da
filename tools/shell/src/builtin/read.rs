//! `read` and `mapfile`

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, Stop, failed, misused};
use crate::syntax::ast::Text;

/// How long a line may be.
const LINE_MAX: usize = 64 << 20;

#[derive(Default)]
struct Wish {
    raw: bool,
    array: Option<Text>,
    delimiter: Option<u8>,
    most: Option<usize>,
    exact: bool,
    descriptor: u32,
    names: Vec<Text>,
}

fn wish(arguments: &[Text]) -> Flow<Wish> {
    let mut wish = Wish::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(flags) = argument.strip_prefix(b"-").filter(|flags| !flags.is_empty() && wish.names.is_empty()) else {
            wish.names.push(argument.clone());
            continue;
        };
        for (at, letter) in flags.iter().enumerate() {
            if matches!(letter, b'r' | b's' | b'e' | b'-') {
                wish.raw |= *letter == b'r';
                continue;
            }
            let inside = flags.get(at + 1..).unwrap_or_default().to_vec();
            let value = if inside.is_empty() { rest.next().cloned() } else { Some(inside) };
            let Some(value) = value else {
                return misused(format!("-{}: option requires an argument", char::from(*letter)));
            };
            let number = || {
                value
                    .to_str_lossy()
                    .parse::<usize>()
                    .map_err(|_| Stop::Failed(format!("{}: invalid number", value.to_str_lossy()), 1))
            };
            match letter {
                b'a' => wish.array = Some(value),
                b'd' => wish.delimiter = Some(value.first().copied().unwrap_or(0)),
                b'n' => wish.most = Some(number()?),
                b'N' => {
                    wish.most = Some(number()?);
                    wish.exact = true;
                }
                b'u' => wish.descriptor = u32::try_from(number()?).unwrap_or(0),
                b'p' | b't' | b'i' => {}
                other => return misused(format!("-{}: invalid option", char::from(*other))),
            }
            break;
        }
    }
    Ok(wish)
}

/// One line, with its escaped bytes marked, and whether its delimiter was there.
async fn line(shell: &Shell, wish: &Wish) -> Flow<(Vec<(u8, bool)>, bool)> {
    let Some(stream) = shell.stream(wish.descriptor) else {
        return failed(format!("{}: invalid file descriptor: Bad file descriptor", wish.descriptor));
    };
    let delimiter = wish.delimiter.unwrap_or(b'\n');
    let mut out = Vec::new();
    let mut left = wish.most.unwrap_or(LINE_MAX);
    loop {
        let mut raw = Text::new();
        let stop = if wish.exact { None } else { Some(delimiter) };
        let found = match stop {
            Some(stop) => stream.read_until(stop, left, &mut raw).await?,
            None => {
                // A byte that cannot be: read by count alone.
                while raw.len() < left {
                    let piece = stream.read().await?;
                    if piece.is_empty() {
                        break;
                    }
                    let (now, later) = piece.split_at(piece.len().min(left - raw.len()));
                    raw.extend_from_slice(now);
                    stream.unread(later.to_vec());
                }
                raw.len() >= left
            }
        };
        left = left.saturating_sub(raw.len());
        if wish.raw {
            out.extend(raw.iter().map(|byte| (*byte, false)));
            return Ok((out, found));
        }
        let mut bytes = raw.iter();
        let mut joined = false;
        while let Some(byte) = bytes.next() {
            if *byte != b'\\' {
                out.push((*byte, false));
                continue;
            }
            match bytes.next() {
                Some(b'\n') => {}
                Some(next) => out.push((*next, true)),
                None => joined = true,
            }
        }
        if !(joined && found) {
            return Ok((out, found));
        }
        if delimiter != b'\n' {
            out.push((delimiter, true));
        }
    }
}

pub(super) async fn read(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let wish = wish(arguments)?;
    let (mut bytes, found) = line(shell, &wish).await?;
    bytes.retain(|(byte, _)| *byte != 0);
    let status = i32::from(!found);
    let separators = if wish.exact { Text::new() } else { shell.separators() };
    if let Some(array) = &wish.array {
        let fields = split(&bytes, &separators, usize::MAX);
        shell.unset(array)?;
        shell.assign_list(array, fields.into_iter().map(|field| (None, field)).collect(), false)?;
        return Ok(status);
    }
    if wish.names.is_empty() {
        let whole: Text = bytes.iter().map(|(byte, _)| *byte).collect();
        shell.assign(b"REPLY", whole, false)?;
        return Ok(status);
    }
    let mut fields = split(&bytes, &separators, wish.names.len()).into_iter();
    for name in &wish.names {
        let value = fields.next().unwrap_or_default();
        match name.split_once_str("[") {
            Some((base, index)) if index.ends_with(b"]") => {
                shell.assign_element(base, index.get(..index.len() - 1).unwrap_or_default(), value, false)?;
            }
            _ => shell.assign(name, value, false)?,
        }
    }
    Ok(status)
}

/// Splits a line into at most `most` fields; the last one has all the rest, without blanks around it.
fn split(bytes: &[(u8, bool)], separators: &[u8], most: usize) -> Vec<Text> {
    let separates = |unit: &(u8, bool)| !unit.1 && separators.contains(&unit.0);
    let blank = |unit: &(u8, bool)| separates(unit) && matches!(unit.0, b' ' | b'\t' | b'\n');
    let mut fields = Vec::new();
    let mut at = bytes.iter().take_while(|unit| blank(unit)).count();
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        if fields.len() + 1 == most {
            let mut last = rest;
            while let Some((unit, before)) = last.split_last()
                && blank(unit)
            {
                last = before;
            }
            // One separator at the end that is no blank, with none before it, ends the field and is no part of it.
            if let Some((unit, before)) = last.split_last()
                && separates(unit)
                && !before.iter().any(separates)
            {
                last = before;
            }
            fields.push(last.iter().map(|(byte, _)| *byte).collect());
            return fields;
        }
        let size = rest.iter().position(separates).unwrap_or(rest.len());
        fields.push(rest.iter().take(size).map(|(byte, _)| *byte).collect());
        at += size;
        let blanks = |from: usize| bytes.iter().skip(from).take_while(|unit| blank(unit)).count();
        at += blanks(at);
        if bytes.get(at).is_some_and(|unit| separates(unit) && !blank(unit)) {
            at += 1;
            at += blanks(at);
        }
    }
    fields
}

pub(super) async fn mapfile(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let (mut trim, mut delimiter, mut most, mut skip, mut origin) = (false, b'\n', usize::MAX, 0_usize, None);
    let (mut name, mut descriptor) = (b"MAPFILE".to_vec(), 0);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let number = |text: Option<&Text>| text.and_then(|text| text.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
        match argument.as_slice() {
            b"-t" => trim = true,
            b"-d" => delimiter = rest.next().and_then(|text| text.first().copied()).unwrap_or(0),
            b"-td" => {
                trim = true;
                delimiter = rest.next().and_then(|text| text.first().copied()).unwrap_or(0);
            }
            b"-n" => most = number(rest.next()),
            b"-s" => skip = number(rest.next()),
            b"-O" => origin = Some(number(rest.next())),
            b"-u" => descriptor = u32::try_from(number(rest.next())).unwrap_or(0),
            other if other.starts_with(b"-") => return misused(format!("{}: invalid option", other.to_str_lossy())),
            other => name = other.to_vec(),
        }
    }
    let Some(stream) = shell.stream(descriptor) else { return failed("invalid file descriptor") };
    let mut lines = Vec::new();
    let most = if most == 0 { usize::MAX } else { most };
    while lines.len() < most {
        let mut text = Text::new();
        let found = stream.read_until(delimiter, LINE_MAX, &mut text).await?;
        if !found && text.is_empty() {
            break;
        }
        if skip > 0 {
            skip -= 1;
        } else {
            if found && !trim {
                text.push(delimiter);
            }
            lines.push(text);
        }
        if !found {
            break;
        }
    }
    let append = origin.is_some();
    let first = origin.unwrap_or(0);
    let list =
        lines.into_iter().enumerate().map(|(at, line)| (Some((first + at).to_string().into_bytes()), line)).collect();
    shell.assign_list(&name, list, append)?;
    Ok(0)
}
