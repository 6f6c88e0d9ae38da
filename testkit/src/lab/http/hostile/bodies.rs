//! Bodies: endless, exploding, or with more behind them than there should be.

use super::Ends::{TooLarge, Usable};
use super::{Case, answers, with};

/// What [`bomb`] unpacks to.
pub(super) const BOMB: u64 = 1 + MATCH * MATCHES;

/// The longest run that one code of deflate stands for.
const MATCH: u64 = 258;
const MATCHES: u64 = 260_112;

pub(super) const CASES: &[Case] = &[
    answers("body-endless", TooLarge, "a body without length or end", || {
        with("connection: close\r\n", "").forever("0123456789abcdef")
    }),
    answers("body-endless-chunked", TooLarge, "chunks without end", || {
        with("transfer-encoding: chunked\r\n", "").forever("10\r\n0123456789abcdef\r\n")
    }),
    answers(
        "body-endless-tiny-chunks",
        TooLarge,
        "chunks of one byte without end, six bytes on the wire for each",
        || with("transfer-encoding: chunked\r\n", "").forever("1\r\na\r\n"),
    ),
    answers("body-1-tib", TooLarge, "a body of 1 TiB, as announced", || {
        with("content-length: 1099511627776\r\n", "").forever("0123456789abcdef")
    }),
    answers(
        "body-gzip-bomb",
        Usable,
        "64 MiB of zeros in 400 KiB: bounded by what a guest gets, not by what came",
        || {
            let bomb = bomb();
            let head = format!("content-encoding: gzip\r\ncontent-length: {}\r\n", bomb.len());
            with(&head, "").send(bomb)
        },
    ),
    answers("trailers-forbidden", Usable, "trailers that are not allowed to be any: none may act as a header", || {
        with(
            "transfer-encoding: chunked\r\ntrailer: set-cookie\r\n",
            "2\r\nok\r\n0\r\nset-cookie: smuggled-by-the-lab\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\
             host: smuggled-by-the-lab\r\nauthorization: smuggled-by-the-lab\r\nconnection: x\r\n\r\n",
        )
    }),
    answers("trailers-endless", TooLarge, "trailers without end", || {
        with("transfer-encoding: chunked\r\n", "2\r\nok\r\n0\r\n").forever("x-flood: 1\r\n")
    }),
    answers("half-close", Usable, "the server's side is closed after a whole response, the client's is not", || {
        with("content-length: 2\r\n", "ok").half_close().drain()
    }),
];

/// Zeros in gzip, as small as the fixed codes of deflate (RFC 1951) make them: one literal, then copies of it.
pub(super) fn bomb() -> Vec<u8> {
    let mut bits = Bits { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], used: 8 };
    // The last block, and fixed codes.
    bits.push(&[1, 1, 0]);
    // The literal 0.
    bits.push(&[0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..MATCHES {
        // A length of 258, at a distance of 1.
        bits.push(&[1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    // The end of the block.
    bits.push(&[0; 7]);
    // The check sum of that many zeros, and how many they are.
    let mut bytes = bits.bytes;
    bytes.extend(0xb74b_9eb2_u32.to_le_bytes());
    bytes.extend(u32::try_from(BOMB).unwrap_or_default().to_le_bytes());
    bytes
}

/// Bits, each byte filled from its lowest.
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, bits: &[u8]) {
        for bit in bits {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << self.used;
            }
            self.used += 1;
        }
    }
}
