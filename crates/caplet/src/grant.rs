//! The operator's part: what is granted, what stands behind it, and the limits; from the text that people write.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use caplet_policy::{CannotAsk, Class, GuestPath, Layer, LayerKind, LimitSet, Limits, Rule};

use crate::approval::Home;
use crate::buckets::BucketRequest;
use crate::error::Error;
use crate::mount::{MountRequest, Prefix};
use crate::private::Kept;
use crate::session_data::SessionData;
use crate::toolbox::Toolbox;

/// What bounds a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ceiling {
    /// The tool's manifest. A tool without one may compute and nothing else.
    #[default]
    Manifest,
    /// Nothing. The record shows it.
    Open,
}

/// The rules of a call that can be repeated: time stands still, and randomness has one seed.
const DETERMINISTIC: [&str; 2] = ["clock:frozen", "random:0"];

/// Where the values of granted environment variables come from.
type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What an operator gives to a tool. A new grant gives nothing.
#[derive(Clone)]
pub struct Grant {
    pub(crate) cwd: GuestPath,
    /// The operator's rules, without `values`.
    pub(crate) rules: Layer,
    /// The operator's rules in their short forms, for the record.
    pub(crate) texts: Vec<String>,
    /// Variables and configuration keys with values that are never shown. A rule that gives another value comes first.
    pub(crate) values: Vec<Rule>,
    pub(crate) narrower: Vec<Layer>,
    pub(crate) mounts: Vec<MountRequest>,
    pub(crate) buckets: Vec<BucketRequest>,
    pub(crate) session: Option<Arc<SessionData>>,
    pub(crate) prefixes: Vec<Prefix>,
    /// Files that no mount shows, or lets a tool write.
    pub(crate) kept: Vec<Kept>,
    pub(crate) set: LimitSet,
    pub(crate) ceiling: Ceiling,
    pub(crate) strict_imports: bool,
    pub(crate) environment: Lookup,
    /// Where it is written, for answers that are for always.
    pub(crate) home: Option<Home>,
}

impl Grant {
    /// A grant of nothing. Relative rules and mounts are taken from `cwd`, which is also the guest's current directory.
    ///
    /// # Errors
    ///
    /// When `cwd` is not an absolute path in UTF-8.
    pub fn new(cwd: impl AsRef<Path>) -> Result<Self, Error> {
        let cwd = cwd.as_ref();
        let refuse = |reason: String| Error::Grant {
            asked: format!("the current directory {}", cwd.display()),
            reason,
            hint: Some("change to a directory with an absolute path in UTF-8".to_owned()),
        };
        let text = cwd.to_str().ok_or_else(|| refuse("its name is not UTF-8".to_owned()))?;
        let cwd = GuestPath::parse(text).map_err(|error| refuse(error.to_string()))?;
        Ok(Self {
            cwd,
            rules: Layer::new(LayerKind::Operator),
            texts: Vec::new(),
            values: Vec::new(),
            narrower: Vec::new(),
            mounts: Vec::new(),
            buckets: Vec::new(),
            session: None,
            prefixes: Vec::new(),
            kept: Vec::new(),
            set: LimitSet::default(),
            ceiling: Ceiling::Manifest,
            strict_imports: false,
            environment: Arc::new(|_| None),
            home: None,
        })
    }

    /// Grants what `rule` says: `read:GLOB`, `write:GLOB`, `fetch:…`, `env:NAME` and so on.
    ///
    /// # Errors
    ///
    /// When the rule does not parse.
    pub fn allow(&mut self, rule: &str) -> Result<&mut Self, Error> {
        let rule = self.rule("--allow", rule)?;
        let here = self.cwd.clone();
        Ok(self.allow_rule(rule, &here))
    }

    /// Grants `rule`, which somebody at `place` wrote.
    pub(crate) fn allow_rule(&mut self, rule: Rule, place: &GuestPath) -> &mut Self {
        self.values.retain(|value| !is_fixed_by(value, &rule));
        self.prefixes.extend(filesystem_prefix(&rule, place));
        self.texts.push(format!("allow {rule}"));
        self.rules.add_allow(rule);
        self
    }

