//! All edits on a text, or the reason why one of them cannot be made.

use std::ops::Range;

use caplet_tool_common::GuestPath;

use crate::{Edit, closest, places};

/// Line numbers listed for a text that occurs more than once.
const MAX_LISTED: usize = 10;

/// Makes all edits in order; gives the new text and the number of places changed.
pub(crate) fn all(path: &GuestPath, before: &str, edits: &[Edit]) -> Result<(String, u32), String> {
    let mut text = before.to_owned();
    let mut replacements = 0_u32;
    for (index, edit) in edits.iter().enumerate() {
        let places = check(edit).and_then(|()| locate(path, &text, edit, before)).map_err(|reason| {
            let which =
                if edits.len() == 1 { String::new() } else { format!("edit {} of {}: ", index + 1, edits.len()) };
            format!("{which}{reason} Nothing was changed.")
        })?;
        text = replace(&text, &places, &edit.new);
        replacements = replacements.saturating_add(u32::try_from(places.len()).unwrap_or(u32::MAX));
    }
    Ok((text, replacements))
}

fn check(edit: &Edit) -> Result<(), String> {
    if edit.old.is_empty() {
        return Err(
            "old_string is empty: give the text to replace, or use file-write to create or fill a file.".to_owned()
        );
    }
    if edit.old == edit.new {
        return Err("old_string and new_string are the same.".to_owned());
    }
    Ok(())
}

fn locate(path: &GuestPath, text: &str, edit: &Edit, before: &str) -> Result<Vec<Range<usize>>, String> {
    let places = places::find(text, &edit.old);
    match places.as_slice() {
        [] => Err(not_found(path, text, edit, before)),
        [only] if !edit.all && places::overlaps(text, &edit.old, only) => {
            Err(ambiguous(path, text, &places, "2 or more places that overlap"))
        }
        [_] => Ok(places),
        more if edit.all => Ok(more.to_vec()),
        more => Err(ambiguous(path, text, more, &format!("{} places", more.len()))),
    }
}

fn ambiguous(path: &GuestPath, text: &str, places: &[Range<usize>], count: &str) -> String {
    let lines: Vec<String> =
        places.iter().take(MAX_LISTED).map(|place| line_number(text, place.start).to_string()).collect();
    let more = if places.len() > MAX_LISTED { ", …" } else { "" };
    format!(
        "old_string occurs in {count} of {path} (line {}{more}): add lines around it until it occurs once, or set replace_all to true.",
        lines.join(", ")
    )
}

fn not_found(path: &GuestPath, text: &str, edit: &Edit, before: &str) -> String {
    let mut reason = format!("old_string does not occur in {path}.");
    if !places::find(before, &edit.old).is_empty() {
        reason.push_str(" It did before the earlier edits of this call: give the text as they leave it.");
        return reason;
    }
    if has_line_numbers(&edit.old) {
        reason.push_str(" It seems to contain line numbers: they are not part of the file, leave them out.");
    } else if !edit.new.trim().is_empty() && !places::find(text, &edit.new).is_empty() {
        reason.push_str(" new_string does: the edit may have been made already.");
    }
    if let Some(region) = closest::region(text, &edit.old) {
        reason.push_str(&region.to_string());
    } else {
        reason.push_str(" Nothing like it does either: read the file with file-read and copy the text exactly.");
    }
    reason
}

/// Whether every line starts with a number and a tab, as `line_numbers` of file-read shows them.
fn has_line_numbers(old: &str) -> bool {
    old.lines().all(|line| {
        line.split_once('\t').is_some_and(|(number, _)| {
            !number.trim().is_empty() && number.trim().bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

fn replace(text: &str, places: &[Range<usize>], new: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        result.push_str(text.get(from..place.start).unwrap_or_default());
        result.push_str(&places::with_endings(new, text.get(place.clone()).unwrap_or_default(), text));
        from = place.end;
    }
    result.push_str(text.get(from..).unwrap_or_default());
    result
}

fn line_number(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
