//! `od`, `hexdump`, `xxd`: bytes as text, and `xxd -r` back.

use bstr::ByteSlice;

use super::{Call, Flags, Reader, Writer};
use crate::stop::{Flow, Stop, failed, misused};
use crate::syntax::ast::Text;

/// One way to show the bytes of a row.
#[derive(Clone, Copy, Debug)]
struct Kind {
    letter: u8,
    size: usize,
    text: bool,
}

impl Kind {
    /// How wide one unit is, without the space before it.
    fn width(self) -> usize {
        match (self.letter, self.size) {
            (b'a' | b'c', _) => 3,
            (b'x', size) => size * 2,
            (b'o', 1) => 3,
            (b'o', 2) => 6,
            (b'o', 4) => 11,
            (b'o', _) => 22,
            (b'u', 1) => 3,
            (b'u', 2) => 5,
            (b'u', 4) => 10,
            (b'd', 1) => 4,
            (b'd', 2) => 6,
            (b'd', 4) => 11,
            _ => 20,
        }
    }

    fn show(self, unit: &[u8]) -> String {
        let value = unit.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let width = self.width();
        match self.letter {
            b'x' => format!("{value:0width$x}"),
            b'o' => format!("{value:0width$o}"),
            b'u' => format!("{value:width$}"),
            b'd' => {
                let shift = 64 - 8 * self.size;
                format!("{:width$}", (value << shift).cast_signed() >> shift)
            }
            b'c' => character(unit.first().copied().unwrap_or(0)),
            _ => named(unit.first().copied().unwrap_or(0) & 127),
        }
    }
}

fn character(byte: u8) -> String {
    let text = match byte {
        0 => "\\0".to_owned(),
        7 => "\\a".to_owned(),
        8 => "\\b".to_owned(),
        9 => "\\t".to_owned(),
        10 => "\\n".to_owned(),
        11 => "\\v".to_owned(),
        12 => "\\f".to_owned(),
        13 => "\\r".to_owned(),
        32..127 => char::from(byte).to_string(),
        _ => format!("{byte:03o}"),
    };
    format!("{text:>3}")
}

fn named(byte: u8) -> String {
    const NAMES: [&str; 33] = [
        "nul", "soh", "stx", "etx", "eot", "enq", "ack", "bel", "bs", "ht", "nl", "vt", "ff", "cr", "so", "si", "dle",
        "dc1", "dc2", "dc3", "dc4", "nak", "syn", "etb", "can", "em", "sub", "esc", "fs", "gs", "rs", "us", "sp",
    ];
    let text = match (NAMES.get(usize::from(byte)), byte) {
        (Some(name), _) => (*name).to_owned(),
        (None, 127) => "del".to_owned(),
        _ => char::from(byte).to_string(),
    };
    format!("{text:>3}")
}

/// The formats of `-t`: letters, each with a size, and `z`.
fn kinds(text: &[u8]) -> Flow<Vec<Kind>> {
    let mut all: Vec<Kind> = Vec::new();
    let mut letters = text.iter().copied().peekable();
    while let Some(letter) = letters.next() {
        let usual = match letter {
            b'a' | b'c' => 1,
            b'd' | b'o' | b'u' | b'x' => 4,
            b'z' => {
                if let Some(last) = all.last_mut() {
                    last.text = true;
                }
                continue;
            }
            other => {
                return failed(format!(
                    "invalid type string '{}': '{}' is not available",
                    text.to_str_lossy(),
                    char::from(other)
                ));
            }
        };
        let size = match letters.peek() {
            Some(digit @ (b'1' | b'2' | b'4' | b'8')) => usize::from(digit - b'0'),
            Some(b'C') => 1,
            Some(b'S') => 2,
            Some(b'I') => 4,
            Some(b'L') => 8,
            _ => 0,
        };
        if size > 0 {
            letters.next();
        }
        all.push(Kind { letter, size: if size > 0 { size } else { usual }, text: false });
    }
    Ok(all)
}