    /// Takes away what `rule` says, whatever else is granted.
    ///
    /// # Errors
    ///
    /// When the rule does not parse.
    pub fn deny(&mut self, rule: &str) -> Result<&mut Self, Error> {
        let rule = self.rule("--deny", rule)?;
        Ok(self.deny_rule(rule))
    }

    pub(crate) fn deny_rule(&mut self, rule: Rule) -> &mut Self {
        self.texts.push(format!("deny {rule}"));
        self.rules.add_deny(rule);
        self
    }

    /// Says what a person is asked about, where the grant neither gives nor denies it.
    ///
    /// # Errors
    ///
    /// When the rule does not parse, or is about something that nobody can be asked about one by one.
    pub fn ask(&mut self, rule: &str) -> Result<&mut Self, Error> {
        let parsed = self.rule("--ask", rule)?;
        let here = self.cwd.clone();
        self.ask_rule(parsed, &here).map_err(|error| {
            let hint = Some(error.hint().to_owned());
            Error::grant("--ask", rule, error.to_string(), hint)
        })
    }

    /// Has somebody asked about `rule`, which somebody at `place` wrote.
    pub(crate) fn ask_rule(&mut self, rule: Rule, place: &GuestPath) -> Result<&mut Self, CannotAsk> {
        let (prefix, text) = (filesystem_prefix(&rule, place), format!("ask {rule}"));
        self.rules.add_ask(rule)?;
        self.prefixes.extend(prefix);
        self.texts.push(text);
        Ok(self)
    }

    /// The grant is that of `tool` in the toolbox at `path`: what a person allows for always is written there.
    pub(crate) fn written_in(&mut self, path: &Path, tool: &str) -> &mut Self {
        self.home = Some(Home::new(path, tool));
        self
    }

    /// The operator's layer.
    pub(crate) fn operator(&self) -> Layer {
        let mut layer = self.rules.clone();
        self.values.iter().for_each(|rule| layer.add_allow(rule.clone()));
        layer
    }

    fn rule(&self, option: &str, text: &str) -> Result<Rule, Error> {
        Rule::parse_grant(text, &self.cwd).map_err(|error| Error::grant(option, text, error.to_string(), error.hint()))
    }

    /// Puts a store at a guest path: `GUEST=DIR`, `GUEST=host:DIR`, `GUEST=memory`, `GUEST=session`, `GUEST=overlay:DIR` or
    /// `GUEST=sqlite:FILE`; with `:ro` behind it, to read only.
    ///
    /// # Errors
    ///
    /// When the text does not parse, or something is mounted at that path already.
    pub fn mount(&mut self, text: &str) -> Result<&mut Self, Error> {
        self.mount_request(MountRequest::parse(text, &self.cwd)?)
    }

    pub(crate) fn mount_request(&mut self, request: MountRequest) -> Result<&mut Self, Error> {
        if let Some(other) = self.mounts.iter().find(|other| other.at == request.at) {
            let reason = format!("something is mounted at the same path, by {}", other.asked);
            return Err(request.refuse(reason, Some("leave one of them out".to_owned())));
        }
        self.mounts.push(request);
        Ok(self)
    }

    /// Says what stands behind a key-value bucket: `NAME=memory`, `NAME=session`, `NAME=sqlite:FILE`, `NAME=redis://…` or
    /// `NAME=nats://…`.
    ///
    /// # Errors
    ///
    /// When the text does not parse, or the bucket has a store already.
    pub fn bucket(&mut self, text: &str) -> Result<&mut Self, Error> {
        self.bucket_request(BucketRequest::parse(text, &self.cwd)?)
    }

    pub(crate) fn bucket_request(&mut self, request: BucketRequest) -> Result<&mut Self, Error> {
        if let Some(other) = self.buckets.iter().find(|other| other.name == request.name) {
            let reason = format!("this bucket has a store already, by {}", other.asked);
            let hint = Some("leave one of them out".to_owned());
            return Err(Error::Grant { asked: request.asked, reason, hint });
        }
        self.buckets.push(request);
        Ok(self)
    }

