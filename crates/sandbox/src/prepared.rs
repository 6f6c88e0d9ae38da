//! A component made ready: compiled once for each engine that needs it, linked once, its exports looked up once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caplet_audit::ErrorKind;
use caplet_component::{Component, Contract, Tool};
use wasmtime::component::{ComponentExportIndex, InstancePre};
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::end::Stop;
use crate::engine::{EngineParts, Engines, Flavor, lock};
use crate::error::{LimitHit, SandboxError};
use crate::state::CallState;
use crate::unknown::trap_unknown;

/// Settings of a [`Sandbox`]. The default is right for everything that this version offers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SandboxConfig {}

/// Prepares components and runs their calls. Cheap to clone; clones share engines.
#[derive(Clone)]
pub struct Sandbox {
    engines: Arc<Engines>,
}

impl Sandbox {
    /// A sandbox. Engines start when a call first needs them.
    ///
    /// # Errors
    ///
    /// None in this version; later settings may be refused by the machine.
    pub fn new(_config: &SandboxConfig) -> Result<Self, SandboxError> {
        Ok(Self { engines: Arc::new(Engines::default()) })
    }

    /// Makes `component` callable. It is compiled when it is first called.
    #[must_use]
    pub fn prepare(&self, component: Arc<Component>) -> Prepared {
        Prepared {
            inner: Arc::new(Inner { engines: Arc::clone(&self.engines), component, compiled: Mutex::default() }),
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

/// A callable component. Cheap to clone.
#[derive(Clone)]
pub struct Prepared {
    inner: Arc<Inner>,
}

struct Inner {
    engines: Arc<Engines>,
    component: Arc<Component>,
    compiled: Mutex<HashMap<Flavor, Arc<tokio::sync::OnceCell<Arc<Compiled>>>>>,
}

/// A component compiled and linked for one engine.
pub(crate) struct Compiled {
    pub(crate) parts: EngineParts,
    pub(crate) entry: Entry,
}

/// What is called in an instance.
pub(crate) enum Entry {
    /// `wasi:cli/run`.
    Command(CommandPre<CallState>),
    /// Exported functions, by tool function name.
    Exports { pre: InstancePre<CallState>, functions: HashMap<String, ComponentExportIndex> },
}

impl Prepared {
    /// The facts about the component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.inner.component
    }

    /// The component compiled for `flavor`, within `budget` of wall time.
    pub(crate) async fn compiled(&self, flavor: Flavor, budget: Duration) -> Result<Arc<Compiled>, Stop> {
        let cell = Arc::clone(lock(&self.inner.compiled).entry(flavor).or_default());
        let compiled = cell.get_or_try_init(|| self.compile(flavor, budget)).await?;
        Ok(Arc::clone(compiled))
    }

    async fn compile(&self, flavor: Flavor, budget: Duration) -> Result<Arc<Compiled>, Stop> {
        let inner = Arc::clone(&self.inner);
        let (done, compiled) = tokio::sync::oneshot::channel();
        // A thread of its own, not one that the runtime waits for: a compile that overruns must not hold up anything else.
        std::thread::Builder::new()
            .name("caplet-compile".to_owned())
            .spawn(move || done.send(inner.compile(flavor)))
            .map_err(|error| Stop::host(format!("cannot start a thread to compile on: {error}")))?;
        match tokio::time::timeout(budget, compiled).await {
            Ok(Ok(compiled)) => compiled.map(Arc::new),
            Ok(Err(_gone)) => Err(Stop::host("the compiler stopped without an answer")),
            Err(_elapsed) => Err(Stop::Limit(LimitHit::new(
                ErrorKind::Timeout,
                format!("compiling the component took longer than its limit of {} s", budget.as_secs()),
                "compile",
            ))),
        }
    }
}

impl Inner {
    fn compile(&self, flavor: Flavor) -> Result<Compiled, Stop> {
        let parts = self.engines.get(flavor).map_err(|error| Stop::host(error.to_string()))?;
        let compiled = wasmtime::component::Component::new(&parts.engine, self.component.engine_bytes.as_ref())
            .map_err(|error| Stop::invalid_component(format!("the engine refuses the component: {error:#}")))?;
        let mut linker = (*parts.linker).clone();
        trap_unknown(&mut linker, &self.component, &compiled).map_err(link_error)?;
        let pre = linker.instantiate_pre(&compiled).map_err(link_error)?;
        let entry = match self.component.contract {
            Contract::Command => Entry::Command(CommandPre::new(pre).map_err(link_error)?),
            Contract::Exports => {
                let functions = self
                    .component
                    .tools
                    .iter()
                    .filter_map(|tool| Some((tool.function.clone(), export_index(&compiled, tool)?)))
                    .collect();
                Entry::Exports { pre, functions }
            }
        };
        Ok(Compiled { parts, entry })
    }
}

fn link_error(error: wasmtime::Error) -> Stop {
    Stop::invalid_component(format!("the component's imports do not fit this host: {error:#}"))
}

fn export_index(compiled: &wasmtime::component::Component, tool: &Tool) -> Option<ComponentExportIndex> {
    let interface = match &tool.export.interface {
        Some(name) => Some(compiled.get_export_index(None, name)?),
        None => None,
    };
    compiled.get_export_index(interface.as_ref(), &tool.export.function)
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("component", &self.inner.component.digest).finish_non_exhaustive()
    }
}
