//! The options of `set` and `shopt`.

/// Which options are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options(u32);

/// An option: its letter for `set`, if it has one, and its name.
pub(crate) struct Entry {
    pub(crate) letter: Option<u8>,
    pub(crate) name: &'static str,
    /// It belongs to `shopt`.
    pub(crate) shopt: bool,
}

const fn set(letter: u8, name: &'static str) -> Entry {
    Entry { letter: Some(letter), name, shopt: false }
}

const fn shopt(name: &'static str) -> Entry {
    Entry { letter: None, name, shopt: true }
}

/// All options that have an effect, in the order of their bits.
pub(crate) const ALL: [Entry; 15] = [
    set(b'e', "errexit"),
    set(b'u', "nounset"),
    set(b'x', "xtrace"),
    set(b'f', "noglob"),
    set(b'C', "noclobber"),
    set(b'n', "noexec"),
    set(b'a', "allexport"),
    set(b'E', "errtrace"),
    Entry { letter: None, name: "pipefail", shopt: false },
    shopt("nullglob"),
    shopt("failglob"),
    shopt("dotglob"),
    shopt("globstar"),
    shopt("nocaseglob"),
    shopt("nocasematch"),
];

/// Options that scripts set and that change nothing here.
pub(crate) const INERT: [&str; 12] = [
    "extglob",
    "expand_aliases",
    "lastpipe",
    "inherit_errexit",
    "hashall",
    "braceexpand",
    "posix",
    "monitor",
    "notify",
    "physical",
    "checkwinsize",
    "sourcepath",
];

impl Options {
    fn bit(name: &str) -> u32 {
        ALL.iter().position(|entry| entry.name == name).map_or(0, |at| 1 << at)
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.0 & Self::bit(name) != 0
    }

    pub(crate) fn put(&mut self, name: &str, on: bool) {
        let bit = Self::bit(name);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    pub(crate) fn errexit(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) fn nounset(self) -> bool {
        self.0 & 2 != 0
    }

    pub(crate) fn xtrace(self) -> bool {
        self.0 & 4 != 0
    }

    /// The letters of `$-`.
    pub(crate) fn letters(self) -> String {
        let on = ALL.iter().enumerate().filter(|(at, _)| self.0 & (1 << at) != 0);
        let letters: String = on.filter_map(|(_, entry)| entry.letter.map(char::from)).collect();
        format!("{letters}hB")
    }
}