    /// The files and buckets that `session` means. By itself, every call has its own.
    pub fn session(&mut self, data: Arc<SessionData>) -> &mut Self {
        self.session = Some(data);
        self
    }

    /// Sets a limit: `timeout=5s`, `memory=64MiB`, `fuel=1000000`. The tool's manifest may set a lower one.
    ///
    /// # Errors
    ///
    /// When there is no such limit, or the value does not fit it.
    pub fn limit(&mut self, assignment: &str) -> Result<&mut Self, Error> {
        self.set
            .assign(assignment)
            .map_err(|error| Error::grant("--limit", assignment, error.to_string(), error.hint()))?;
        Ok(self)
    }

    /// No mount of this grant shows the file of `toolbox` or the files that its values come from, or lets a tool write those that
    /// its tools come from. A grant from a toolbox has this by itself.
    pub fn keep_out(&mut self, toolbox: &Toolbox) -> &mut Self {
        self.kept.extend(toolbox.kept());
        self
    }

    /// No mount of this grant shows the file at `path`, or lets a tool put another one in its place, whether it exists yet or not: for
    /// the place of a toolbox that later calls will read.
    pub fn keep_out_file(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.kept.extend(Kept::with_links("the toolbox", path.as_ref(), false));
        self
    }

    /// What bounds the grant.
    pub fn ceiling(&mut self, ceiling: Ceiling) -> &mut Self {
        self.ceiling = ceiling;
        self
    }

    /// Whether a tool that imports something that no rule covers is refused, instead of denied op by op.
    pub fn strict_imports(&mut self, strict: bool) -> &mut Self {
        self.strict_imports = strict;
        self
    }

    /// Where the value of a variable comes from that is granted without one. Without this call there are none.
    pub fn environment(&mut self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> &mut Self {
        self.environment = Arc::new(lookup);
        self
    }

    /// Adds a layer, such as a session's or a call's. It can only narrow.
    pub fn narrow(&mut self, layer: Layer) -> &mut Self {
        self.narrower.push(layer);
        self
    }

    /// Freezes the clock and seeds randomness, so that the same call gives the same answer.
    pub fn deterministic(&mut self) -> &mut Self {
        let mut layer = Layer::open(LayerKind::Call);
        layer.restrict(Class::Clocks);
        layer.restrict(Class::Random);
        for rule in DETERMINISTIC.iter().filter_map(|text| Rule::parse_grant(text, &self.cwd).ok()) {
            layer.add_allow(rule);
        }
        self.narrow(layer)
    }

    /// The limits that this grant sets, over the defaults. The tool's manifest may lower them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::default().overridden_by(&self.set)
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The lookup may lead to secrets.
        let Self {
            cwd,
            rules: _,
            texts,
            values,
            narrower,
            mounts,
            buckets,
            session: _,
            prefixes: _,
            kept: _,
            set,
            ceiling,
            strict_imports,
            environment: _,
            home,
        } = self;
        f.debug_struct("Grant")
            .field("cwd", cwd)
            .field("operator", texts)
            .field("values", values)
            .field("narrower", narrower)
            .field("mounts", mounts)
            .field("buckets", buckets)
            .field("limits", set)
            .field("ceiling", ceiling)
            .field("strict_imports", strict_imports)
            .field("home", home)
            .finish_non_exhaustive()
    }
}

/// Whether `rule` gives a value to the variable or the key that `value` is for.
fn is_fixed_by(value: &Rule, rule: &Rule) -> bool {
    match (value, rule) {
        (Rule::Environment(value), Rule::Environment(rule)) => value.name() == rule.name() && rule.value().is_some(),
        (Rule::Config(value), Rule::Config(rule)) => value.name() == rule.name() && rule.value().is_some(),
        _ => false,
    }
}

/// The literal prefix of a rule on files, which somebody at `place` wrote.
fn filesystem_prefix(rule: &Rule, place: &GuestPath) -> Option<Prefix> {
    if rule.class() != Class::Filesystem {
        return None;
    }
    // The short form is canonical: a mode, a colon, and the absolute glob.
    let text = rule.to_string();
    text.split_once(':').and_then(|(_, glob)| Prefix::of_glob(glob, &text, place))
}
