//! What an agent is offered: functions of tools by name, each under its grant.
//!
//! What always holds: names are unique, and of the letters that every client takes; what is offered was described by the bytes that
//! run; nothing is compiled, opened or granted before the first call; nothing here can be changed by a call.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use caplet_audit::{ErrorInfo, ErrorKind, Outcome};
use caplet_policy::{Class, Policy};
use serde_json::Value;

use crate::caplet::{Caplet, Tool};
use crate::context::CallContext;
use crate::error::Error;
use crate::grant::Grant;
use crate::granted::Granted;
use crate::toolbox::{Shown, Toolbox};

/// Bytes of a name that an agent sees: what the strictest of the common clients take.
const LONGEST_NAME: usize = 64;

/// What the host's own tools are called. No other tool may be called so.
pub(crate) const RESERVED: &str = "caplet_";

/// All that an agent is offered at one time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By name.
    offers: BTreeMap<String, Arc<Offer>>,
    hidden: Vec<Hidden>,
}

/// One function of one tool, under its grant.
pub struct Offer {
    shown: Shown,
    shared: Arc<Shared>,
    annotations: Annotations,
}

/// What the functions of a tool have in common.
struct Shared {
    caplet: Caplet,
    tool: Tool,
    cwd: PathBuf,
    toolbox: Toolbox,
    /// Made with the first call. A grant that could not be made is tried again.
    granted: Mutex<Option<Arc<Granted>>>,
}

/// A tool that is not offered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Its name in the toolbox.
    pub tool: String,
    /// Why.
    pub error: ErrorInfo,
}

/// What a client may be told of what a tool does. It follows from the policy, and not from what the author says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Annotations {
    /// It can change nothing: neither files nor buckets nor anything on the network.
    pub read_only: bool,
    /// It can destroy something.
    pub destructive: bool,
    /// To call it again with the same arguments changes nothing more.
    pub idempotent: bool,
    /// It can reach the network.
    pub open_world: bool,
}

impl Catalog {
    /// What `toolbox` offers. Relative rules are taken from its folder; guests are at `cwd`.
    #[must_use]
    pub fn new(caplet: &Caplet, toolbox: &Toolbox, cwd: impl Into<PathBuf>) -> Self {
        let cwd = cwd.into();
        let mut inner = Inner::default();
        for configured in toolbox.tools() {
            let name = configured.name().to_owned();
            let offers = configured.grant(&cwd).and_then(|grant| {
                let tool = caplet.load(configured.source())?.named(&name);
                let shown = configured.shown(tool.component())?;
                Ok(offers(caplet, &tool, &grant, shown, toolbox, &cwd))
            });
            match offers.and_then(|offers| inner.admit(offers)) {
                Ok(()) => {}
                Err(error) => inner.hidden.push(Hidden { tool: name, error: error.info() }),
            }
        }
        Self { inner: Arc::new(inner) }
    }

    /// What is offered, by name.
    pub fn offers(&self) -> impl ExactSizeIterator<Item = &Arc<Offer>> {
        self.inner.offers.values()
    }

    /// What is offered as `name`.
    #[must_use]
    pub fn offer(&self, name: &str) -> Option<&Arc<Offer>> {
        self.inner.offers.get(name)
    }

    /// Tools that are not offered.
    #[must_use]
    pub fn hidden(&self) -> &[Hidden] {
        &self.inner.hidden
    }
}

impl Inner {
    /// Takes all functions of a tool, or none.
    fn admit(&mut self, offers: Vec<Offer>) -> Result<(), Error> {
        for offer in &offers {
            let refuse = |reason: &str| Error::Grant {
                asked: format!("the tool {}", offer.tool()),
                reason: format!("an agent would see it as {:?}, {reason}", offer.name()),
                hint: Some("give it another name in caplet.toml".to_owned()),
            };
            if self.offers.contains_key(offer.name()) {
                return Err(refuse("which another tool is called already"));
            }
            if offer.name().starts_with(RESERVED) {
                return Err(refuse("and such names are kept for Caplet's own"));
            }
            if !is_name(offer.name()) {
                return Err(refuse("which is no name that clients take"));
            }
        }
        self.offers.extend(offers.into_iter().map(|offer| (offer.name().to_owned(), Arc::new(offer))));
        Ok(())
    }
}

