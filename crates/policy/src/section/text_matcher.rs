//! Rules that pair a glob with things that are compared as they are: URLs and keys.

use super::{Allow, Reason, Rules, Section};
use crate::pattern::glob::Glob;
use crate::pattern::set::{PatternSet, TooMany};

/// The globs of a list of rules, compiled: which rules a text could be about. Everything else of a rule is compared directly.
#[derive(Debug)]
pub struct TextMatcher {
    globs: PatternSet,
    first_deny: u32,
}

impl TextMatcher {
    pub(super) fn new<R>(allow: &Allow<R>, deny: &[R], glob: impl Fn(&R) -> &Glob) -> Result<Self, TooMany> {
        let allow = match allow {
            Allow::Everything => &[][..],
            Allow::Rules(rules) => &rules[..],
        };
        let globs: Vec<_> = (0..).zip(allow.iter().chain(deny).map(|rule| glob(rule).hir())).collect();
        Ok(Self { globs: PatternSet::build(&globs)?, first_deny: u32::try_from(allow.len()).map_err(|_| TooMany)? })
    }

    /// The allow rules that `text` matches and of which `permits` says that they permit the rest of the op, in their order, with
    /// their numbers. Deny rules are not looked at.
    pub(in crate::section) fn allowed<'r, S: Section>(
        &self,
        rules: &'r Rules<S>,
        text: &str,
        permits: impl Fn(&S::Rule) -> bool,
    ) -> Vec<(u32, &'r S::Rule)> {
        let mut found: Vec<(u32, &S::Rule)> = Vec::new();
        self.globs.each_match(text.as_bytes(), |number| {
            let rule = Some(number).filter(|number| *number < self.first_deny);
            let rule = rule.and_then(|number| rules.allowed().get(number as usize));
            found.extend(rule.filter(|rule| permits(rule)).map(|rule| (number, rule)));
        });
        found.sort_unstable_by_key(|(number, _)| *number);
        found.dedup_by_key(|(number, _)| *number);
        found
    }

    /// The verdict of `rules` on `text`, where `permits` and `denies` say what a rule means for the rest of the op.
    pub(super) fn judge<S: Section>(
        &self,
        rules: &Rules<S>,
        text: &str,
        permits: impl Fn(&S::Rule) -> bool,
        denies: impl Fn(&S::Rule) -> bool,
    ) -> Reason {
        let mut denied: Option<u32> = None;
        let mut allowed: Option<u32> = None;
        let first = |slot: &mut Option<u32>, number: u32| *slot = Some(slot.map_or(number, |found| found.min(number)));
        self.globs.each_match(text.as_bytes(), |number| match number.checked_sub(self.first_deny) {
            Some(number) if rules.denied().get(number as usize).is_some_and(&denies) => first(&mut denied, number),
            None if rules.allowed().get(number as usize).is_some_and(&permits) => first(&mut allowed, number),
            Some(_) | None => {}
        });
        match (denied, allowed, rules.allow()) {
            (Some(number), _, _) => Reason::Deny(number),
            (None, _, Allow::Everything) => Reason::Everything,
            (None, Some(number), _) => Reason::Allow(number),
            (None, None, _) => Reason::NoRule,
        }
    }
}
