//! `date`

use bstr::ByteSlice;

use super::{Call, Flags};
use crate::calendar::Moment;
use crate::fs;
use crate::stop::{Flow, failed};

pub(super) async fn date(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("date", b'd'),
        ("utc", b'u'),
        ("universal", b'u'),
        ("reference", b'r'),
        ("iso-8601", b'I'),
        ("rfc-email", b'R'),
        ("rfc-3339", 1),
    ];
    let flags = Flags::parse(call.arguments, "d:ur:I?R\u{1}:", &long)?;
    let now = fs::now();
    let now = Moment::new(i64::try_from(now.as_secs()).unwrap_or(0), now.subsec_nanos());
    let moment = if let Some(text) = flags.value(b'd') {
        match Moment::parse(&text.to_str_lossy(), now) {
            Some(moment) => moment,
            None => return failed(format!("invalid date '{}'", text.to_str_lossy())),
        }
    } else if let Some(name) = flags.value(b'r') {
        match std::fs::metadata(call.shell.path(name)) {
            Ok(facts) => Moment::new(i64::try_from(fs::changed(&facts).as_secs()).unwrap_or(0), 0),
            Err(error) => return failed(call.shell.refusal(name, &error, false)),
        }
    } else {
        now
    };
    let layout = match flags.operands.first() {
        Some(text) => match text.strip_prefix(b"+") {
            Some(layout) => layout.to_str_lossy().into_owned(),
            None => return failed("cannot set date: Operation not permitted"),
        },
        None if flags.has(b'R') => "%a, %d %b %Y %H:%M:%S +0000".to_owned(),
        None if flags.has(1) => "%Y-%m-%d %H:%M:%S+00:00".to_owned(),
        None if flags.has(b'I') => match flags.value(b'I').map(Vec::as_slice) {
            Some(b"seconds" | b"s") => "%Y-%m-%dT%H:%M:%S+00:00".to_owned(),
            Some(b"minutes" | b"m") => "%Y-%m-%dT%H:%M+00:00".to_owned(),
            _ => "%Y-%m-%d".to_owned(),
        },
        None => "%a %b %e %H:%M:%S UTC %Y".to_owned(),
    };
    let mut line = moment.format(&layout).into_bytes();
    line.push(b'\n');
    call.shell.stdout().write(&line).await?;
    Ok(0)
}
