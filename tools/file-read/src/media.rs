//! What a file is: text, UTF-16 text, or binary with its media type. Content decides; the name only refines.

/// A file's kind, told from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// UTF-8, or mostly.
    Text,
    /// UTF-16 with a byte order mark.
    Utf16(ByteOrder),
    /// Anything else, with its media type (IANA registry).
    Binary(&'static str),
}

/// Which byte of a UTF-16 unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// First bytes that settle it: (offset, bytes, media type).
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP8", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVEfmt ", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"(\xb5/\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
];

/// For binary content that no magic settles, and for the many formats inside a zip: (extension, media type).
const EXTENSIONS: &[(&str, &str)] = &[
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("epub", "application/epub+zip"),
    ("jar", "application/java-archive"),
    ("zip", "application/zip"),
    ("tar", "application/x-tar"),
    ("bmp", "image/bmp"),
    ("mp3", "audio/mpeg"),
    ("woff2", "font/woff2"),
    ("woff", "font/woff"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
];

/// One invalid byte sequence in this many bytes still counts as text: a Latin-1 page, a log with a torn line.
const BYTES_PER_FLAW: usize = 20;

/// Tells what a file is from its first bytes and its name.
pub(crate) fn content(head: &[u8], name: &str) -> Content {
    let found = MAGIC.iter().find(|(at, bytes, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)));
    // "ID3" and "OggS" are also how a text could start: a format that begins with letters alone must not look like text.
    if let Some((_, _, media_type)) = found
        && (head.contains(&0) || !is_text(head) || *media_type == "application/pdf")
    {
        return Content::Binary(media_type);
    }
    match head {
        [0xff, 0xfe, ..] => return Content::Utf16(ByteOrder::Little),
        [0xfe, 0xff, ..] => return Content::Utf16(ByteOrder::Big),
        _ => {}
    }
    if is_text(head) { Content::Text } else { Content::Binary(by_name(head, name)) }
}

fn by_name(head: &[u8], name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let known = EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, media_type)| *media_type);
    let fallback = if head.starts_with(b"PK\x03\x04") { "application/zip" } else { "application/octet-stream" };
    known.unwrap_or(fallback)
}

fn is_text(head: &[u8]) -> bool {
    if head.contains(&0) {
        return false;
    }
    let mut chunks = head.utf8_chunks().peekable();
    let mut flaws = 0;
    while let Some(chunk) = chunks.next() {
        // The head may end within a character: what is torn there is no flaw.
        let torn = chunks.peek().is_none() && chunk.invalid().len() < 4 && head.len() >= 4096;
        flaws += usize::from(!chunk.invalid().is_empty() && !torn);
    }
    flaws * BYTES_PER_FLAW <= head.len()
}
