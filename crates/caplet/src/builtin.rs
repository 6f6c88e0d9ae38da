//! The tools that come with Caplet: components built from `tools/`, held in the program itself.

/// A tool that comes with Caplet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its component.
    pub bytes: &'static [u8],
}

/// Names and components, in the order of their names.
const LIST: &[(&str, &[u8])] = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/built/list.rs"));

/// All of them, by name.
pub(crate) fn all() -> impl ExactSizeIterator<Item = BuiltIn> {
    LIST.iter().map(|&(name, bytes)| BuiltIn { name, bytes })
}

/// The built-in tool called `name`.
pub(crate) fn find(name: &str) -> Option<BuiltIn> {
    all().find(|tool| tool.name == name)
}

/// The built-in tool whose name is nearest to `name`, if one is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(name, all().map(|tool| tool.name))
}

/// The one of `names` that is nearest to `name`, if one is near.
pub(crate) fn nearest_of<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    /// As similar as `file-raed` and `file-read`; below this, a suggestion is noise.
    const SIMILAR: f64 = 0.75;
    let score = |known: &str| {
        if shares_words(name, known) { 1.0 } else { strsim::normalized_damerau_levenshtein(name, known) }
    };
    names
        .into_iter()
        .map(|known| (score(known), known))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// People turn a name around, write it with an underscore, or leave half of it out: `read_file`, `grep`.
fn shares_words(asked: &str, name: &str) -> bool {
    let words = |text: &str| {
        let mut words: Vec<_> = text.split(['-', '_']).map(str::to_ascii_lowercase).collect();
        words.sort();
        words
    };
    let (asked, name) = (words(asked), words(name));
    asked == name || matches!(asked.as_slice(), [only] if only != "file" && name.contains(only))
}