/// Letters, digits, `_` and `-`, at most 64 of them.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_plain)
}

fn offers(
    caplet: &Caplet,
    tool: &Tool,
    grant: &Grant,
    shown: Vec<Shown>,
    toolbox: &Toolbox,
    cwd: &std::path::Path,
) -> Vec<Offer> {
    let shared = Arc::new(Shared {
        caplet: caplet.clone(),
        tool: tool.clone(),
        cwd: cwd.to_owned(),
        toolbox: toolbox.clone(),
        granted: Mutex::default(),
    });
    let offer = |shown: Shown| Offer {
        annotations: Annotations::of(&caplet.policy(tool, Some(&shown.function), grant)),
        shown,
        shared: Arc::clone(&shared),
    };
    shown.into_iter().map(offer).collect()
}

impl Annotations {
    /// What `policy` lets happen.
    fn of(policy: &Policy) -> Self {
        let changes = [Class::Filesystem, Class::Http, Class::KeyValue, Class::Tools];
        let read_only = !changes.iter().any(|class| policy.grants_class(*class));
        let open_world = policy.grants_class(Class::Http);
        Self { read_only, destructive: !read_only, idempotent: read_only, open_world }
    }
}

impl Offer {
    /// What an agent calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shown.name
    }

    /// What people see as its name, if the toolbox says it.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.shown.title.as_deref()
    }

    /// The tool's name in the toolbox.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.shared.tool.name()
    }

    /// The function's name in the tool.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.shown.function
    }

    /// What it is for: what the toolbox says, else its author. Text from a stranger.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.shown.description
    }

    /// JSON Schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> &Value {
        self.facts().map_or(&Value::Null, |facts| &facts.input_schema)
    }

    /// JSON Schema of its answer, if it gives one.
    #[must_use]
    pub fn output_schema(&self) -> Option<&Value> {
        self.facts()?.output_schema.as_ref()
    }

    /// What it can do.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        self.annotations
    }

    /// The policy that it is under.
    ///
    /// # Errors
    ///
    /// When a file with a value of the toolbox cannot be read.
    pub fn policy(&self) -> Result<Policy, Error> {
        let Shared { caplet, tool, .. } = &*self.shared;
        Ok(caplet.policy(tool, Some(self.function()), &self.shared.grant()?))
    }

    /// Calls it. Whatever happens is the outcome, and it is on record before it is returned. When `cancel` ends first, or the future is
    /// dropped, the guest stops at once.
    pub async fn call(&self, arguments: Value, context: &CallContext, cancel: impl Future<Output = ()>) -> Outcome {
        let function = Some(self.function());
        match self.shared.granted() {
            Ok(granted) => granted.call_in(function, arguments, context, cancel).await,
            Err(error) => self.shared.caplet.refuse(self.tool(), function, error.info()),
        }
    }

    fn facts(&self) -> Option<&caplet_component::Tool> {
        self.shared.tool.component().tools.iter().find(|tool| tool.function == self.function())
    }
}

impl Shared {
    fn grant(&self) -> Result<Grant, Error> {
        let configured = self.toolbox.tool(self.tool.name()).ok_or_else(|| Error::Grant {
            asked: format!("the tool {}", self.tool.name()),
            reason: "the toolbox has none of that name".to_owned(),
            hint: None,
        })?;
        configured.grant(&self.cwd)
    }

    fn granted(&self) -> Result<Arc<Granted>, Error> {
        let mut known = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(granted) = &*known {
            return Ok(Arc::clone(granted));
        }
        let granted = Arc::new(self.caplet.grant(&self.tool, self.grant()?)?);
        Ok(Arc::clone(known.insert(granted)))
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("name", &self.name()).field("function", &self.function()).finish_non_exhaustive()
    }
}

impl Hidden {
    /// Whether a person has to look at it before it comes back.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        matches!(self.error.kind, ErrorKind::Denied)
    }
}
