//! From bytes to text: which encoding, and decoding.
//!
//! In the order of browsers: a byte order mark, the `content-type`, what the document says of itself, and last a guess from the bytes.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use url::Url;

use crate::media::Kind;

/// Bytes in which a document says its encoding.
const HEAD: usize = 4 * 1024;
/// Bytes from which an encoding is guessed.
const GUESSED_FROM: usize = 256 * 1024;

/// Text, and what it was.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) encoding: &'static str,
    /// Bytes that stand for no character were replaced.
    pub(crate) damaged: bool,
}

/// Decodes `bytes`; `url` helps to guess, by the country of its host.
pub(crate) fn decode(bytes: &[u8], charset: Option<&str>, kind: Kind, url: &Url) -> Decoded {
    let encoding = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let named = || charset.and_then(|label| Encoding::for_label(label.as_bytes()));
    // JSON is UTF-8, whatever is said of it (RFC 8259, 8.1), unless it is not.
    let by_itself = || match kind {
        Kind::Html => in_meta(bytes),
        Kind::Xml => in_declaration(bytes),
        Kind::Json | Kind::Text | Kind::Binary => None,
    };
    let encoding = encoding.or_else(named).or_else(by_itself).unwrap_or_else(|| guess(bytes, url));
    let (text, damaged) = encoding.decode_with_bom_removal(bytes);
    Decoded { text: text.into_owned(), encoding: encoding.name(), damaged }
}

fn guess(bytes: &[u8], url: &Url) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let head = bytes.get(..GUESSED_FROM).unwrap_or(bytes);
    detector.feed(head, head.len() == bytes.len());
    let country = url.domain().and_then(|domain| domain.rsplit('.').next());
    // The detector panics where the label is not one.
    let sound = |label: &&str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase());
    detector.guess(country.filter(sound).map(str::as_bytes), Utf8Detection::Allow)
}

/// The encoding in a `meta` element: `charset=` in a tag that begins with `<meta`, outside comments.
fn in_meta(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..HEAD).unwrap_or(bytes)).to_ascii_lowercase();
    let mut rest = head.as_str();
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..)?;
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        let tag = rest.split('>').next().unwrap_or_default();
        if let Some(attributes) = tag.strip_prefix("<meta")
            && attributes.starts_with(|char: char| char.is_whitespace() || char == '/')
            && let Some(label) = value_of("charset", attributes)
            && let Some(encoding) = Encoding::for_label(label.as_bytes())
        {
            return Some(as_found(encoding));
        }
        rest = rest.get(1..)?;
    }
    None
}

/// The encoding in `<?xml version="1.0" encoding="…"?>`.
fn in_declaration(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..256).unwrap_or(bytes)).into_owned();
    let declaration = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    Encoding::for_label(value_of("encoding", declaration)?.as_bytes()).map(as_found)
}

/// A document that could be read this far is not in UTF-16, whatever it says.
fn as_found(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == UTF_16LE || encoding == UTF_16BE {
        UTF_8
    } else if encoding == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        encoding
    }
}

/// What follows `name =`, with or without quotes.
fn value_of<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        rest = rest.get(rest.find(name)? + name.len()..)?;
        if let Some(value) = rest.trim_start().strip_prefix('=') {
            let value = value.trim_start().trim_start_matches(['"', '\'']);
            return value.split(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | ';' | '/')).next();
        }
    }
}