/// The bytes of all files, a row at a time.
struct Rows<'a> {
    call: &'a Call<'a>,
    names: std::collections::VecDeque<Text>,
    reader: Option<Reader>,
    rest: Vec<u8>,
    left: u64,
    status: i32,
}

impl<'a> Rows<'a> {
    async fn new(call: &'a Call<'a>, names: &[Text], skip: u64, most: Option<u64>) -> Flow<Self> {
        let names = super::or_stdin(names).into();
        let mut rows = Self { call, names, reader: None, rest: Vec::new(), left: u64::MAX, status: 0 };
        let mut skip = skip;
        while skip > 0 {
            let size = usize::try_from(skip.min(4096)).unwrap_or(4096);
            let row = rows.row(size).await?;
            if row.is_empty() {
                break;
            }
            skip -= row.len() as u64;
        }
        rows.left = most.unwrap_or(u64::MAX);
        Ok(rows)
    }

    async fn row(&mut self, size: usize) -> Flow<Vec<u8>> {
        let size = size.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        while self.rest.len() < size {
            if self.reader.is_none() {
                let Some(name) = self.names.pop_front() else { break };
                self.reader = self.call.open(&name).await;
                self.status |= i32::from(self.reader.is_none());
                continue;
            }
            let piece = match &mut self.reader {
                Some(reader) => reader.piece().await?,
                None => Vec::new(),
            };
            if piece.is_empty() {
                self.reader = None;
            }
            self.rest.extend(piece);
        }
        let more = self.rest.split_off(size.min(self.rest.len()));
        let row = std::mem::replace(&mut self.rest, more);
        self.left -= row.len() as u64;
        Ok(row)
    }
}

fn count(flags: &Flags, letter: u8) -> Flow<Option<u64>> {
    let Some(text) = flags.value(letter) else { return Ok(None) };
    let shown = text.to_str_lossy();
    let value = match shown.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => super::make::size(text),
    };
    value.map(Some).ok_or_else(|| Stop::Failed(format!("invalid number '{shown}'"), 1))
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn od(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("address-radix", b'A'),
        ("format", b't'),
        ("skip-bytes", b'j'),
        ("read-bytes", b'N'),
        ("width", b'w'),
        ("output-duplicates", b'v'),
    ];
    let flags = Flags::parse(call.arguments, "A:t:j:N:w?vabcdxoDX", &long)?;
    let mut shown = Vec::new();
    for (letter, value) in flags.all() {
        shown.extend(match letter {
            b't' => kinds(value)?,
            b'a' => kinds(b"a")?,
            b'b' => kinds(b"o1")?,
            b'c' => kinds(b"c")?,
            b'd' => kinds(b"u2")?,
            b'x' => kinds(b"x2")?,
            b'o' => kinds(b"o2")?,
            _ => Vec::new(),
        });
    }
    if shown.is_empty() {
        shown = kinds(b"o2")?;
    }
    let radix = flags.value(b'A').and_then(|text| text.first().copied()).unwrap_or(b'o');
    if !b"doxn".contains(&radix) {
        return failed("invalid output address radix; it must be one of [doxn]");
    }
    let address = |at: u64| match radix {
        b'n' => String::new(),
        b'd' => format!("{at:07}"),
        b'x' => format!("{at:06x}"),
        _ => format!("{at:07o}"),
    };
    let width = match flags.value(b'w') {
        Some(text) if text.is_empty() => 32,
        Some(_) => flags.number(b'w')?.unwrap_or(16).clamp(1, 4096),
        None => 16,
    };
    let skip = count(&flags, b'j')?.unwrap_or(0);
    let mut rows = Rows::new(&call, &flags.operands, skip, count(&flags, b'N')?).await?;
    let mut out = call.writer();
    let (mut at, mut before, mut starred) = (skip, None, false);
    // Units of all formats stand below each other: the widest one says how much room a byte gets.
    let room = |kind: &Kind| (kind.width() + 1).div_ceil(kind.size);
    let byte_room = shown.iter().map(room).max().unwrap_or(4);
    loop {
        let row = rows.row(width).await?;
        if row.is_empty() {
            break;
        }
        if !flags.has(b'v') && row.len() == width && before.as_ref() == Some(&row) {
            if !starred {
                out.line(b"*").await?;
            }
            starred = true;
        } else {
            starred = false;
            for (number, kind) in shown.iter().enumerate() {
                let start = if number == 0 { address(at) } else { " ".repeat(address(at).len()) };
                out.put(start.as_bytes());
                let mut text = String::new();
                for unit in row.chunks(kind.size) {
                    let one = kind.show(unit);
                    let room = if shown.len() > 1 { byte_room * kind.size } else { kind.width() + 1 };
                    text.push_str(&format!("{one:>room$}"));
                }
                if kind.text {
                    let full = width / kind.size * (kind.width() + 1);
                    let plain: String = row.iter().map(|byte| printable(*byte)).collect();
                    text = format!("{text:full$}  >{plain}<");
                }
                out.line(text.as_bytes()).await?;
            }
        }
        at += row.len() as u64;
        before = Some(row);
    }
    if radix != b'n' {
        out.line(address(at).as_bytes()).await?;
    }
    out.flush().await?;
    Ok(rows.status)
}

