//! The entry: a [`Caplet`] loads tools, grants authority, and keeps records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_audit::{ErrorInfo, Outcome, Record, Sink};
use caplet_component::{Component, Digest};
use caplet_policy::{Limits, Policy};
use caplet_sandbox::{Cache, Facilities, Prepared, Sandbox, SandboxConfig, deterministic_limits};
use caplet_secrets::SecretSource;

use crate::approval::OpenQuestions;
use crate::buckets::OpenBuckets;
use crate::builtin::{self, BuiltIn};
use crate::error::Error;
use crate::grant::Grant;
use crate::granted::Granted;
use crate::instances::AllInstances;
use crate::policy::policy_for;
use crate::private::{Kept, Private};
use crate::remembered;
use crate::repeatable;
use crate::shared::OpenStores;
use crate::source::Source;

/// Loads tools and runs them. Cheap to clone; clones share engines and the audit log.
#[derive(Clone, Debug)]
pub struct Caplet {
    sandbox: Sandbox,
    pub(crate) sink: Option<Arc<dyn Sink>>,
    cache: Option<Cache>,
    pub(crate) secrets: Option<Arc<dyn SecretSource>>,
    private: Vec<(&'static str, PathBuf)>,
    pub(crate) state: Option<Arc<Path>>,
    pub(crate) stores: Arc<OpenStores>,
    pub(crate) buckets: Arc<OpenBuckets>,
    pub(crate) questions: OpenQuestions,
    pub(crate) instances: AllInstances,
    pub(crate) keeps_arguments: bool,
    records_calls: bool,
}

/// Settings of a [`Caplet`].
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    config: SandboxConfig,
    sink: Option<Arc<dyn Sink>>,
    cache: Option<Cache>,
    secrets: Option<Arc<dyn SecretSource>>,
    private: Vec<(&'static str, PathBuf)>,
    state: Option<PathBuf>,
    keeps_arguments: bool,
}

impl Builder {
    /// Keeps a record of every call in `sink`; a call whose record cannot be kept is refused.
    ///
    /// Without a sink there are no records: right for a benchmark or a test, and for a program that keeps outcomes by itself.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// Keeps the arguments of calls in their records, and not only a digest of them.
    pub fn keep_arguments(self, keeps_arguments: bool) -> Self {
        Self { keeps_arguments, ..self }
    }

    /// Keeps compiled code, and the facts about tools, in `cache`, so that a tool is compiled once a machine and not once a process.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Takes the values of secrets from `secrets`. `folders` are where they are kept, if on this host: no tool may reach these.
    pub fn secrets(mut self, secrets: Arc<dyn SecretSource>, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.secrets = Some(secrets);
        self.private.extend(folders.into_iter().map(|folder| ("secrets", folder)));
        self
    }

    /// Keeps what outlives a process in `folder`: the changes of overlays, and buckets for which no other store was named. No tool may
    /// reach the folder. Without it, changes of overlays go with the last grant that has them, and buckets need a store that is named.
    pub fn state(mut self, folder: PathBuf) -> Self {
        self.private.push(("what tools stored", folder.clone()));
        self.state = Some(folder);
        self
    }

    /// Keeps tools away from `folder`, where a [`SocketApprover`](crate::SocketApprover) of this or of another process puts its questions.
    pub fn approvals(mut self, folder: PathBuf) -> Self {
        self.private.push(("questions to the user", folder));
        self
    }

    /// Settings of the sandbox.
    pub fn sandbox(mut self, config: SandboxConfig) -> Self {
        self.config = config;
        self
    }

