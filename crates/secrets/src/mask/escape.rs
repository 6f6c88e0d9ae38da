//! How text is written in URLs, forms, JSON and HTML. The ways differ in what they leave as it is; each table lists those in use.

use zeroize::Zeroizing;

/// Characters beside letters and digits that are left as they are in URLs, and whether a space becomes a plus sign.
const PERCENT: [(&[u8], bool); 12] = [
    (b"-._~", false),                          // RFC 3986
    (b"-._~", true),                           // Go
    (b"-._~/", false),                         // Python
    (b"-_.!~*'()", false),                     // encodeURIComponent
    (b"-_.!~*'();/?:@&=+$,#", false),          // encodeURI
    (b"*-._", true),                           // forms, as browsers send them
    (b"-_.", true),                            // PHP
    (b"-._", false),                           // the same without plus signs
    (b"!$%&'()*+,-./:;=?@[\\]^_`{|}~", false), // WHATWG query
    (b"!$%&()*+,-./:;=?@[\\]^_`{|}~", false),  // WHATWG query of a special URL
    (b"!$%&'()*+,-./:;=@[\\]_|~", false),      // WHATWG path
    (b"", false),                              // no character at all is left
];

/// Characters that are written as `\uXXXX` in JSON although they need not be.
const JSON: [&[u8]; 5] = [b"", b"<>&", b"<>'&", b"<>'&\"", b"<>'&\"+`"];

/// Characters and what they become in HTML.
const HTML: [&[(u8, &str)]; 8] = [
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&#39;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&#x27;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&#039;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&apos;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&#34;"), (b'\'', "&#39;")],
    &[
        (b'&', "&amp;"),
        (b'<', "&lt;"),
        (b'>', "&gt;"),
        (b'"', "&quot;"),
        (b'\'', "&#39;"),
        (b'/', "&#x2F;"),
        (b'`', "&#x60;"),
        (b'=', "&#x3D;"),
    ],
];

/// `text` as in URLs and forms, with digits of either case.
pub(super) fn percent(text: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    PERCENT.into_iter().flat_map(move |(plain, is_plus)| {
        let encode = move |is_upper| {
            written(text, |byte, form| match byte {
                b' ' if is_plus => form.push(b'+'),
                _ if !plain.is_empty() && (byte.is_ascii_alphanumeric() || plain.contains(&byte)) => form.push(byte),
                _ => {
                    form.push(b'%');
                    digits(form, u32::from(byte), 2, is_upper);
                }
            })
        };
        [encode(true), encode(false)]
    })
}

/// `text` as in JSON. Text that is not UTF-8 has no such form.
pub(super) fn json(text: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let ways = JSON.into_iter().flat_map(|units| [false, true].map(|is_ascii| (units, is_ascii)));
    let ways = ways.flat_map(|(units, is_ascii)| [false, true].map(|is_slash| (units, is_ascii, is_slash)));
    let ways =
        ways.flat_map(|(units, is_ascii, is_slash)| [false, true].map(|upper| (units, is_ascii, is_slash, upper)));
    ways.filter_map(move |(units, is_ascii, is_slash, is_upper)| {
        let mut form = Zeroizing::new(Vec::with_capacity(text.len() * 6));
        for c in std::str::from_utf8(text).ok()?.chars() {
            match u8::try_from(c) {
                Ok(byte) if units.contains(&byte) => unit(&mut form, u16::from(byte), is_upper),
                Ok(byte @ (b'"' | b'\\')) => form.extend([b'\\', byte]),
                Ok(b'/') if is_slash => form.extend(*b"\\/"),
                _ if is_ascii && !c.is_ascii() => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|half| unit(&mut form, *half, is_upper));
                }
                _ => form.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        Some(form)
    })
}

/// `text` as in HTML and XML.
pub(super) fn html(text: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    HTML.into_iter().map(move |entities| {
        written(text, |byte, form| match entities.iter().find(|(special, _)| *special == byte) {
            Some((_, entity)) => form.extend_from_slice(entity.as_bytes()),
            None => form.push(byte),
        })
    })
}

/// The form that `write` makes byte by byte, none of which becomes more than six. A buffer that moves would leave a copy behind.
fn written(text: &[u8], mut write: impl FnMut(u8, &mut Vec<u8>)) -> Zeroizing<Vec<u8>> {
    let mut form = Zeroizing::new(Vec::with_capacity(text.len() * 6));
    text.iter().for_each(|byte| write(*byte, &mut form));
    form
}

fn unit(form: &mut Vec<u8>, half: u16, is_upper: bool) {
    form.extend(*b"\\u");
    digits(form, u32::from(half), 4, is_upper);
}

/// The last `count` digits of a number.
fn digits(form: &mut Vec<u8>, number: u32, count: u32, is_upper: bool) {
    for place in (0..count).rev() {
        let digit = char::from_digit(number >> (4 * place) & 15, 16).unwrap_or('0');
        let digit = if is_upper { digit.to_ascii_uppercase() } else { digit };
        form.extend(digit.encode_utf8(&mut [0; 4]).bytes());
    }
}
