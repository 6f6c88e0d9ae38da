//! Unpacks header blocks (HPACK, RFC 7541). Only unpacks: what the lab sends is not packed.

use std::collections::VecDeque;

/// The size of the table that a client may count on, since the lab says nothing else.
const TABLE_SIZE: usize = 4_096;

/// What the standard adds to the size of each entry.
const ENTRY_OVERHEAD: usize = 32;

pub(super) type Field = (Vec<u8>, Vec<u8>);

/// The state of one connection's blocks.
#[derive(Debug)]
pub(super) struct Decoder {
    table: VecDeque<Field>,
    limit: usize,
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { table: VecDeque::new(), limit: TABLE_SIZE }
    }

    /// The headers of a whole block; `None` if it is malformed.
    pub(super) fn decode(&mut self, block: &[u8]) -> Option<Vec<Field>> {
        let mut input = block;
        let mut fields = Vec::new();
        while let Some(first) = input.first().copied() {
            if first & 0x80 != 0 {
                let index = integer(&mut input, 7)?;
                fields.push(self.entry(index)?);
            } else if first & 0xe0 == 0x20 {
                self.limit = integer(&mut input, 5).filter(|limit| *limit <= TABLE_SIZE)?;
                self.evict();
            } else {
                let indexed = first & 0x40 != 0;
                let index = integer(&mut input, if indexed { 6 } else { 4 })?;
                let name = if index == 0 { string(&mut input)? } else { self.entry(index)?.0 };
                let field = (name, string(&mut input)?);
                if indexed {
                    self.table.push_front(field.clone());
                    self.evict();
                }
                fields.push(field);
            }
        }
        Some(fields)
    }

    fn entry(&self, index: usize) -> Option<Field> {
        let index = index.checked_sub(1)?;
        match STATIC.get(index) {
            Some((name, value)) => Some((name.as_bytes().to_vec(), value.as_bytes().to_vec())),
            None => self.table.get(index - STATIC.len()).cloned(),
        }
    }

    fn evict(&mut self) {
        let size = |(name, value): &Field| name.len() + value.len() + ENTRY_OVERHEAD;
        while self.table.iter().map(size).sum::<usize>() > self.limit {
            self.table.pop_back();
        }
    }
}

fn integer(input: &mut &[u8], bits: u32) -> Option<usize> {
    let mask = (1 << bits) - 1;
    let mut value = usize::from(take(input)?) & mask;
    if value < mask {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = take(input)?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take(input: &mut &[u8]) -> Option<u8> {
    let (first, rest) = input.split_first()?;
    *input = rest;
    Some(*first)
}

fn string(input: &mut &[u8]) -> Option<Vec<u8>> {
    let packed = input.first()? & 0x80 != 0;
    let length = integer(input, 7)?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    if packed { unpack(bytes) } else { Some(bytes.to_vec()) }
}

/// Undoes the Huffman code. Codes of one length follow each other, in the order of their bytes, which is all there is to it.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let (mut code, mut length, mut first, mut index) = (0_u32, 0_u8, 0_u32, 0_usize);
    let order = order();
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        code = code << 1 | u32::from(bit);
        first <<= 1;
        length += 1;
        let count = order.get(index..)?.iter().take_while(|(own, _)| *own == length).count();
        let offset = usize::try_from(code - first).ok()?;
        if offset < count {
            text.push(order.get(index + offset)?.1);
            (code, length, first, index) = (0, 0, 0, 0);
        } else {
            first += u32::try_from(count).ok()?;
            index += count;
        }
    }
    // What is left are ones, fewer than a byte of them.
    (length < 8 && code + 1 == 1 << length).then_some(text)
}

/// All bytes with the lengths of their codes, in the order of the codes.
fn order() -> Vec<(u8, u8)> {
    let mut order: Vec<(u8, u8)> = LENGTHS.iter().copied().zip(0..=u8::MAX).collect();
    order.sort_unstable();
    order
}

/// How long the code of each byte is (RFC 7541, appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// What every connection knows from the start (RFC 7541, appendix A).
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")).collect()
    }

    /// RFC 7541, appendix C.4: three requests on one connection.
    #[test]
    fn the_examples_of_the_standard() {
        let mut decoder = Decoder::new();
        let mut decode = |text| {
            let fields = decoder.decode(&hex(text)).expect("well-formed");
            fields
                .iter()
                .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
                .collect::<Vec<_>>()
        };
        let start = [":method=GET", ":scheme=http", ":path=/", ":authority=www.example.com"];
        assert_eq!(decode("828684418cf1e3c2e5f23a6ba0ab90f4ff"), start);
        assert_eq!(decode("828684be5886a8eb10649cbf"), [&start[..], &["cache-control=no-cache"]].concat());
        let last = [
            ":method=GET",
            ":scheme=https",
            ":path=/index.html",
            ":authority=www.example.com",
            "custom-key=custom-value",
        ];
        assert_eq!(decode("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"), last);
    }

    #[test]
    fn malformed_blocks_are_refused() {
        for text in ["80", "ff", "be", "40", "0085f1", "3fffffff7f", "0081ff00"] {
            assert_eq!(Decoder::new().decode(&hex(text)), None, "{text}");
        }
    }
}
