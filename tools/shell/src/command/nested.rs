//! Commands that run other commands: `bash`, `env`, `xargs`, `timeout`; and `sleep`.

use std::time::Duration;

use bstr::ByteSlice;

use super::{Call, Flags, Reader};
use crate::stop::{Flow, Stop, failed, misused};
use crate::syntax::ast::Text;
use crate::task;

/// How much text of arguments one command gets from `xargs`.
const ARGUMENTS_MAX: usize = 128 * 1024;

pub(super) async fn bash(call: Call<'_>) -> Flow<i32> {
    let mut rest = call.arguments;
    let (mut options, mut script, mut stdin) = (Vec::new(), false, false);
    while let Some((first, more)) = rest.split_first() {
        match first.as_slice() {
            b"--" => {
                rest = more;
                break;
            }
            b"-o" | b"+o" => {
                options.push(first.clone());
                options.extend(more.first().cloned());
                rest = more.get(1..).unwrap_or_default();
            }
            flag if flag.starts_with(b"--") => rest = more,
            [b'-', letters @ ..] if !letters.is_empty() => {
                script |= letters.contains(&b'c');
                stdin |= letters.contains(&b's');
                let kept: Text = letters.iter().copied().filter(|letter| !b"clis".contains(letter)).collect();
                if !kept.is_empty() {
                    options.push([b"-", kept.as_slice()].concat());
                }
                rest = more;
            }
            _ => break,
        }
    }
    let mut text = set_line(&options);
    let (name, arguments) = if script {
        let Some((code, more)) = rest.split_first() else { return misused("-c: option requires an argument") };
        text.extend_from_slice(code);
        match more.split_first() {
            Some((name, arguments)) => (name.clone(), arguments.to_vec()),
            None => (b"bash".to_vec(), Vec::new()),
        }
    } else if let Some((file, arguments)) = rest.split_first().filter(|_| !stdin) {
        match call.shell.open_to_read(file) {
            Ok(stream) => text.extend(Reader::new(stream).all(16 << 20).await?),
            Err(error) => return Err(Stop::Failed(call.shell.refusal(file, &error, false), 127)),
        }
        (file.clone(), arguments.to_vec())
    } else {
        text.extend(Reader::new(call.shell.stdin()).all(16 << 20).await?);
        (b"bash".to_vec(), rest.to_vec())
    };
    call.shell.run_text(&text, &name, &arguments).await?;
    Ok(call.shell.status)
}

/// The options as a command, on the line of the script's first one.
fn set_line(options: &[Text]) -> Text {
    if options.is_empty() {
        return Text::new();
    }
    let quoted: Vec<Text> = options.iter().map(|option| crate::text::single_quoted(option)).collect();
    [b"set ".as_slice(), &bstr::join(" ", quoted), b"; "].concat()
}

/// Runs a command that was named by arguments; gives its status.
async fn run(call: &mut Call<'_>, arguments: Vec<Text>) -> Flow<i32> {
    let functions = std::mem::take(&mut call.shell.functions);
    let outcome = call.shell.dispatch(arguments, &[]).await;
    call.shell.functions = functions;
    match outcome {
        Err(Stop::Exit(status)) => Ok(status),
        Err(other) => Err(other),
        Ok(()) => Ok(call.shell.status),
    }
}

pub(super) async fn env(mut call: Call<'_>) -> Flow<i32> {
    let mut rest = call.arguments;
    let before = call.shell.clone();
    let mut directory = None;
    while let Some((first, more)) = rest.split_first() {
        match first.as_slice() {
            b"-i" | b"-" => {
                for (name, _) in call.shell.environment() {
                    call.shell.unset(&name)?;
                }
            }
            b"-u" => {
                if let Some(name) = more.first() {
                    call.shell.unset(name)?;
                }
                rest = more.get(1..).unwrap_or_default();
                continue;
            }
            b"-C" => {
                directory = more.first().cloned();
                rest = more.get(1..).unwrap_or_default();
                continue;
            }
            b"--" => {
                rest = more;
                break;
            }
            _ => {
                let Some((name, value)) = first.split_once_str("=") else { break };
                call.shell.set(name, value);
                call.shell.change(name, |variable| variable.exported = true);
            }
        }
        rest = more;
    }
    if let Some(directory) = directory {
        call.shell.directory = call.shell.absolute(&directory);
    }
    let outcome = if rest.is_empty() {
        let mut out = call.writer();
        for (name, value) in call.shell.environment() {
            out.line(&[name.as_slice(), b"=", &value].concat()).await?;
        }
        out.flush().await.map(|()| 0)
    } else {
        run(&mut call, rest.to_vec()).await
    };
    let status = call.shell.status;
    *call.shell = before;
    call.shell.status = status;
    outcome
}

pub(super) async fn printenv(call: Call<'_>) -> Flow<i32> {
    let all = call.shell.environment();
    let mut out = call.writer();
    let mut status = 0;
    if call.arguments.is_empty() {
        for (name, value) in all {
            out.line(&[name.as_slice(), b"=", &value].concat()).await?;
        }
    } else {
        for wanted in call.arguments {
            match all.iter().find(|(name, _)| name == wanted) {
                Some((_, value)) => out.line(value).await?,
                None => status = 1,
            }
        }
    }
    out.flush().await?;
    Ok(status)
}

/// A span such as `1.5`, `2m`, `1h`.
fn span(text: &[u8]) -> Option<Duration> {
    let (value, used) = crate::number::leading(text);
    let unit = match text.get(used..).unwrap_or_default() {
        b"" | b"s" => 1.0,
        b"m" => 60.0,
        b"h" => 3600.0,
        b"d" => 86_400.0,
        _ => return None,
    };
    if used == 0 || value < 0.0 { None } else { Duration::try_from_secs_f64(value * unit).ok() }
}

