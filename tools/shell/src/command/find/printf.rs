//! `-printf`

use bstr::ByteSlice;

use super::walk::{Item, name_of};
use crate::fs;
use crate::syntax::ast::Text;

pub(super) fn printed(layout: &[u8], item: &Item<'_>) -> Text {
    let layout = crate::escape::expand(layout, crate::escape::Style::Printf).0;
    let mut out = Text::new();
    let mut bytes = layout.iter();
    let changed = fs::changed(&item.facts);
    let moment = crate::calendar::Moment::new(i64::try_from(changed.as_secs()).unwrap_or(0), changed.subsec_nanos());
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'p') => out.extend_from_slice(item.path),
            Some(b'f') => out.extend_from_slice(name_of(item.path)),
            Some(b'h') => out.extend_from_slice(item.path.rsplit_once_str("/").map_or(&b"."[..], |(folder, _)| folder)),
            Some(b'P') => {
                let rest = item.path.strip_prefix(item.root).unwrap_or_default();
                out.extend_from_slice(rest.strip_prefix(b"/").unwrap_or(rest));
            }
            Some(b's') => out.extend_from_slice(item.facts.len().to_string().as_bytes()),
            Some(b'd') => out.extend_from_slice(item.depth.to_string().as_bytes()),
            Some(b'm') => out.extend_from_slice(format!("{:o}", fs::mode(&item.facts)).as_bytes()),
            Some(b'u' | b'g') => out.extend_from_slice(b"root"),
            Some(b'y') => out.push(if item.facts.is_dir() {
                b'd'
            } else if item.facts.is_symlink() {
                b'l'
            } else {
                b'f'
            }),
            Some(b't') => out.extend_from_slice(moment.format("%a %b %e %H:%M:%S.%N %Y").as_bytes()),
            Some(b'T') => {
                let kind = bytes.next().copied().unwrap_or(b'@');
                let text = match kind {
                    b'@' => format!("{}.{:09}0", moment.seconds, moment.nanoseconds),
                    b'+' => moment.format("%Y-%m-%d+%H:%M:%S.%N0"),
                    other => moment.format(&format!("%{}", char::from(other))),
                };
                out.extend_from_slice(text.as_bytes());
            }
            Some(b'%') => out.push(b'%'),
            Some(other) => out.extend([b'%', *other]),
            None => out.push(b'%'),
        }
    }
    out
}
