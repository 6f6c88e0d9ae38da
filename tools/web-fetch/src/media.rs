//! What kind of content a response is, by its `content-type` and, where that says little, by its first bytes.

/// Bytes that are looked at.
const HEAD: usize = 1024;

/// What is done with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Made readable.
    Html,
    /// Put in order.
    Json,
    /// Given as it is; XML may say its encoding itself.
    Xml,
    /// Given as it is.
    Text,
    /// Given as base64.
    Binary,
}

/// A `content-type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// `type/subtype`, in lower case.
    pub(crate) essence: String,
    /// The encoding that it names.
    pub(crate) charset: Option<String>,
}

impl MediaType {
    /// Reads a header's value; `None` if it is none.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        let sound = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
        };
        if essence.len() > 127 || !sound(kind) || !sound(subtype) {
            return None;
        }
        let charset = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        Some(Self { essence, charset })
    }
}

/// The kind of content, and its media type as it is given to the caller.
pub(crate) fn kind(declared: Option<&MediaType>, bytes: &[u8]) -> (Kind, String) {
    match declared {
        Some(declared) if declared.essence != "application/octet-stream" && declared.essence != "unknown/unknown" => {
            (of_type(&declared.essence), declared.essence.clone())
        }
        Some(declared) => match sniff(bytes) {
            (Kind::Binary, _) => (Kind::Binary, declared.essence.clone()),
            found => found,
        },
        None => sniff(bytes),
    }
}

fn of_type(essence: &str) -> Kind {
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    match subtype {
        "html" | "xhtml+xml" => Kind::Html,
        "json" => Kind::Json,
        "xml" => Kind::Xml,
        _ if subtype.ends_with("+json") => Kind::Json,
        _ if subtype.ends_with("+xml") => Kind::Xml,
        _ if kind == "text" || kind == "message" => Kind::Text,
        "javascript"
        | "x-javascript"
        | "ecmascript"
        | "typescript"
        | "yaml"
        | "x-yaml"
        | "toml"
        | "sql"
        | "graphql"
        | "x-ndjson"
        | "ndjson"
        | "jsonlines"
        | "x-sh"
        | "x-www-form-urlencoded"
        | "x-tex"
        | "x-latex"
        | "pgp-signature"
        | "x-pem-file"
        | "n-triples"
        | "n-quads"
        | "trig"
        | "x-subrip"
        | "vnd.apple.mpegurl"
        | "json-seq"
        | "jwt"
        | "x-php"
        | "xml-dtd"
        | "json5"
            if kind == "application" || kind == "model" =>
        {
            Kind::Text
        }
        _ => Kind::Binary,
    }
}

fn sniff(bytes: &[u8]) -> (Kind, String) {
    let named = |kind: Kind, essence: &str| (kind, essence.to_owned());
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    let control = |byte: &u8| *byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if !utf16 && head.iter().any(control) {
        return named(Kind::Binary, "application/octet-stream");
    }
    let start = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head).trim_ascii_start();
    let begins = |text: &str| start.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()));
    if ["<!doctype html", "<html", "<head", "<body", "<title", "<script", "<!--", "<h1", "<div", "<p>", "<table"]
        .iter()
        .any(|text| begins(text))
    {
        named(Kind::Html, "text/html")
    } else if begins("<?xml") {
        named(Kind::Xml, "text/xml")
    } else {
        named(Kind::Text, "text/plain")
    }
}
