//! The rules of one capability in one layer: what is allowed, what is taken away, what is asked about, and the automata made of them.
//!
//! Deny wins, then allow, then ask: an ask rule is looked at only where the others do not permit, and never brings back what is denied.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{Reason, Section};
use crate::pattern::set::{MOST_RULES, TooMany};

/// What a section allows before its deny rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow<R> {
    /// No bounds: this layer leaves the decision to the others.
    Everything,
    /// What one of these rules permits; with no rule, nothing.
    Rules(Vec<R>),
}

/// The rules of one capability in one layer. A new one permits nothing.
pub struct Rules<S: Section> {
    allow: Allow<S::Rule>,
    deny: Vec<S::Rule>,
    ask: Vec<S::Rule>,
    matcher: OnceLock<Result<Arc<S::Matcher>, TooMany>>,
    /// The same with the ask rules behind the allow rules.
    if_asked: OnceLock<Arc<Self>>,
}

impl<S: Section> Rules<S> {
    pub(crate) fn nothing() -> Self {
        Self::new(Allow::Rules(Vec::new()), Vec::new())
    }

    fn new(allow: Allow<S::Rule>, deny: Vec<S::Rule>) -> Self {
        Self { allow, deny, ask: Vec::new(), matcher: OnceLock::new(), if_asked: OnceLock::new() }
    }

    pub(crate) fn everything() -> Self {
        Self::new(Allow::Everything, Vec::new())
    }

    /// What is allowed, before the deny rules.
    #[must_use]
    pub fn allow(&self) -> &Allow<S::Rule> {
        &self.allow
    }

    /// The allow rules; none where everything is allowed.
    #[must_use]
    pub fn allowed(&self) -> &[S::Rule] {
        match &self.allow {
            Allow::Everything => &[],
            Allow::Rules(rules) => rules,
        }
    }

    /// What is taken away. Deny wins over allow.
    #[must_use]
    pub fn denied(&self) -> &[S::Rule] {
        &self.deny
    }

    /// What somebody is asked about, where nothing else permits or denies it.
    #[must_use]
    pub fn asked(&self) -> &[S::Rule] {
        &self.ask
    }

    /// Whether the section has no rule that allows or asks, so that nothing is permitted but what a capability has by default.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ask.is_empty() && self.allows_nothing()
    }

    /// Whether the section has no allow rule.
    pub(crate) fn allows_nothing(&self) -> bool {
        self.allow != Allow::Everything && self.allowed().is_empty()
    }

    /// Adds an allow rule. Where everything is allowed already, it stays so.
    pub(crate) fn add_allow(&mut self, rule: S::Rule) {
        if let Allow::Rules(rules) = &mut self.allow {
            add(rules, rule);
            self.forget();
        }
    }

    pub(crate) fn add_deny(&mut self, rule: S::Rule) {
        add(&mut self.deny, rule);
        self.forget();
    }

    pub(crate) fn add_ask(&mut self, rule: S::Rule) {
        add(&mut self.ask, rule);
        self.forget();
    }

    /// Turns “everything” into an empty list of rules.
    pub(crate) fn restrict(&mut self) {
        if self.allow == Allow::Everything {
            self.allow = Allow::Rules(Vec::new());
            self.forget();
        }
    }

    /// What was made of other rules.
    fn forget(&mut self) {
        (self.matcher, self.if_asked) = (OnceLock::new(), OnceLock::new());
    }

    /// The rules as they would be if each ask rule were an allow rule; those come last.
    pub(crate) fn if_asked(&self) -> &Self {
        if self.ask.is_empty() || self.allow == Allow::Everything {
            return self;
        }
        self.if_asked.get_or_init(|| {
            let rules = self.allowed().iter().chain(&self.ask).cloned().collect();
            Arc::new(Self::new(Allow::Rules(rules), self.deny.clone()))
        })
    }

    pub(crate) fn matcher(&self) -> Result<&S::Matcher, TooMany> {
        let compiled = self.matcher.get_or_init(|| {
            if self.allowed().len() + self.deny.len() > MOST_RULES {
                return Err(TooMany);
            }
            S::compile(&self.allow, &self.deny).map(Arc::new)
        });
        compiled.as_deref().map_err(|too_many| *too_many)
    }

    pub(crate) fn decide(&self, op: &S::Op) -> Reason {
        let plain = self.decide_unasked(op);
        if self.ask.is_empty() || plain.permits() {
            return plain;
        }
        match self.if_asked().decide_unasked(op) {
            Reason::Allow(number) => {
                // Where an allow rule had a part in it, no one rule says to ask.
                let allowed = u32::try_from(self.allowed().len()).unwrap_or(u32::MAX);
                let rule = number.checked_sub(allowed);
                if S::follows(op) { Reason::Follows(rule) } else { Reason::Ask(rule) }
            }
            reason => reason,
        }
    }

    fn decide_unasked(&self, op: &S::Op) -> Reason {
        match self.matcher() {
            Ok(matcher) => S::judge(matcher, self, op),
            Err(TooMany) => Reason::TooManyRules,
        }
    }

    /// The canonical text of what `reason` names.
    pub(crate) fn text(&self, reason: Reason) -> String {
        let rule = match reason {
            Reason::Everything => return "everything".to_owned(),
            Reason::Default => return "built-in default".to_owned(),
            Reason::NoRule => return "no matching rule".to_owned(),
            Reason::NotNamed => return "no rule that names the address".to_owned(),
            Reason::NotEncrypted => return "never over plain http".to_owned(),
            Reason::Never => return "never permitted".to_owned(),
            Reason::TooManyRules => return format!("more than {MOST_RULES} rules, or too complex together"),
            Reason::Allow(number) => self.allowed().get(number as usize),
            Reason::Deny(number) => self.deny.get(number as usize),
            Reason::Ask(number) | Reason::Follows(number) => {
                let rule = number.and_then(|number| self.ask.get(number as usize));
                return rule.map_or_else(|| "ask, by several rules together".to_owned(), |rule| format!("ask {rule}"));
            }
        };
        rule.map(ToString::to_string).unwrap_or_default()
    }
}

/// Adds a rule that is not there yet. One more than there may be marks the list as too long; what comes after changes nothing.
fn add<R: Eq>(rules: &mut Vec<R>, rule: R) {
    if rules.len() <= MOST_RULES && !rules.contains(&rule) {
        rules.push(rule);
    }
}

impl<S: Section> Clone for Rules<S> {
    fn clone(&self) -> Self {
        let Self { allow, deny, ask, matcher, if_asked } = self;
        Self {
            allow: allow.clone(),
            deny: deny.clone(),
            ask: ask.clone(),
            matcher: matcher.clone(),
            if_asked: if_asked.clone(),
        }
    }
}

impl<S: Section> fmt::Debug for Rules<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Rules");
        shown.field("allow", &self.allow).field("deny", &self.deny).field("ask", &self.ask).finish_non_exhaustive()
    }
}

impl<S: Section> PartialEq for Rules<S> {
    fn eq(&self, other: &Self) -> bool {
        self.allow == other.allow && self.deny == other.deny && self.ask == other.ask
    }
}

impl<S: Section> Eq for Rules<S> {}
