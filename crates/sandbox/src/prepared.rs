//! A component made ready: loaded once for each engine that needs it, linked once, its exports looked up once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caplet_audit::ErrorInfo;
use caplet_component::{Component, Contract, Tool};
use caplet_policy::Limits;
use tokio::sync::OnceCell;
use wasmtime::component::{ComponentExportIndex, InstancePre, Linker};
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::capability;
use crate::code::Code;
use crate::end::Stop;
use crate::engine::{Allocation, CodeSettings, EngineParts, Flavor, lock};
use crate::sandbox::Shared;
use crate::state::CallState;
use crate::unknown::trap_unknown;

/// A callable component. Cheap to clone.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) sandbox: Arc<Shared>,
    inner: Arc<Inner>,
}

struct Inner {
    component: Arc<Component>,
    code: Mutex<HashMap<CodeSettings, Arc<OnceCell<Code>>>>,
    loaded: Mutex<HashMap<Flavor, Arc<OnceCell<Arc<Loaded>>>>>,
}

/// A component loaded and linked for one engine.
pub(crate) struct Loaded {
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
    pub(crate) fn new(sandbox: Arc<Shared>, component: Arc<Component>) -> Self {
        let inner = Inner { component, code: Mutex::default(), loaded: Mutex::default() };
        Self { sandbox, inner: Arc::new(inner) }
    }

    /// The facts about the component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.inner.component
    }

    /// Compiles and loads the component for calls with these limits, so that the first of them need not wait for it.
    ///
    /// # Errors
    ///
    /// When it cannot be compiled within its limit, or its imports do not fit; calls would end so.
    pub async fn warm(&self, limits: &Limits) -> Result<(), ErrorInfo> {
        let warmed = self.loaded(self.flavor(limits, false), limits.compile).await;
        warmed.map(drop).map_err(Stop::into_error)
    }

    /// As [`Prepared::warm`], for deterministic calls, whose code is another.
    ///
    /// # Errors
    ///
    /// As for [`Prepared::warm`].
    pub async fn warm_deterministic(&self, limits: &Limits) -> Result<(), ErrorInfo> {
        let limits = &crate::determinism::limits(limits);
        let warmed = self.loaded(self.flavor(limits, true), limits.compile).await;
        warmed.map(drop).map_err(Stop::into_error)
    }

    /// Whether the code for calls with these limits is kept in the cache, so that none of them has to wait for the compiler.
    #[must_use]
    pub fn is_cached(&self, limits: &Limits) -> bool {
        self.sandbox.coder.has(&self.inner.component, self.flavor(limits, false).code)
    }

    /// The engine's settings for a call with these limits.
    pub(crate) fn flavor(&self, limits: &Limits, deterministic: bool) -> Flavor {
        let concurrency = self.inner.component.needs_concurrency;
        let code = CodeSettings { concurrency, same_bits: deterministic, ..CodeSettings::USUAL };
        self.sandbox.engines.flavor(code, limits)
    }

    /// The component loaded for `flavor`, if it is already.
    pub(crate) fn ready(&self, flavor: Flavor) -> Option<Arc<Loaded>> {
        lock(&self.inner.loaded).get(&flavor)?.get().cloned()
    }

    /// The component loaded for `flavor`, compiled within `budget` if need be. One that no slot of the pool can hold is loaded
    /// without the pool.
    pub(crate) async fn loaded(&self, flavor: Flavor, budget: Duration) -> Result<Arc<Loaded>, Stop> {
        let cell = Arc::clone(lock(&self.inner.loaded).entry(flavor).or_default());
        let loaded = cell.get_or_try_init(|| self.load(flavor, budget)).await?;
        Ok(Arc::clone(loaded))
    }

    async fn load(&self, flavor: Flavor, budget: Duration) -> Result<Arc<Loaded>, Stop> {
        let parts = self.sandbox.engines.get(flavor).map_err(|error| Stop::host(error.to_string()))?;
        let code = self.code(flavor.code, budget).await?;
        let component = &self.inner.component;
        match code.get().map(|code| code.load(&parts.engine)) {
            Some(Ok(compiled)) => Loaded::new(parts, component, &compiled).map(Arc::new),
            // It needs more than a slot has.
            Some(Err(_)) if flavor.allocation == Allocation::Pooled => {
                Box::pin(self.loaded(flavor.on_demand(), budget)).await
            }
            Some(Err(error)) => {
                self.sandbox.coder.forget(component, flavor.code, &format!("{error:#}"));
                lock(&self.inner.code).remove(&flavor.code);
                let code = self.code(flavor.code, budget).await?;
                let compiled = code.get().map(|code| code.load(&parts.engine)).transpose();
                let compiled =
                    compiled.map_err(|error| Stop::host(format!("compiled code does not load: {error:#}")))?;
                let compiled = compiled.ok_or_else(|| Stop::host("there is no compiled code"))?;
                Loaded::new(parts, component, &compiled).map(Arc::new)
            }
            None => Err(Stop::host("there is no compiled code")),
        }
    }

    /// The code, found or made once for all engines that can run it.
    async fn code(&self, settings: CodeSettings, budget: Duration) -> Result<Arc<OnceCell<Code>>, Stop> {
        let cell = Arc::clone(lock(&self.inner.code).entry(settings).or_default());
        cell.get_or_try_init(|| self.sandbox.coder.code(&self.inner.component, settings, budget)).await?;
        Ok(cell)
    }
}

impl Loaded {
    fn new(parts: EngineParts, component: &Component, compiled: &wasmtime::component::Component) -> Result<Self, Stop> {
        let mut linker = Linker::new(&parts.engine);
        capability::link(&mut linker, component.imports.iter().map(|import| import.name.as_str()))
            .map_err(link_error)?;
        trap_unknown(&mut linker, component, compiled).map_err(link_error)?;
        let pre = linker.instantiate_pre(compiled).map_err(link_error)?;
        let entry = match component.contract {
            Contract::Command => Entry::Command(CommandPre::new(pre).map_err(link_error)?),
            Contract::Exports => {
                let index = |tool: &Tool| Some((tool.function.clone(), export_index(compiled, tool)?));
                Entry::Exports { pre, functions: component.tools.iter().filter_map(index).collect() }
            }
        };
        Ok(Self { parts, entry })
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