fn printable(byte: u8) -> char {
    if (32..127).contains(&byte) { char::from(byte) } else { '.' }
}

pub(super) async fn hexdump(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "Cvn:s:e:",
        &[("canonical", b'C'), ("no-squeezing", b'v'), ("length", b'n'), ("skip", b's')],
    )?;
    if flags.has(b'e') {
        return misused("-e is not available in the sandbox: use `od -t` or `xxd`");
    }
    let canonical = call.name == "hd" || flags.has(b'C');
    let skip = count(&flags, b's')?.unwrap_or(0);
    let mut rows = Rows::new(&call, &flags.operands, skip, count(&flags, b'n')?).await?;
    let mut out = call.writer();
    let (mut at, mut before, mut starred) = (skip, None, false);
    loop {
        let row = rows.row(16).await?;
        if row.is_empty() {
            break;
        }
        if !flags.has(b'v') && before.as_ref() == Some(&row) {
            if !starred {
                out.line(b"*").await?;
            }
            starred = true;
        } else {
            starred = false;
            out.line(&hexdump_row(at, &row, canonical)).await?;
        }
        at += row.len() as u64;
        before = Some(row);
    }
    if at > skip {
        out.line(if canonical { format!("{at:08x}") } else { format!("{at:07x}") }.as_bytes()).await?;
    }
    out.flush().await?;
    Ok(rows.status)
}

