//! A walk over a tree: sorted, depth first, under the tree's `.gitignore` files, bounded in memory.
//!
//! It follows no links, never enters `.git`, keeps one directory open at a time, and holds the names of the directories on its
//! way down only. What it may not or cannot list is counted, not an error: a tree that is granted in part can be searched in part.

mod rules;

use std::cmp::Ordering;
use std::io;

use crate::failure::is_refusal;
use crate::path::GuestPath;
use crate::store;
pub use crate::store::Kind;
use crate::text::plural;
use rules::Rules;

/// Entries that one walk looks at: beyond it the answer would come too late to be of use.
const MAX_ENTRIES: u64 = 2_000_000;
/// Names held of one directory: about 64 MiB, a quarter of the default memory limit.
const MAX_NAMES: usize = 1_000_000;
/// Directories below each other: a path of [`crate::path::MAX_PATH`] bytes is never deeper than this in practice.
const MAX_DEPTH: usize = 512;

/// One thing below the root of a walk.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it is.
    pub path: GuestPath,
    /// What it is.
    pub kind: Kind,
}

/// How to walk.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Also what `.gitignore` files exclude.
    pub ignored: bool,
    /// How many levels below the root; none means all.
    pub max_depth: Option<usize>,
    /// Leave out all that comes before this path (relative to the root) in the order of the walk.
    pub from: Option<String>,
}

/// What a walk left out, and why.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    visited: u64,
    refused: u64,
    first_refused: Option<String>,
    failed: u64,
    first_failed: Option<String>,
    cut: bool,
}

impl Tally {
    /// Counts a path that could not be looked at.
    pub fn count(&mut self, path: &GuestPath, error: &io::Error) {
        if is_refusal(error) {
            self.refused += 1;
            self.first_refused.get_or_insert_with(|| path.to_string());
        } else {
            self.failed += 1;
            self.first_failed.get_or_insert_with(|| format!("{path}: {error}"));
        }
    }

    /// The sentences for what was left out; empty if nothing was.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(first) = &self.first_refused {
            let paths = plural(self.refused, "path");
            notices.push(format!("{paths} left out because the operator has not granted reading (first: {first})."));
        }
        if let Some(first) = &self.first_failed {
            notices.push(format!("{} left out because of errors (first: {first}).", plural(self.failed, "path")));
        }
        if self.cut {
            notices.push("The tree is too large or too deep to be seen whole: give a narrower path.".to_owned());
        }
        notices
    }
}

/// A running walk; an iterator over its entries, directories before what they hold.
#[derive(Debug)]
pub struct Walk {
    options: Options,
    root: GuestPath,
    outer: Vec<Rules>,
    frames: Vec<Frame>,
    tally: Tally,
}

#[derive(Debug)]
struct Frame {
    directory: GuestPath,
    children: std::vec::IntoIter<(String, Kind)>,
    rules: Option<Rules>,
}

impl Walk {
    /// Starts at the directory `root`. The `.gitignore` files above it count up to its repository's top, or up to `cwd`.
    ///
    /// # Errors
    /// The root cannot be listed.
    pub fn new(root: &GuestPath, cwd: &GuestPath, options: Options) -> io::Result<Self> {
        let outer = if options.ignored { Vec::new() } else { rules::above(root, cwd) };
        let mut walk = Self { options, root: root.clone(), outer, frames: Vec::new(), tally: Tally::default() };
        walk.enter(root.clone())?;
        Ok(walk)
    }

    /// What has been left out so far.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn enter(&mut self, directory: GuestPath) -> io::Result<()> {
        let listing = list(&directory)?;
        self.tally.cut |= listing.cut;
        let rules = if listing.has_rules && !self.options.ignored { Rules::read(&directory) } else { None };
        self.frames.push(Frame { directory, children: listing.children.into_iter(), rules });
        Ok(())
    }

    fn excluded(&self, entry: &Entry) -> bool {
        let inner = self.frames.iter().rev().filter_map(|frame| frame.rules.as_ref());
        !self.options.ignored && inner.chain(self.outer.iter()).find_map(|rules| rules.excludes(entry)).unwrap_or(false)
    }

    /// Whether this entry and all below it come before the place to start from.
    fn is_past(&self, entry: &Entry) -> bool {
        let Some((from, here)) = self.options.from.as_deref().zip(entry.path.below(&self.root)) else { return false };
        order(here, from) == Ordering::Less && !(entry.kind == Kind::Directory && is_above(here, from))
    }

    fn descend(&mut self, entry: &Entry) {
        if self.options.max_depth.is_some_and(|max| self.frames.len() >= max) {
            return;
        }
        if self.frames.len() >= MAX_DEPTH {
            self.tally.cut = true;
            return;
        }
        if let Err(error) = self.enter(entry.path.clone()) {
            self.tally.count(&entry.path, &error);
        }
    }
}

impl Iterator for Walk {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let frame = self.frames.last_mut()?;
            let Some((name, kind)) = frame.children.next() else {
                self.frames.pop();
                continue;
            };
            let entry = Entry { path: frame.directory.child(&name), kind };
            self.tally.visited += 1;
            if self.tally.visited > MAX_ENTRIES {
                self.tally.cut = true;
                return None;
            }
            if self.is_past(&entry) || self.excluded(&entry) {
                continue;
            }
            if kind == Kind::Directory {
                self.descend(&entry);
            }
            return Some(entry);
        }
    }
}

/// The order of a walk: by components, each by its bytes.
#[must_use]
pub fn order(left: &str, right: &str) -> Ordering {
    left.split('/').cmp(right.split('/'))
}

fn is_above(directory: &str, path: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

struct Listing {
    children: Vec<(String, Kind)>,
    has_rules: bool,
    cut: bool,
}

fn list(directory: &GuestPath) -> io::Result<Listing> {
    let mut listing = Listing { children: Vec::new(), has_rules: false, cut: false };
    store::list(directory, |name, kind| {
        listing.cut = listing.children.len() == MAX_NAMES;
        listing.has_rules |= name == rules::FILE;
        if !listing.cut && name != ".git" {
            listing.children.push((name, kind));
        }
        !listing.cut
    })?;
    listing.children.sort_unstable();
    Ok(listing)
}
