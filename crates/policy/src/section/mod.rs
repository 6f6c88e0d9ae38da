//! One file a capability: its ops, its rules, and how a list of rules decides on an op.
//!
//! The list of capabilities stands in [`for_each_section`]; the layer, the rule, the op and every place that handles all of them
//! are made from it, so a capability that is in the list but lacks a part does not compile.

pub(crate) mod assignment;
pub(crate) mod clocks;
pub(crate) mod config;
pub(crate) mod environment;
pub(crate) mod filesystem;
pub(crate) mod http;
pub(crate) mod keyvalue;
pub(crate) mod name;
pub(crate) mod random;
pub(crate) mod rules;
pub(crate) mod secrets;
pub(crate) mod text_matcher;
pub(crate) mod tools;

use std::fmt::{Debug, Display};
use std::hash::Hash;

use crate::any_op::AnyOp;
use crate::class::Class;
use crate::layer::Sections;
use crate::pattern::set::TooMany;
use crate::policy::Policy;
use regex_syntax::hir::Hir;

pub use rules::{Allow, Rules};

/// Calls a macro with the list of all capabilities: field, class, section, op, rule.
macro_rules! for_each_section {
    ($macro:ident) => {
        $macro! {
            filesystem: Filesystem, FilesystemSection, FsOp, FilesystemRule;
            http: Http, HttpSection, HttpOp, HttpRule;
            keyvalue: KeyValue, KeyValueSection, KeyValueOp, KeyValueRule;
            environment: Environment, EnvironmentSection, EnvironmentOp, EnvironmentRule;
            config: Config, ConfigSection, ConfigOp, ConfigRule;
            clocks: Clocks, ClocksSection, ClockOp, ClockRule;
            random: Random, RandomSection, RandomOp, RandomRule;
            secrets: Secrets, SecretsSection, SecretOp, SecretRule;
            tools: Tools, ToolsSection, ToolOp, ToolRule;
        }
    };
}
pub(crate) use for_each_section;

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// One capability: what is asked for, and what a rule says. The types that implement it are only names; there are nine.
pub trait Section: sealed::Sealed + Debug + Sized + Send + Sync + 'static {
    /// What a guest can ask for.
    type Op: Clone + Debug + Display + Eq + Hash + Into<AnyOp> + Send + Sync;
    /// One line of a section. Its text is the short form of a grant.
    type Rule: Clone + Debug + Display + Eq + Send + Sync;
    /// The class in manifests and reports.
    const CLASS: Class;

    #[doc(hidden)]
    type Matcher: Debug + Send + Sync;

    #[doc(hidden)]
    fn rules(sections: &Sections) -> &Rules<Self>;

    #[doc(hidden)]
    fn compile(allow: &Allow<Self::Rule>, deny: &[Self::Rule]) -> Result<Self::Matcher, TooMany>;

    #[doc(hidden)]
    fn judge(matcher: &Self::Matcher, rules: &Rules<Self>, op: &Self::Op) -> Reason;

    /// The rule that would permit `op`, in the short form of a grant; `None` where no rule can.
    #[doc(hidden)]
    fn suggestion(op: &Self::Op) -> Option<String>;

    /// The rule that would permit `op` and as little besides as a rule can, in the short form.
    #[doc(hidden)]
    fn narrowest(op: &Self::Op) -> Option<String> {
        Self::suggestion(op)
    }

    /// Whether `op` gives nothing by itself, so that where rules say to ask, only what it leads to is asked about.
    #[doc(hidden)]
    fn follows(_op: &Self::Op) -> bool {
        false
    }

    // What follows is for proofs. An op is written as one text, so that what a rule is about is a language.

    /// The texts of all ops on single things.
    #[doc(hidden)]
    fn universe() -> Hir;

    /// The texts of the ops that `rule` permits, where none of them is [`Reserved`].
    #[doc(hidden)]
    fn permitted_by(rule: &Self::Rule) -> Hir;

    /// The texts of the ops that `rule` denies.
    #[doc(hidden)]
    fn denied_by(rule: &Self::Rule) -> Hir;

    /// The op that `text` stands for.
    #[doc(hidden)]
    fn decode(text: &str) -> Option<Self::Op>;

    /// Texts of ops that only some allow rules permit.
    #[doc(hidden)]
    fn reserved() -> Vec<Reserved<Self>> {
        Vec::new()
    }

    /// The rule that holds in a layer without allow rules.
    #[doc(hidden)]
    fn default_rule() -> Option<Self::Rule> {
        None
    }

    /// Ops that show the same as `op` to a reader, and better.
    #[doc(hidden)]
    fn nicer(_op: &Self::Op) -> Vec<Self::Op> {
        Vec::new()
    }

    /// The op that is meant under `policy`, where an op leaves something out that the policy settles.
    #[doc(hidden)]
    fn settled(_policy: &Policy, _op: &Self::Op) -> Option<Self::Op> {
        None
    }
}

/// Texts of ops that a rule permits only if it says so.
#[derive(Debug)]
#[doc(hidden)]
pub struct Reserved<S: Section> {
    pub(crate) language: Hir,
    /// Whether a rule opens them; without a function none does, and neither does a layer without bounds.
    pub(crate) opened_by: Option<fn(&S::Rule) -> bool>,
}

/// Why one layer permits or refuses an op. Small, because every check makes one for each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(hidden)]
pub enum Reason {
    /// The layer has no bounds here.
    Everything,
    /// The layer has no rule here, and the built-in default permits the op.
    Default,
    /// The allow rule of this number.
    Allow(u32),
    /// Somebody has to be asked: the ask rule of this number, or several rules together.
    Ask(Option<u32>),
    /// It gives nothing that is not asked about by itself: the ask rule of this number, or several rules together, lead further.
    Follows(Option<u32>),
    /// The deny rule of this number.
    Deny(u32),
    /// No rule matches.
    NoRule,
    /// Rules permit the request, but none names the address that it would go to.
    NotNamed,
    /// A secret over plain http to another machine.
    NotEncrypted,
    /// The op is never permitted, whatever the rules say.
    Never,
    /// The layer has more rules than can be compiled, so it permits nothing.
    TooManyRules,
}

impl Reason {
    pub(crate) fn permits(self) -> bool {
        match self {
            Self::Everything | Self::Default | Self::Allow(_) | Self::Follows(_) => true,
            Self::Ask(_)
            | Self::Deny(_)
            | Self::NoRule
            | Self::NotNamed
            | Self::NotEncrypted
            | Self::Never
            | Self::TooManyRules => false,
        }
    }

    /// Whether it depends on what somebody answers.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Ask(_))
    }

    /// Whether the op is permitted, or would be if somebody said so.
    pub(crate) fn may_permit(self) -> bool {
        self.permits() || self.asks()
    }

    /// The verdict of plain lists: the first deny rule that matches, else the first allow rule.
    pub(crate) fn of_lists<R>(
        allow: &Allow<R>,
        deny: &[R],
        denies: impl Fn(&R) -> bool,
        permits: impl Fn(&R) -> bool,
    ) -> Self {
        if let Some((number, _)) = (0..).zip(deny).find(|(_, rule)| denies(rule)) {
            return Self::Deny(number);
        }
        match allow {
            Allow::Everything => Self::Everything,
            Allow::Rules(rules) => {
                let found = (0..).zip(rules).find(|(_, rule)| permits(rule));
                found.map_or(Self::NoRule, |(number, _)| Self::Allow(number))
            }
        }
    }
}
