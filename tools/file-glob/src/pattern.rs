//! A glob, split into the directory it starts from and what has to match below it.

use caplet_tool_common::glob::Glob;
use caplet_tool_common::walk::Kind;

/// A parsed pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// The directories at its start that contain no glob characters, as written; empty if there are none.
    pub(crate) base: String,
    /// The rest, which is matched.
    pub(crate) rest: String,
    /// How deep a match can lie; none with `**`.
    pub(crate) max_depth: Option<usize>,
    only_directories: bool,
    glob: Glob,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(
                "pattern is empty: use `*` for what is directly in the directory, `**/*` for all files below it."
                    .to_owned(),
            );
        }
        let (base, rest) = split(text);
        let only_directories = rest.ends_with('/') || rest.is_empty();
        let rest = match rest.trim_end_matches('/') {
            "" => "*",
            rest => rest,
        };
        if rest.split('/').any(|part| part == "..") {
            return Err("pattern has `..` after a glob character: put the directory into path instead.".to_owned());
        }
        let glob = Glob::parse(rest).map_err(|reason| format!("pattern is no glob: {reason}."))?;
        let max_depth = (!rest.contains("**")).then(|| 1 + rest.matches('/').count());
        Ok(Self { base, rest: rest.to_owned(), max_depth, only_directories, glob })
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.glob.matches(path)
    }

    /// A listing (no `**`) shows directories; a search does not, or it would show every directory on the way.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        if kind == Kind::Directory { self.only_directories || self.max_depth.is_some() } else { !self.only_directories }
    }
}

/// Splits off the directories before the first glob character.
fn split(text: &str) -> (String, &str) {
    if text.bytes().all(|byte| byte == b'/') {
        return ("/".to_owned(), "");
    }
    let literal = text.find(['*', '?', '[', '{', '\\']).unwrap_or(text.trim_end_matches('/').len());
    let Some(slash) = text.get(..literal).and_then(|head| head.rfind('/')) else { return (String::new(), text) };
    let (base, rest) = text.split_at(slash + 1);
    let base = base.trim_end_matches('/');
    (if base.is_empty() { "/" } else { base }.to_owned(), rest)
}
