//! Words of a command line that is shown to be typed.

use std::path::Path;

use caplet::authority::quote;

use crate::failure::Failure;
use crate::host;

/// `text` as one word of a POSIX shell, without quotes where it needs none.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quote(text) }
}

/// `path` as a word; from the current directory, where it is below that.
pub(crate) fn path_word(path: &Path) -> Result<String, Failure> {
    let shown = match path.strip_prefix(host::current_dir()?) {
        Ok(below) => format!("./{}", below.display()),
        Err(_) => path.display().to_string(),
    };
    Ok(word(&shown))
}