    /// The finished Caplet.
    ///
    /// # Errors
    ///
    /// When the sandbox cannot be set up on this machine.
    pub fn build(self) -> Result<Caplet, Error> {
        let Self { mut config, sink, cache, secrets, private, state, keeps_arguments } = self;
        if let Some(cache) = &cache {
            config = config.cache(cache.clone());
        }
        let sandbox = Sandbox::new(&config).map_err(|error| Error::Host(error.to_string()))?;
        let (state, stores, buckets) = (state.map(Arc::from), Arc::default(), Arc::default());
        let questions = OpenQuestions::default();
        let instances = AllInstances::default();
        let records_calls = false;
        Ok(Caplet {
            sandbox,
            sink,
            cache,
            secrets,
            private,
            state,
            stores,
            buckets,
            questions,
            instances,
            keeps_arguments,
            records_calls,
        })
    }
}

impl Caplet {
    /// Settings, all at their defaults: no records, nothing granted.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The same, but every call is recorded, as [`Grant::record`] says, whatever the grant says. For a server that is to be watched.
    #[must_use]
    pub fn recording_calls(self) -> Self {
        Self { records_calls: true, ..self }
    }

    /// Whether every call is recorded.
    pub(crate) fn records_calls(&self) -> bool {
        self.records_calls
    }

    /// The tools that come with Caplet.
    pub fn built_in() -> impl ExactSizeIterator<Item = BuiltIn> {
        builtin::all()
    }

    /// Reads a tool: its bytes once, then the facts about it. Nothing is compiled or run.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be read, or are not a tool.
    pub fn load(&self, source: &Source) -> Result<Tool, Error> {
        self.load_within(source, &Limits::default())
    }

    /// As [`Caplet::load`], with the size limit of `limits`.
    ///
    /// # Errors
    ///
    /// As for [`Caplet::load`].
    pub fn load_within(&self, source: &Source, limits: &Limits) -> Result<Tool, Error> {
        let component = Arc::new(remembered::component(self.cache.as_ref(), source, limits.component)?);
        let prepared = self.sandbox.prepare(Arc::clone(&component));
        Ok(Tool { name: source.name(), prepared, component, source: Arc::new(source.clone()) })
    }

    /// Joins a tool and a grant: the policy is made, the mounts are opened.
    ///
    /// # Errors
    ///
    /// When a mount cannot be opened, or would let the tool at the audit log.
    pub fn grant(&self, tool: &Tool, grant: Grant) -> Result<Granted, Error> {
        Granted::new(self.clone(), tool.clone(), grant)
    }

    /// What calls use of the machine.
    #[must_use]
    pub fn facilities(&self) -> Facilities {
        self.sandbox.facilities()
    }

    /// What `tool` may do under `grant`. Nothing is opened, so this also answers for grants that no call could have.
    #[must_use]
    pub fn policy(&self, tool: &Tool, function: Option<&str>, grant: &Grant) -> Policy {
        policy_for(tool, function, grant)
    }

    /// The outcome of a call that was refused before it could start, with its record.
    #[must_use]
    pub fn refuse(&self, tool: &str, function: Option<&str>, error: ErrorInfo) -> Outcome {
        let outcome = match error.kind {
            caplet_audit::ErrorKind::Host => Outcome::host(tool, function.map(str::to_owned), error),
            _ => Outcome::refused(tool, function.map(str::to_owned), error),
        };
        self.keep(outcome, |_| {})
    }

    /// The files that no mount may show: those of databases that are open, of mounts and of buckets, and links on the way to folders
    /// of Caplet's own, which another link would put elsewhere.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let buckets = self.buckets.open();
        let buckets = buckets.iter().filter_map(|(store, _)| store.database().map(Path::to_owned));
        let databases: Vec<PathBuf> = self.stores.databases().into_iter().chain(buckets).collect();
        let links = self.folders().flat_map(|(what, folder)| Kept::way(what, folder, false));
        databases.iter().flat_map(|file| Kept::database(file)).chain(links).collect()
    }

    /// The folders of Caplet's own that no tool may reach.
    pub(crate) fn private(&self) -> Vec<Private> {
        self.folders().map(|(what, folder)| Private::new(what, folder)).collect()
    }

