//! What is inside the encrypted file: a line that says what it is, then one line for each secret, `NAME SECONDS VALUE`.
//!
//! Names have no spaces and values no line breaks, so nothing has to be escaped; and a parser that need not unescape makes no copies of
//! values that would have to be overwritten.

use std::collections::BTreeMap;
use std::io::Write as _;

use zeroize::Zeroizing;

use crate::name::SecretName;
use crate::value::SecretValue;

/// The first line. A change of the format changes the number.
const HEAD: &[u8] = b"caplet secrets 1";

/// The most that a line needs beside name and value: two spaces, a line break, and a number of 64 bits.
const LINE_BYTES: usize = 3 + 20;

/// All secrets of a vault.
#[derive(Debug, Default)]
pub(crate) struct Table(pub(crate) BTreeMap<SecretName, Entry>);

/// One secret.
#[derive(Debug)]
pub(crate) struct Entry {
    /// When it was set, in seconds since 1970.
    pub(crate) set_at: u64,
    pub(crate) value: SecretValue,
}

impl Table {
    /// Reads the lines. The error says what is wrong with them.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let broken = "what it holds are no secrets";
        let mut lines = text.strip_suffix(b"\n").ok_or(broken)?.split(|byte| *byte == b'\n');
        if lines.next() != Some(HEAD) {
            return Err("it is of another version of caplet");
        }
        let entries = lines.map(|line| Self::parse_line(line).ok_or(broken));
        Ok(Self(entries.collect::<Result<_, _>>()?))
    }

    fn parse_line(line: &[u8]) -> Option<(SecretName, Entry)> {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        let (name, set_at) = (text()?.parse().ok()?, text()?.parse().ok()?);
        Some((name, Entry { set_at, value: SecretValue::new(fields.next()?).ok()? }))
    }

    /// The lines.
    pub(crate) fn text(&self) -> Zeroizing<Vec<u8>> {
        let lengths = self.0.iter().map(|(name, entry)| name.as_str().len() + entry.value.expose().len() + LINE_BYTES);
        // Room for all of it at once: a buffer that moves leaves a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(HEAD.len() + 1 + lengths.sum::<usize>()));
        text.extend_from_slice(HEAD);
        text.push(b'\n');
        for (name, Entry { set_at, value }) in &self.0 {
            // Memory takes all that is written to it.
            let _ = write!(text, "{name} {set_at} ");
            text.extend_from_slice(value.expose());
            text.push(b'\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut table = Table::default();
        for (name, value) in [("a", "  v v  "), ("b.c", "\"é\\ =%"), ("Z-9", "x")] {
            let value = SecretValue::new(value.as_bytes()).unwrap();
            table.0.insert(name.parse().unwrap(), Entry { set_at: u64::MAX, value });
        }
        let text = table.text();
        let back = Table::parse(&text).unwrap();
        assert_eq!(back.0.len(), 3);
        assert_eq!(back.0[&"a".parse().unwrap()].value.expose(), b"  v v  ");
        assert_eq!(*back.text(), *text);
        assert!(Table::parse(&Table::default().text()).unwrap().0.is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "\n",
            "caplet secrets 1",
            "caplet secrets 2\n",
            "caplet secrets 1\n\n",
            "caplet secrets 1\na 1\n",
            "caplet secrets 1\na x v\n",
            "caplet secrets 1\na 1 \n",
            "caplet secrets 1\na/b 1 v\n",
            "caplet secrets 1\na 1 v\0\n",
            "caplet secrets 1\na 1 v",
        ] {
            assert!(Table::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
