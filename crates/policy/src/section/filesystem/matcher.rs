//! How a list of file-system rules decides: one pass over the path for all rules.

use regex_syntax::hir::Hir;

use super::{FilesystemRule, FsOp, Mode};
use crate::path::GuestPath;
use crate::pattern::automaton::{Automaton, Size};
use crate::pattern::below::{Below, Continuations};
use crate::pattern::set::{Group, PatternSet, TooMany};
use crate::section::{Allow, Reason};

/// All rules of a section, compiled.
#[derive(Debug)]
pub enum Matcher {
    /// There are no rules: each path is decided alike.
    Uniform(Reason),
    /// All rules fit into one automaton, and every answer is exact.
    Together(Box<Together>),
    /// The rules need several automata. Answers on single paths are exact. Of those on whole directories, [`super::Search`] may
    /// permit a look where the deny rules leave nothing to see, and [`super::WriteTree`] may refuse what several rules only
    /// permit together.
    Apart(Apart),
}

/// All rules in one automaton.
#[derive(Debug)]
pub struct Together {
    automaton: Automaton,
    /// The verdict on reading and on writing, by set of matching rules.
    verdicts: Vec<Verdicts>,
    /// Something at or below can be read, and why.
    readable: Below<Reason>,
    /// Something at or below would be readable but for this deny rule.
    taken: Below<Reason>,
    /// Something at or below cannot be written, and why.
    unwritable: Below<Reason>,
}

#[derive(Debug)]
struct Verdicts {
    read: Reason,
    write: Reason,
}

/// The rules, by the numbers that automata give them: first those that allow, then those that deny.
struct Numbered<'a> {
    everything: bool,
    allow: &'a [FilesystemRule],
    deny: &'a [FilesystemRule],
}

impl Numbered<'_> {
    fn languages(&self) -> Vec<(u32, Hir)> {
        (0..).zip(self.allow.iter().chain(self.deny).map(|rule| rule.glob().hir())).collect()
    }

    /// What the rules of `set` mean for reading or writing.
    fn verdict(&self, set: impl Iterator<Item = u32> + Clone, write: bool) -> Reason {
        let denied = set.clone().find(|&number| self.denies(number, write));
        if let Some(number) = denied {
            return Reason::Deny(number - self.first_deny());
        }
        if self.everything {
            return Reason::Everything;
        }
        let mut set = set;
        set.find(|&number| self.permits(number, write)).map_or(Reason::NoRule, Reason::Allow)
    }

    fn first_deny(&self) -> u32 {
        u32::try_from(self.allow.len()).unwrap_or(u32::MAX)
    }

    fn permits(&self, number: u32, write: bool) -> bool {
        let rule = self.allow.get(number as usize);
        rule.is_some_and(|rule| !write || rule.mode() == Mode::ReadWrite)
    }

    /// Without reading there is no writing, so a rule that denies reading denies both.
    fn denies(&self, number: u32, write: bool) -> bool {
        let rule = number.checked_sub(self.first_deny()).and_then(|number| self.deny.get(number as usize));
        rule.is_some_and(|rule| write || rule.mode() == Mode::ReadOnly)
    }
}

impl Matcher {
    pub(super) fn new(allow: &Allow<FilesystemRule>, deny: &[FilesystemRule]) -> Result<Self, TooMany> {
        let (everything, allow) = match allow {
            Allow::Everything => (true, &[][..]),
            Allow::Rules(rules) => (false, &rules[..]),
        };
        if allow.is_empty() && deny.is_empty() {
            return Ok(Self::Uniform(if everything { Reason::Everything } else { Reason::NoRule }));
        }
        let numbered = Numbered { everything, allow, deny };
        let languages: Vec<Hir> = numbered.languages().into_iter().map(|(_, hir)| hir).collect();
        match Automaton::build(&languages, Size::TOGETHER)
            .ok()
            .and_then(|automaton| Together::new(automaton, &numbered))
        {
            Some(together) => Ok(Self::Together(Box::new(together))),
            None => Apart::new(&numbered).map(Self::Apart),
        }
    }

    pub(super) fn judge(&self, op: &FsOp) -> Reason {
        match self {
            Self::Uniform(reason) => *reason,
            Self::Together(together) => together.judge(op),
            Self::Apart(apart) => apart.judge(op),
        }
    }
}

impl Together {
    fn new(automaton: Automaton, rules: &Numbered<'_>) -> Option<Self> {
        let verdicts: Vec<Verdicts> = automaton
            .sets()
            .map(|set| Verdicts {
                read: rules.verdict(set.iter().copied(), false),
                write: rules.verdict(set.iter().copied(), true),
            })
            .collect();
        // Whether a path would be readable if the rule that denies it were not there.
        let allowed: Vec<bool> = automaton
            .sets()
            .map(|set| rules.everything || set.iter().any(|&number| rules.permits(number, false)))
            .collect();
        let graph = Continuations::new(&automaton)?;
        let readable = graph.find(|set| verdicts.get(set).map(|found| found.read).filter(|reason| reason.permits()));
        let taken = graph.find(|set| {
            let denied = verdicts.get(set).map(|found| found.read).filter(|reason| matches!(reason, Reason::Deny(_)));
            denied.filter(|_| allowed.get(set) == Some(&true))
        });
        let unwritable =
            graph.find(|set| verdicts.get(set).map(|found| found.write).filter(|reason| !reason.permits()));
        drop(graph);
        Some(Self { automaton, verdicts, readable, taken, unwritable })
    }

