//! `seq`, `yes`, `uname`, `id` and other small ones.

use bstr::ByteSlice;

use super::{Call, Flags};
use crate::number::{self, Spec};
use crate::stop::{Flow, failed};
use crate::stream::CHUNK;

async fn say_line(call: &Call<'_>, text: &str) -> Flow<i32> {
    call.shell.stdout().write(format!("{text}\n").as_bytes()).await?;
    Ok(0)
}

pub(super) async fn nothing(_call: Call<'_>) -> Flow<i32> {
    Ok(0)
}

pub(super) async fn hostname(call: Call<'_>) -> Flow<i32> {
    say_line(&call, "sandbox").await
}

pub(super) async fn nproc(call: Call<'_>) -> Flow<i32> {
    say_line(&call, "1").await
}

pub(super) async fn arch(call: Call<'_>) -> Flow<i32> {
    say_line(&call, "wasm32").await
}

pub(super) async fn tty(call: Call<'_>) -> Flow<i32> {
    say_line(&call, "not a tty").await.map(|_| 1)
}

pub(super) async fn whoami(call: Call<'_>) -> Flow<i32> {
    say_line(&call, "root").await
}

pub(super) async fn id(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "unggGr", &[])?;
    let text = match (flags.has(b'u') || flags.has(b'g') || flags.has(b'G'), flags.has(b'n')) {
        (true, true) => "root",
        (true, false) => "0",
        _ => "uid=0(root) gid=0(root) groups=0(root)",
    };
    say_line(&call, text).await
}

pub(super) async fn uname(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "asnrvmpio", &[("all", b'a')])?;
    let all = [
        (b's', "Linux"),
        (b'n', "sandbox"),
        (b'r', "0.0.0-caplet"),
        (b'v', "#1"),
        (b'm', "wasm32"),
        (b'o', "GNU/Linux"),
    ];
    let none = flags.last(b"asnrvmpio").is_none();
    let wanted = |letter: u8| flags.has(b'a') || flags.has(letter) || none && letter == b's';
    let shown: Vec<&str> = all.iter().filter(|(letter, _)| wanted(*letter)).map(|(_, text)| *text).collect();
    say_line(&call, &shown.join(" ")).await
}

pub(super) async fn df(_call: Call<'_>) -> Flow<i32> {
    failed("not available in the sandbox: a mount does not tell how much room is left")
}

pub(super) async fn which(call: Call<'_>) -> Flow<i32> {
    let mut status = 0;
    for name in call.arguments.iter().filter(|name| !name.starts_with(b"-")) {
        if super::is_known(name) || crate::builtin::is_builtin(name) {
            call.shell.stdout().write(format!("/usr/bin/{}\n", name.to_str_lossy()).as_bytes()).await?;
        } else {
            status = 1;
        }
    }
    Ok(status)
}

pub(super) async fn yes(call: Call<'_>) -> Flow<i32> {
    let mut line = if call.arguments.is_empty() { b"y".to_vec() } else { bstr::join(" ", call.arguments) };
    line.push(b'\n');
    let piece = line.repeat((CHUNK / line.len()).max(1));
    let stream = call.shell.stdout();
    loop {
        stream.write(&piece).await?;
    }
}

pub(super) async fn seq(call: Call<'_>) -> Flow<i32> {
    let (mut separator, mut format, mut wide) = (b"\n".to_vec(), None, false);
    let mut numbers = Vec::new();
    let mut rest = call.arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_slice() {
            b"-w" => wide = true,
            b"-s" => separator = rest.next().cloned().unwrap_or_default(),
            b"-f" => format = rest.next().cloned(),
            other if other.starts_with(b"-s") => separator = other.get(2..).unwrap_or_default().to_vec(),
            other if other.starts_with(b"-f") => format = other.get(2..).map(<[u8]>::to_vec),
            other => numbers.push(other.to_str_lossy().into_owned()),
        }
    }
    let (first, step, last) = match numbers.as_slice() {
        [last] => ("1", "1", last.as_str()),
        [first, last] => (first.as_str(), "1", last.as_str()),
        [first, step, last] => (first.as_str(), step.as_str(), last.as_str()),
        _ => return failed("missing operand"),
    };
    let parse = |text: &str| {
        text.parse::<f64>()
            .map_err(|_| crate::stop::Stop::Failed(format!("invalid floating point argument: '{text}'"), 1))
    };
    let (from, by, to) = (parse(first)?, parse(step)?, parse(last)?);
    if by == 0.0 {
        return failed("invalid Zero increment value: '0'");
    }
    let places =
        [first, step].iter().map(|text| text.split_once('.').map_or(0, |(_, part)| part.len())).max().unwrap_or(0);
    let width = if wide { format!("{from:.places$}").len().max(format!("{to:.places$}").len()) } else { 0 };
    let spec = Spec { zero: wide, width, precision: Some(places), ..Spec::default() };
    let mut out = call.writer();
    let (mut at, mut any) = (0_u32, false);
    loop {
        let value = from + f64::from(at) * by;
        let slack = by.abs() * 1e-9;
        if by > 0.0 && value > to + slack || by < 0.0 && value < to - slack || at == u32::MAX {
            break;
        }
        if any {
            out.put(&separator);
        }
        match &format {
            Some(format) => out.put(&formatted(format, value)),
            None if places == 0 && !wide => out.put(number::truncate(value).to_string().as_bytes()),
            None => out.put(spec.float(value, b'f').as_bytes()),
        }
        out.step().await?;
        any = true;
        at += 1;
    }
    if any {
        out.put(b"\n");
    }
    out.flush().await?;
    Ok(0)
}

/// The one conversion of a format such as `%03g`.
fn formatted(format: &[u8], value: f64) -> Vec<u8> {
    let Some((before, rest)) = format.split_once_str("%") else { return format.to_vec() };
    let end = rest.iter().position(|byte| b"fgeFGE".contains(byte)).unwrap_or(rest.len());
    let (flags, rest) = rest.split_at(end);
    let text = flags.to_str_lossy();
    let (size, precision) =
        text.split_once('.').map_or((text.as_ref(), None), |(size, precision)| (size, precision.parse().ok()));
    let digits = size.trim_start_matches(['-', '0', '+', ' ', '#']);
    let spec = Spec {
        left: size.starts_with('-'),
        zero: size.starts_with('0'),
        width: digits.parse::<usize>().unwrap_or(0).min(1000),
        precision,
        ..Spec::default()
    };
    let kind = rest.first().copied().unwrap_or(b'g');
    [before, spec.float(value, kind).as_bytes(), rest.get(1..).unwrap_or_default()].concat()
}