pub(super) async fn sleep(call: Call<'_>) -> Flow<i32> {
    let mut whole = Duration::ZERO;
    for text in call.arguments {
        match span(text) {
            Some(span) => whole = whole.saturating_add(span),
            None => return failed(format!("invalid time interval '{}'", text.to_str_lossy())),
        }
    }
    task::sleep(whole).await;
    Ok(0)
}

pub(super) async fn timeout(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "+k:s:v",
        &[("kill-after", b'k'), ("signal", b's'), ("preserve-status", 1), ("foreground", 2)],
    )?;
    let [limit, command @ ..] = flags.operands.as_slice() else {
        return Err(Stop::Failed("missing operand".to_owned(), 125));
    };
    let Some(limit) = span(limit) else {
        return Err(Stop::Failed(format!("invalid time interval '{}'", limit.to_str_lossy()), 125));
    };
    // What the command leaves half done in the shell is dropped with it, as a process would take it along.
    let mut inner = call.shell.inner()?;
    let mut nested = Call { shell: &mut inner, name: call.name, arguments: call.arguments };
    let work = run(&mut nested, command.to_vec());
    let outcome = if limit.is_zero() { Some(work.await) } else { task::within(work, limit).await };
    let killed = flags.value(b's').is_some_and(|signal| matches!(signal.as_slice(), b"KILL" | b"SIGKILL" | b"9"));
    outcome.unwrap_or(Ok(if killed { 137 } else { 124 }))
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn xargs(mut call: Call<'_>) -> Flow<i32> {
    let long = [
        ("null", b'0'),
        ("max-args", b'n'),
        ("replace", b'I'),
        ("no-run-if-empty", b'r'),
        ("verbose", b't'),
        ("delimiter", b'd'),
        ("max-procs", b'P'),
        ("max-lines", b'L'),
        ("arg-file", b'a'),
    ];
    let flags = Flags::parse(call.arguments, "+0n:I:i?rtd:P:L:a:s:x", &long)?;
    let source = flags.value(b'a').cloned().unwrap_or_else(|| b"-".to_vec());
    let Some(mut reader) = call.open(&source).await else { return Ok(1) };
    let input = reader.all(64 << 20).await?;
    drop(reader);
    let joined = |text: &Text| if text.is_empty() { b"{}".to_vec() } else { text.clone() };
    let replace = flags.value(b'I').cloned().or(flags.value(b'i').map(joined));
    let lines = flags.number(b'L')?;
    let items: Vec<Text> = if flags.has(b'0') {
        let body = input.strip_suffix(b"\0").unwrap_or(&input);
        if input.is_empty() { Vec::new() } else { body.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect() }
    } else if let Some(delimiter) = flags.value(b'd') {
        let delimiter =
            crate::escape::expand(delimiter, crate::escape::Style::Printf).0.first().copied().unwrap_or(b'\n');
        let body = input.strip_suffix(&[delimiter]).unwrap_or(&input);
        if input.is_empty() { Vec::new() } else { body.split(|byte| *byte == delimiter).map(<[u8]>::to_vec).collect() }
    } else if replace.is_some() || lines.is_some() {
        input.lines().map(|line| line.trim_start().to_vec()).filter(|line| !line.is_empty()).collect()
    } else {
        words(&input)?
    };
    let command = if flags.operands.is_empty() { vec![b"echo".to_vec()] } else { flags.operands.clone() };
    let stdin = call.shell.stream(0);
    call.shell.set_stream(0, crate::stream::Stream::null());
    let most = flags.number(b'n')?.or(lines).unwrap_or(usize::MAX).max(1);
    let mut status = 0;
    let mut at = 0;
    while at < items.len() || at == 0 && items.is_empty() && replace.is_none() && !flags.has(b'r') {
        let mut arguments = command.clone();
        if let Some(mark) = &replace {
            let item = items.get(at).cloned().unwrap_or_default();
            for argument in arguments.iter_mut().skip(1) {
                *argument = argument.replace(mark, &item);
            }
            at += 1;
        } else {
            let mut size = 0;
            let from = at;
            while let Some(item) = items.get(at).filter(|_| at - from < most && size < ARGUMENTS_MAX) {
                size += item.len() + 1;
                if lines.is_some() {
                    arguments.extend(words(item)?)
                } else {
                    arguments.push(item.clone())
                }
                at += 1;
            }
        }
        if flags.has(b't') {
            call.shell.say(bstr::join(" ", &arguments)).await;
        }
        let stop = at >= items.len();
        match run(&mut call, arguments).await? {
            0 => {}
            255 => {
                status = 124;
                break;
            }
            code @ (126 | 127) => {
                status = code;
                break;
            }
            _ => status = 123,
        }
        if stop {
            break;
        }
    }
    if let Some(stream) = stdin {
        call.shell.set_stream(0, stream);
    }
    Ok(status)
}

/// The words of the input, with quotes and backslashes.
fn words(input: &[u8]) -> Flow<Vec<Text>> {
    let mut all = Vec::new();
    let mut word: Option<Text> = None;
    let mut bytes = input.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' => all.extend(word.take()),
            b'\'' | b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(next) if next == byte => break,
                        Some(b'\n') | None => {
                            let kind = if *byte == b'"' { "double" } else { "single" };
                            return failed(format!(
                                "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
                            ));
                        }
                        Some(next) => word.push(*next),
                    }
                }
            }
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            other => word.get_or_insert_default().push(*other),
        }
    }
    all.extend(word);
    Ok(all)
}