    /// Where the audit log, compiled code, secrets and what tools stored are, if they are on this host.
    fn folders(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let log = self.sink.as_ref().and_then(|sink| sink.location()).map(|folder| ("the audit log", folder));
        let keys = self.sink.as_ref().and_then(|sink| sink.keys()).map(|folder| ("the keys of the audit log", folder));
        let code = self.cache.as_ref().map(|cache| ("compiled code", cache.folder()));
        log.into_iter()
            .chain(keys)
            .chain(code)
            .chain(self.private.iter().map(|(what, folder)| (*what, folder.as_path())))
    }

    /// Keeps the record of `outcome`, completed by `complete`. Without its record an outcome is not handed out.
    pub(crate) fn keep(&self, mut outcome: Outcome, complete: impl FnOnce(&mut Record)) -> Outcome {
        if self.sink.is_none() && outcome.deterministic.is_none() {
            return outcome;
        }
        let mut record = Record::new(&outcome);
        complete(&mut record);
        if outcome.deterministic.is_some() {
            record.digest = Some(repeatable::digest(&record, &outcome.output));
            outcome.record_digest.clone_from(&record.digest);
        }
        let Some(sink) = &self.sink else { return outcome };
        match sink.append(&record) {
            Ok(()) => outcome.record = Some(record.id),
            // As was asked for; the next record says that this one is missing.
            Err(_) if sink.is_best_effort() => {}
            Err(error) => {
                let error = Error::from(error).info();
                outcome = Outcome { usage: outcome.usage, ..Outcome::host(outcome.tool, outcome.function, error) };
            }
        }
        outcome
    }
}

/// The facts about a tool, from its bytes. Nothing is compiled or run.
///
/// # Errors
///
/// When the bytes cannot be read, or are not a tool.
pub fn read_component(source: &Source, limits: &Limits) -> Result<Component, Error> {
    remembered::read(source, limits.component)
}

/// As [`read_component`], from what `cache` remembers of a tool that was seen before.
///
/// # Errors
///
/// As for [`read_component`].
pub fn remembered_component(cache: &Cache, source: &Source, limits: &Limits) -> Result<Component, Error> {
    remembered::component(Some(cache), source, limits.component)
}

/// How a tool came to be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmth {
    /// Its code was kept from before.
    Kept,
    /// It had to be compiled.
    Compiled,
}

/// A loaded tool: the facts, and what runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tool {
    name: String,
    component: Arc<Component>,
    source: Arc<Source>,
    pub(crate) prepared: Prepared,
}

impl Tool {
    /// The same tool under another name, by which outcomes and records will call it: that of a toolbox, say.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// What the tool is called: a built-in tool's name, or a file's name without its ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Compiles the tool for calls under `grant`, so that the first of them need not wait, unless its code is kept already. Nothing is
    /// opened or run.
    ///
    /// # Errors
    ///
    /// What calls would end with: it cannot be compiled within its limit, say.
    pub async fn warm(&self, grant: &Grant) -> Result<Warmth, ErrorInfo> {
        let limits = self.limits(grant);
        if grant.deterministic.is_some() {
            return self.prepared.warm_deterministic(&limits).await.map(|()| Warmth::Compiled);
        }
        let warmth = if self.prepared.is_cached(&limits) { Warmth::Kept } else { Warmth::Compiled };
        self.prepared.warm(&limits).await?;
        Ok(warmth)
    }

    /// The limits of a call under `grant`: the author's can only lower them.
    pub(crate) fn limits(&self, grant: &Grant) -> Limits {
        let limits = match &self.component.manifest {
            Some(manifest) => grant.limits().lowered_by(manifest.limits()),
            None => grant.limits(),
        };
        if grant.deterministic.is_some() { deterministic_limits(&limits) } else { limits }
    }

    /// Where its bytes came from.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The facts about its component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// The digest of the component's bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.component.digest
    }
}
