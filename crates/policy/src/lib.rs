//! What a tool may do: sections, rules, layers, decisions and proofs.
//!
//! In: the text of rules and limits. Out: a [`Policy`], which decides on ops; [`Permitted`] tokens, without which nothing acts;
//! [`Denied`] refusals that say who refused and what would permit; and proofs about layers. It must not do I/O, read a clock, be
//! async, or know an engine.
//!
//! A policy is a stack of layers. An op is permitted when every layer permits it. Only [`Guard::check`] makes a [`Permitted`], and
//! it puts its decision into the [`Journal`] of the call.
//!
//! What always holds:
//!
//! - A new [`Layer`] permits nothing. Adding a layer to a policy never widens it. In every layer, deny wins over allow.
//! - [`Policy::explain`], [`Policy::permits`] and [`Guard::check`] agree on every op.
//! - Everything that can be wrong with a rule is found when it is parsed; a decision cannot fail.
//! - A layer may have rules that ask, too. An op that one of them is about, that the layer does not permit and nobody denies, is
//!   permitted only when somebody said yes to that very op ([`Asker`]).
//! - Enforcement asks each layer. Automata are combined only to prove and to show ([`proof`]).
//!
//! # Rules
//!
//! | short form | permits |
//! |---|---|
//! | `read:GLOB` | reading the guest paths that match |
//! | `write:GLOB` | writing and reading them |
//! | `fetch:[RATE ][METHOD[,METHOD] ]URL-PATTERN` | requests; without methods, GET and HEAD; `ANY` for all but CONNECT and TRACE; with a rate such as `10/s`, no more often |
//! | `kv:BUCKET[/KEY-GLOB][:ro]` | keys of a bucket |
//! | `env:NAME[=VALUE]` | an environment variable; without a value, the host's |
//! | `config:KEY=VALUE` | a configuration key |
//! | `clock:RESOLUTION`, `clock:frozen` | time that is no finer |
//! | `random`, `random:SEED` | real randomness and any seed; one seed |
//! | `secret:NAME[:PLACEMENT]@URL-PATTERN` | a credential that the host puts into requests, as `bearer`, `basic`, `header:NAME` or `query:KEY`; in every place, if the rule does not say one |
//! | `call:TOOL` | calling another tool |
//!
//! A URL pattern is `SCHEME://HOST[:PORT][/PATH-GLOB]`. The host is a name, `*.DOMAIN`, `*`, an address or a network; without a
//! port it is about the scheme's own, and `:*` is every port; without a path it is about every path.
//!
//! A request to a name is decided on twice: before the name is looked up, and for each address that the lookup gave. An address that
//! is not public needs a rule that names it besides the rule for the name; a rule for an address or a network permits no name.
//!
//! A deny rule takes away what it names and what would need it: `read:` takes away reading and writing, `write:` only writing,
//! `kv:` both, `fetch:` without methods every method, `clock:R` that resolution and finer ones.

pub mod address;
mod allowance;
mod any_op;
mod ask;
mod class;
mod error;
mod explain;
mod guard;
mod journal;
mod layer;
mod layer_text;
pub mod limits;
mod path;
mod pattern;
mod policy;
pub mod proof;
mod rule;
mod section;
mod text;
mod units;

pub use allowance::Allowance;
pub use any_op::AnyOp;
pub use ask::{Answered, Asker, Question};
pub use class::{Class, UnknownClass};
pub use error::{OpError, RuleError};
pub use explain::{Explanation, LayerVerdict};
pub use guard::{Denied, Guard, Permitted};
pub use journal::{Decisions, DeniedEntry, Journal, PermittedEntry};
pub use layer::{Layer, LayerKind, TooManyRules};
pub use layer_text::LayerTextError;
pub use limits::{LimitError, LimitSet, Limits};
pub use path::{GuestPath, PathError};
pub use pattern::glob::{Glob, escape_glob};
pub use pattern::host::Host;
pub use pattern::url::Scheme;
pub use policy::Policy;
pub use rule::{CannotAsk, Rule};
pub use section::clocks::{ClockOp, ClockRule, ClockSetting, ClocksSection, DEFAULT_RESOLUTION};
pub use section::config::{ConfigOp, ConfigRule, ConfigSection};
pub use section::environment::{EnvironmentOp, EnvironmentRule, EnvironmentSection};
pub use section::filesystem::{FilesystemRule, FilesystemSection, FsOp, Mode, Read, Search, Write, WriteTree};
pub use section::http::{ConnectOp, HttpOp, HttpRule, HttpSection, LayerRates, Rate, RatedRule, RuleId};
pub use section::keyvalue::{KeyValueOp, KeyValueRule, KeyValueSection, OpenBucket, ReadKey, WriteKey};
pub use section::random::{RandomOp, RandomRule, RandomSection, RandomSetting};
pub use section::secrets::{Placement, SecretOp, SecretRule, SecretsSection};
pub use section::tools::{ToolOp, ToolRule, ToolsSection};
pub use section::{Allow, Rules, Section};
pub use text::quote;
pub use units::{parse_duration, parse_size};