    fn judge(&self, op: &FsOp) -> Reason {
        let path = op.path();
        let state = self.automaton.run(self.automaton.start(), path.as_str().as_bytes());
        let here = |write: bool| {
            let verdicts = self.verdicts.get(self.automaton.set(state));
            verdicts.map_or(Reason::NoRule, |found| if write { found.write } else { found.read })
        };
        match op {
            FsOp::Read(_) => here(false),
            FsOp::Write(_) => here(true),
            FsOp::Search(_) => {
                let readable = self.readable.at(state, path.is_root());
                readable.or_else(|| self.taken.at(state, path.is_root())).unwrap_or(Reason::NoRule)
            }
            FsOp::WriteTree(_) => self.unwritable.at(state, path.is_root()).unwrap_or_else(|| here(true)),
        }
    }
}

/// Rules in several automata, those that allow apart from those that deny.
#[derive(Debug)]
pub struct Apart {
    everything: bool,
    modes: Vec<Mode>,
    first_deny: u32,
    allow: Vec<ApartGroup>,
    deny: Vec<ApartGroup>,
}

#[derive(Debug)]
struct ApartGroup {
    group: Group,
    /// A rule of the group that matches something at or below.
    some: Below<u32>,
    /// A rule of the group with mode `read-write` (of those that allow) or any mode (of those that deny) is missing somewhere.
    not_all: Below<()>,
}

impl Apart {
    fn new(rules: &Numbered<'_>) -> Result<Self, TooMany> {
        let mut languages = rules.languages();
        let deny = languages.split_off(rules.allow.len());
        let modes: Vec<Mode> = rules.allow.iter().chain(rules.deny).map(FilesystemRule::mode).collect();
        // What covers a whole directory: to write, for rules that allow; to deny reading, for rules that deny.
        let covers = |number: u32| match rules.first_deny() {
            first_deny if number < first_deny => rules.permits(number, true),
            _ => rules.denies(number, false),
        };
        let groups = |languages: &[(u32, Hir)]| {
            let set = PatternSet::build(languages)?;
            set.groups.into_iter().map(|group| ApartGroup::new(group, covers)).collect::<Result<Vec<_>, TooMany>>()
        };
        Ok(Self {
            everything: rules.everything,
            allow: groups(&languages)?,
            deny: groups(&deny)?,
            modes,
            first_deny: rules.first_deny(),
        })
    }

    fn judge(&self, op: &FsOp) -> Reason {
        let path = op.path();
        match op {
            FsOp::Read(_) => self.here(path, false),
            FsOp::Write(_) => self.here(path, true),
            FsOp::Search(_) => self.search(path),
            FsOp::WriteTree(_) => self.write_tree(path),
        }
    }

    fn denial(&self, number: u32) -> Reason {
        Reason::Deny(number.saturating_sub(self.first_deny))
    }

    fn mode(&self, number: u32) -> Option<Mode> {
        self.modes.get(number as usize).copied()
    }

    fn here(&self, path: &GuestPath, write: bool) -> Reason {
        let denied = self
            .deny
            .iter()
            .flat_map(|group| group.matches(path))
            .filter(|&number| write || self.mode(number) == Some(Mode::ReadOnly));
        if let Some(number) = denied.min() {
            return self.denial(number);
        }
        if self.everything {
            return Reason::Everything;
        }
        let allowed = self
            .allow
            .iter()
            .flat_map(|group| group.matches(path))
            .filter(|&number| !write || self.mode(number) == Some(Mode::ReadWrite));
        allowed.min().map_or(Reason::NoRule, Reason::Allow)
    }

    fn search(&self, path: &GuestPath) -> Reason {
        let covering = self.deny.iter().find(|group| group.covers(path)).and_then(|group| group.some(path));
        if let Some(number) = covering {
            return self.denial(number);
        }
        if self.everything {
            return Reason::Everything;
        }
        self.allow.iter().find_map(|group| group.some(path)).map_or(Reason::NoRule, Reason::Allow)
    }

    fn write_tree(&self, path: &GuestPath) -> Reason {
        if let Some(number) = self.deny.iter().find_map(|group| group.some(path)) {
            return self.denial(number);
        }
        if self.everything {
            return Reason::Everything;
        }
        let covered = self.allow.iter().any(|group| group.covers(path));
        if covered { self.here(path, true) } else { Reason::NoRule }
    }
}

impl ApartGroup {
    fn new(group: Group, covers: impl Fn(u32) -> bool) -> Result<Self, TooMany> {
        let sets: Vec<Vec<u32>> = group
            .automaton
            .sets()
            .map(|set| set.iter().filter_map(|&pattern| group.members.get(pattern as usize).copied()).collect())
            .collect();
        let graph = Continuations::new(&group.automaton).ok_or(TooMany)?;
        let some = graph.find(|set| sets.get(set).and_then(|set| set.first().copied()));
        let not_all = graph.find(|set| {
            let is_covered = sets.get(set).is_some_and(|set| set.iter().any(|&number| covers(number)));
            (!is_covered).then_some(())
        });
        drop(graph);
        Ok(Self { group, some, not_all })
    }

    fn state(&self, path: &GuestPath) -> u32 {
        self.group.automaton.run(self.group.automaton.start(), path.as_str().as_bytes())
    }

    fn matches(&self, path: &GuestPath) -> impl Iterator<Item = u32> {
        let set = self.group.automaton.matches(self.state(path));
        set.iter().filter_map(|&pattern| self.group.members.get(pattern as usize).copied())
    }

    fn some(&self, path: &GuestPath) -> Option<u32> {
        self.some.at(self.state(path), path.is_root())
    }

    fn covers(&self, path: &GuestPath) -> bool {
        self.not_all.at(self.state(path), path.is_root()).is_none()
    }
}
