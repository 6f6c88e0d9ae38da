//! The operator's part: what is granted, what stands behind it, and the limits; from the text that people write.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_component::Component;
use caplet_policy::{CannotAsk, Class, GuestPath, Layer, LayerKind, LimitSet, Limits, Rule};

use crate::approval::Home;
use crate::buckets::BucketRequest;
use crate::error::Error;
use crate::lock::Lock;
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

/// What is taken from one function of a tool.
#[derive(Clone, Debug)]
pub(crate) struct FunctionCut {
    /// As the component calls it.
    pub(crate) function: String,
    /// Where it is spoken of.
    pub(crate) asked: String,
    /// The function's own layer; none, if nothing is taken from it.
    pub(crate) layer: Option<Layer>,
}

impl FunctionCut {
    /// That there is such a function: what does nothing looks like protection.
    pub(crate) fn must_be_of(&self, component: &Component) -> Result<(), Error> {
        let known: Vec<&str> = component.tools.iter().map(|tool| tool.function.as_str()).collect();
        if known.contains(&self.function.as_str()) {
            return Ok(());
        }
        Err(Error::Grant {
            asked: self.asked.clone(),
            reason: "the tool has no such function".to_owned(),
            hint: Some(format!("its functions are: {}", known.join(", "))),
        })
    }
}

/// Where the values of granted environment variables come from.
pub(crate) type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

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
    /// What is taken from single functions.
    pub(crate) functions: Vec<FunctionCut>,
    pub(crate) mounts: Vec<MountRequest>,
    pub(crate) buckets: Vec<BucketRequest>,
    pub(crate) session: Option<Arc<SessionData>>,
    pub(crate) prefixes: Vec<Prefix>,
    /// Toolboxes that no mount shows, or lets a tool write.
    toolboxes: Vec<Toolbox>,
    /// The same for the places of toolboxes, whether they are there yet or not.
    places: Vec<PathBuf>,
    pub(crate) set: LimitSet,
    /// Limits that hold over those that are set.
    pub(crate) lowered: Vec<LimitSet>,
    pub(crate) ceiling: Ceiling,
    pub(crate) strict_imports: bool,
    /// The seed, where calls are to be deterministic.
    pub(crate) deterministic: Option<u64>,
    /// Whether nothing that a tool changes is to last: files are changed in memory.
    pub(crate) is_disposable: bool,
    /// Whether calls are recorded.
    pub(crate) record: bool,
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
            functions: Vec::new(),
            mounts: Vec::new(),
            buckets: Vec::new(),
            session: None,
            prefixes: Vec::new(),
            toolboxes: Vec::new(),
            places: Vec::new(),
            set: LimitSet::default(),
            lowered: Vec::new(),
            ceiling: Ceiling::Manifest,
            strict_imports: false,
            deterministic: None,
            is_disposable: false,
            record: false,
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

    pub(crate) fn deny_rules(&mut self, rules: &[Rule]) {
        for rule in rules {
            self.deny_rule(rule.clone());
        }
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

    /// No mount of this grant shows the file of `toolbox` or the files that its values come from, or lets a tool write its lock or those
    /// that its tools come from. A grant from a toolbox has this by itself.
    pub fn keep_out(&mut self, toolbox: &Toolbox) -> &mut Self {
        self.toolboxes.push(toolbox.clone());
        self
    }

    /// No mount of this grant shows the file at `path`, or lets a tool put another one in its place, whether it exists yet or not: for
    /// the place of a toolbox that later calls will read.
    pub fn keep_out_file(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.places.push(path.as_ref().to_owned());
        self
    }

    /// The files that no mount shows, or lets a tool write, as they are now. Looked for when mounts are planned, and not for each grant
    /// that is only looked at: there are several for each tool of a toolbox.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        // What may be read by everyone says nothing that is secret. Who could write a lock would approve of what it likes.
        let lock = |file: &Path| Kept::with_links("the lock of the toolbox", &Lock::beside(file), true);
        let locks = move |toolbox: &Toolbox| toolbox.files().flat_map(lock).collect::<Vec<_>>();
        let toolboxes = self.toolboxes.iter().flat_map(move |toolbox| toolbox.kept().chain(locks(toolbox)));
        toolboxes.chain(self.places.iter().flat_map(|path| Kept::with_links("the toolbox", path, false)))
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

    /// Whether what each call sees is recorded, so that it can be replayed: files that it reads, responses, values, clocks, randomness. The
    /// recording is kept under the id of the call's record, in the folder of [`Builder::state`](crate::Builder::state). Calls that share an
    /// instance with others are not recorded: what they saw is also what is left in the instance.
    pub fn record(&mut self, record: bool) -> &mut Self {
        self.record = record;
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

    /// What narrows `function`, of what the grant takes from single functions.
    pub(crate) fn function_layers(&self, function: Option<&str>) -> impl Iterator<Item = &Layer> {
        let cuts = self.functions.iter().filter(move |cut| Some(cut.function.as_str()) == function);
        cuts.filter_map(|cut| cut.layer.as_ref())
    }

    /// Makes calls deterministic: the same tool, arguments and files give the same output, decisions and usage each time, on every machine.
    /// Time is virtual, chance is what `seed` determines, and fuel stands for time: where none is set, as much as
    /// [`deterministic_limits`](caplet_sandbox::deterministic_limits) says. Requests, and buckets that outlive the call, are refused; nobody
    /// is asked.
    pub fn deterministic(&mut self, seed: u64) -> &mut Self {
        self.deterministic = Some(seed);
        self
    }

    /// The limits that this grant sets, over the defaults, and no higher than whatever lowers them. The tool's manifest may too.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let set = Limits::default().overridden_by(&self.set);
        self.lowered.iter().fold(set, |limits, lower| limits.lowered_by(lower))
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
            functions,
            mounts,
            buckets,
            session: _,
            prefixes: _,
            toolboxes: _,
            places: _,
            set,
            lowered,
            ceiling,
            strict_imports,
            deterministic,
            is_disposable,
            record,
            environment: _,
            home,
        } = self;
        f.debug_struct("Grant")
            .field("cwd", cwd)
            .field("operator", texts)
            .field("values", values)
            .field("narrower", narrower)
            .field("functions", functions)
            .field("mounts", mounts)
            .field("buckets", buckets)
            .field("limits", set)
            .field("lowered", lowered)
            .field("ceiling", ceiling)
            .field("strict_imports", strict_imports)
            .field("deterministic", deterministic)
            .field("is_disposable", is_disposable)
            .field("record", record)
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
