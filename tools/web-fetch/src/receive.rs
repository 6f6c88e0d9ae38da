//! The body of a response, read within bounds and taken out of its content coding.

use std::io::Read;

use caplet_tool_common::text::size;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::Failure;
use crate::client::Incoming;

/// Bytes that are read of a body, and bytes that a compressed one may have when it is decoded.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A body, as far as it came.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    /// Its end is missing.
    pub(crate) cut: bool,
    pub(crate) notices: Vec<String>,
    /// It is still encoded, in a coding that is not known here.
    pub(crate) encoded: bool,
}

/// Reads the body. A body that breaks off is given as far as it came; if nothing came, the failure is.
pub(crate) fn receive(response: &mut Incoming) -> Result<Received, Failure> {
    let mut received = Received::default();
    loop {
        match response.body.read() {
            Ok(None) => break,
            Ok(Some(piece)) => {
                let room = MAX_BODY - received.bytes.len();
                received.bytes.extend_from_slice(piece.get(..room).unwrap_or(&piece));
                if piece.len() > room {
                    received.cut = true;
                    let limit = size(MAX_BODY as u64);
                    received.notices.push(format!("The response is larger than {limit}: its end is left out."));
                    break;
                }
            }
            Err(failure) if received.bytes.is_empty() => return Err(failure),
            Err(failure) => {
                received.cut = true;
                let came = size(received.bytes.len() as u64);
                let why = match failure {
                    Failure::BodyTooLarge => "it is larger than this call may read",
                    Failure::Timeout => "the server took too long",
                    _ => "the connection broke, or a limit of this call was reached",
                };
                received.notices.push(format!("The response ends after {came}, too early: {why}."));
                break;
            }
        }
    }
    let codings = response.text("content-encoding").unwrap_or_default();
    decode(&mut received, &codings);
    Ok(received)
}

fn decode(received: &mut Received, codings: &str) {
    // The last coding was put on last.
    for coding in codings.rsplit(',').map(|coding| coding.trim().to_ascii_lowercase()) {
        if received.bytes.is_empty() {
            return;
        }
        let bytes = received.bytes.as_slice();
        let decoded = match coding.as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(bytes)),
            "deflate" => match read(ZlibDecoder::new(bytes)) {
                // Some servers leave out the frame of zlib.
                (decoded, true) if decoded.is_empty() => read(DeflateDecoder::new(bytes)),
                decoded => decoded,
            },
            _ => {
                received.encoded = true;
                received.notices.push(format!("The content is encoded as `{coding}`, which web-fetch cannot decode."));
                return;
            }
        };
        let (bytes, broken) = decoded;
        if broken && bytes.is_empty() {
            received.encoded = true;
            received.notices.push(format!("The content is not the `{coding}` that the server says it is."));
            return;
        }
        if broken && !received.cut {
            received.notices.push(format!(
                "The `{coding}` content is damaged or cut, or larger than {}: its end is left out.",
                size(MAX_BODY as u64)
            ));
            received.cut = true;
        }
        received.bytes = bytes;
    }
}

/// What can be decoded, up to the bound, and whether there was more or the rest is damaged.
fn read(decoder: impl Read) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut limited = decoder.take(MAX_BODY as u64 + 1);
    let failed = limited.read_to_end(&mut bytes).is_err();
    let over = bytes.len() > MAX_BODY;
    bytes.truncate(MAX_BODY);
    (bytes, failed || over)
}