fn hexdump_row(at: u64, row: &[u8], canonical: bool) -> Text {
    if !canonical {
        let units = row.chunks(2).map(|unit| {
            let value = unit.iter().rev().fold(0_u16, |value, byte| value << 8 | u16::from(*byte));
            format!(" {value:04x}")
        });
        let text: String = units.collect();
        return format!("{at:07x}{text:40}").into_bytes();
    }
    let mut text = format!("{at:08x} ");
    for place in 0..16 {
        if place == 8 {
            text.push(' ');
        }
        match row.get(place) {
            Some(byte) => text.push_str(&format!(" {byte:02x}")),
            None => text.push_str("   "),
        }
    }
    let plain: String = row.iter().map(|byte| printable(*byte)).collect();
    format!("{text}  |{plain}|").into_bytes()
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn xxd(call: Call<'_>) -> Flow<i32> {
    let long: Vec<Text> = call
        .arguments
        .iter()
        .map(|text| match text.as_slice() {
            b"-ps" | b"-plain" | b"-postscript" => b"-p".to_vec(),
            b"-revert" => b"-r".to_vec(),
            b"-cols" => b"-c".to_vec(),
            b"-len" => b"-l".to_vec(),
            b"-seek" => b"-s".to_vec(),
            other => other.to_vec(),
        })
        .collect();
    let flags = Flags::parse(&long, "prubic:g:l:s:e", &[])?;
    if flags.has(b'e') {
        return failed("-e is not available in the sandbox");
    }
    let mut out = call.writer();
    if flags.has(b'r') {
        let source = super::or_stdin(&flags.operands);
        let Some(mut reader) = call.open(source.first().map_or(&b"-"[..], Vec::as_slice)).await else { return Ok(2) };
        while let Some(line) = reader.line(b'\n').await? {
            let bytes = if flags.has(b'p') { hex(line) } else { hex_row(line) };
            out.put(&bytes);
            out.step().await?;
        }
        out.flush().await?;
        return Ok(0);
    }
    let plain = flags.has(b'p');
    let width = match flags.number(b'c')? {
        Some(width) if width > 0 => width.min(256),
        _ if plain => 30,
        _ if flags.has(b'b') => 6,
        _ if flags.has(b'i') => 12,
        _ => 16,
    };
    let names = flags.operands.get(..1).unwrap_or_default();
    let skip = count(&flags, b's')?.unwrap_or(0);
    let mut rows = Rows::new(&call, names, skip, count(&flags, b'l')?).await?;
    if flags.has(b'i') {
        return xxd_include(&mut rows, &mut out, names.first(), width).await;
    }
    let mut at = skip;
    let group = flags.number(b'g')?.unwrap_or(if flags.has(b'b') { 1 } else { 2 });
    loop {
        let row = rows.row(width).await?;
        if row.is_empty() {
            break;
        }
        let pair = |byte: &u8| if flags.has(b'u') { format!("{byte:02X}") } else { format!("{byte:02x}") };
        if plain {
            out.line(row.iter().map(pair).collect::<String>().as_bytes()).await?;
            continue;
        }
        let mut text = format!("{at:08x}:");
        for place in 0..width {
            if group == 0 && place == 0 || group > 0 && place % group == 0 {
                text.push(' ');
            }
            match row.get(place) {
                Some(byte) if flags.has(b'b') => text.push_str(&format!("{byte:08b}")),
                Some(byte) => text.push_str(&pair(byte)),
                None => text.push_str(if flags.has(b'b') { "        " } else { "  " }),
            }
        }
        let plain: String = row.iter().map(|byte| printable(*byte)).collect();
        out.line(format!("{text}  {plain}").as_bytes()).await?;
        at += row.len() as u64;
    }
    out.flush().await?;
    Ok(rows.status)
}

/// The bytes as a C array; with a name, as a declaration.
async fn xxd_include(rows: &mut Rows<'_>, out: &mut Writer, name: Option<&Text>, width: usize) -> Flow<i32> {
    let name = name.map(|name| {
        let letter = |byte: &u8| if byte.is_ascii_alphanumeric() { char::from(*byte) } else { '_' };
        name.iter().map(letter).collect::<String>()
    });
    if let Some(name) = &name {
        out.line(format!("unsigned char {name}[] = {{").as_bytes()).await?;
    }
    let mut size = 0;
    loop {
        let row = rows.row(width).await?;
        if row.is_empty() {
            break;
        }
        out.put(if size > 0 { b",\n" } else { b"" });
        let cells: Vec<String> = row.iter().map(|byte| format!("0x{byte:02x}")).collect();
        out.put(format!("  {}", cells.join(", ")).as_bytes());
        out.step().await?;
        size += row.len();
    }
    out.put(if size > 0 { b"\n" } else { b"" });
    if let Some(name) = &name {
        out.line(format!("}};\nunsigned int {name}_len = {size};").as_bytes()).await?;
    }
    out.flush().await?;
    Ok(rows.status)
}

/// The bytes that hexadecimal digits mean; what is no digit is passed over.
fn hex(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = text.iter().filter_map(|byte| char::from(*byte).to_digit(16)?.try_into().ok()).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |value, digit| value << 4 | digit)).collect()
}

/// The bytes of a row that `xxd` has written: between the colon and two spaces.
fn hex_row(line: &[u8]) -> Vec<u8> {
    let Some((_, rest)) = line.split_once_str(":") else { return Vec::new() };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    hex(rest.split_once_str("  ").map_or(rest, |(bytes, _)| bytes))
}
