//! A layer: all that one author of authority permits and takes away.
//!
//! What always holds: a new layer permits nothing; adding a deny rule narrows it; its order of rules does not matter for what it
//! permits. Deny wins over allow, and both win over ask.

use std::fmt;
use std::sync::Arc;

use crate::class::Class;
use crate::rule::{CannotAsk, Rule};
use crate::section::clocks::ClocksSection;
use crate::section::config::ConfigSection;
use crate::section::environment::EnvironmentSection;
use crate::section::filesystem::FilesystemSection;
use crate::section::http::HttpSection;
use crate::section::keyvalue::KeyValueSection;
use crate::section::random::RandomSection;
use crate::section::secrets::SecretsSection;
use crate::section::tools::ToolsSection;
use crate::section::{Allow, Rules, Section, for_each_section};

/// Who a layer speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LayerKind {
    /// The tool's author: the ceiling.
    Manifest,
    /// The operator: the grant.
    Operator,
    /// What the operator's toolbox takes from one function of a tool.
    Function,
    /// A project's own file that the operator has not trusted: it can only narrow.
    Project,
    /// A session's own narrowing.
    Session,
    /// One call's own narrowing.
    Call,
    /// This host, for what it does not offer.
    Host,
}

impl LayerKind {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Operator => "operator",
            Self::Function => "function",
            Self::Project => "project",
            Self::Session => "session",
            Self::Call => "call",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded as the caller asks.
        f.pad(self.as_str())
    }
}

impl serde::Serialize for LayerKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A section of a layer has more rules than can be compiled. Such a section permits nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {class} rules of the {kind} layer are too many, or too complex together: it permits nothing of that class"
)]
#[non_exhaustive]
pub struct TooManyRules {
    /// The layer.
    pub kind: LayerKind,
    /// The class.
    pub class: Class,
}

/// All rules of one author. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Layer {
    kind: LayerKind,
    sections: Arc<Sections>,
}

macro_rules! layer {
    ($($field:ident: $class:ident, $section:ident, $op:ident, $rule:ident;)*) => {
        /// The rules of a layer, by class.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[doc(hidden)]
        pub struct Sections {
            $(pub(crate) $field: Rules<$section>,)*
        }

        impl Layer {
            /// A layer without rules: it permits nothing.
            #[must_use]
            pub fn new(kind: LayerKind) -> Self {
                Self { kind, sections: Arc::new(Sections { $($field: Rules::nothing(),)* }) }
            }

            /// A layer without bounds: it leaves every decision to the others.
            #[must_use]
            pub fn open(kind: LayerKind) -> Self {
                Self { kind, sections: Arc::new(Sections { $($field: Rules::everything(),)* }) }
            }

            /// Adds a rule that permits.
            pub fn add_allow(&mut self, rule: Rule) {
                let sections = Arc::make_mut(&mut self.sections);
                match rule {
                    $(Rule::$class(rule) => sections.$field.add_allow(rule),)*
                }
            }

            /// Adds a rule that takes away, whatever else the layer permits.
            pub fn add_deny(&mut self, rule: Rule) {
                let sections = Arc::make_mut(&mut self.sections);
                match rule {
                    $(Rule::$class(rule) => sections.$field.add_deny(rule),)*
                }
            }

            /// Adds a rule for what somebody is to be asked about, where the layer neither permits nor denies it.
            ///
            /// # Errors
            ///
            /// When nobody can be asked about such things one by one; see [`CannotAsk`].
            pub fn add_ask(&mut self, rule: Rule) -> Result<(), CannotAsk> {
                rule.must_be_askable()?;
                let sections = Arc::make_mut(&mut self.sections);
                match rule {
                    $(Rule::$class(rule) => sections.$field.add_ask(rule),)*
                }
                Ok(())
            }

            /// Where the layer permits everything of `class`, it permits nothing from now on but what rules are added for.
            pub fn restrict(&mut self, class: Class) {
                let sections = Arc::make_mut(&mut self.sections);
                match class {
                    $(Class::$class => sections.$field.restrict(),)*
                }
            }

            /// Whether the layer has no rule for `class` that allows or asks.
            #[must_use]
            pub fn is_empty(&self, class: Class) -> bool {
                match class {
                    $(Class::$class => self.sections.$field.is_empty(),)*
                }
            }

            /// Compiles all rules now instead of at the first decision.
            ///
            /// # Errors
            ///
            /// When a class has more rules than can be compiled.
            pub fn compile(&self) -> Result<(), TooManyRules> {
                $(
                    let rules = &self.sections.$field;
                    if rules.matcher().and(rules.if_asked().matcher()).is_err() {
                        return Err(TooManyRules { kind: self.kind, class: Class::$class });
                    }
                )*
                Ok(())
            }

            /// All rules with their class: those that permit, and whether the class is without bounds; those that deny; those that ask.
            fn lines(&self) -> Vec<String> {
                let mut lines = Vec::new();
                $(
                    let rules = &self.sections.$field;
                    if *rules.allow() == Allow::Everything {
                        lines.push(format!("allow everything of {}", Class::$class));
                    }
                    lines.extend(rules.allowed().iter().map(|rule| format!("allow {rule}")));
                    lines.extend(rules.denied().iter().map(|rule| format!("deny {rule}")));
                    lines.extend(rules.asked().iter().map(|rule| format!("ask {rule}")));
                )*
                lines
            }

            $(
                #[doc = concat!("The rules of `", stringify!($class), "`.")]
                #[must_use]
                pub fn $field(&self) -> &Rules<$section> {
                    &self.sections.$field
                }
            )*
        }
    };
}
for_each_section!(layer);

impl Layer {
    /// Who the layer speaks for.
    #[must_use]
    pub fn kind(&self) -> LayerKind {
        self.kind
    }

    /// The same rules in the name of another.
    #[must_use]
    pub fn with_kind(&self, kind: LayerKind) -> Self {
        Self { kind, sections: Arc::clone(&self.sections) }
    }

    /// The rules of one capability.
    #[must_use]
    pub fn section<S: Section>(&self) -> &Rules<S> {
        S::rules(&self.sections)
    }

    pub(crate) fn sections(&self) -> &Sections {
        &self.sections
    }
}

/// The layer's name, and its rules, one on each line.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.kind)?;
        self.lines().iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("kind", &self.kind).field("rules", &self.lines()).finish()
    }
}
