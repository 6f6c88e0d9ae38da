//! What an agent is offered: functions of tools by name, each under its grant.
//!
//! What always holds: names are unique, also for a reader, and of the letters that every client takes; which tools are offered does not
//! depend on their order; what is offered was described by the bytes that run, and is as it was approved where there are pins; nothing is
//! compiled, opened or granted before the first call; nothing here can be changed by a call.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use caplet_audit::{ErrorInfo, ErrorKind};
use caplet_policy::Layer;

use crate::caplet::Caplet;
use crate::names;
use crate::offer::{Offer, Shared, refused};
use crate::terms::Terms;
use crate::toolbox::Toolbox;

/// All that an agent is offered at one time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By name.
    offers: BTreeMap<String, Arc<Offer>>,
    /// In the order of the toolbox.
    hidden: Vec<Hidden>,
}

/// A tool that is not offered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Its name in the toolbox.
    pub tool: String,
    /// Why.
    pub error: ErrorInfo,
}

impl Catalog {
    /// All that `toolbox` has, without pins. Relative rules are taken from its folder; guests are at `cwd`.
    #[must_use]
    pub fn new(caplet: &Caplet, toolbox: &Toolbox, cwd: impl Into<PathBuf>) -> Self {
        Self::on(&Terms::new(cwd), caplet, toolbox)
    }

    /// What `toolbox` offers on `terms`.
    #[must_use]
    pub fn on(terms: &Terms, caplet: &Caplet, toolbox: &Toolbox) -> Self {
        let terms = Arc::new(terms.clone());
        Self { inner: Arc::new(Inner::new(Self::found(&terms, caplet, toolbox).collect())) }
    }

    /// The same, and with it the built-in tools that the toolbox does not name, which are granted nothing: they can compute. A profile has
    /// no tools but its own.
    #[must_use]
    pub fn with_built_in(terms: &Terms, caplet: &Caplet, toolbox: &Toolbox) -> Self {
        if toolbox.profile_name().is_some() {
            return Self::on(terms, caplet, toolbox);
        }
        let terms = Arc::new(terms.clone());
        let others = Caplet::built_in().filter(|built_in| toolbox.tool(built_in.name).is_none());
        let others = others.map(|built_in| {
            let found = Shared::built_in(caplet, toolbox, &terms, built_in);
            (built_in.name.to_owned(), found.and_then(|shared| Offer::all(&Arc::new(shared))))
        });
        let found = Self::found(&terms, caplet, toolbox).chain(others);
        Self { inner: Arc::new(Inner::new(found.collect())) }
    }

    fn found<'a>(
        terms: &'a Arc<Terms>,
        caplet: &'a Caplet,
        toolbox: &'a Toolbox,
    ) -> impl Iterator<Item = Found> + use<'a> {
        toolbox.tools().filter(|configured| !configured.is_hidden()).map(|configured| {
            let found = Shared::find(caplet, toolbox, terms, &configured);
            (configured.name().to_owned(), found.and_then(|shared| Offer::all(&Arc::new(shared))))
        })
    }

    /// A narrower catalog, of those tools for which `narrowing` gives something, each with these layers over its policy: a profile of some
    /// agent, say. Layers only take away.
    #[must_use]
    pub fn narrowed(&self, narrowing: impl Fn(&str) -> Option<Vec<Layer>>) -> Self {
        let mut tools: BTreeMap<&str, Option<Arc<Shared>>> = BTreeMap::new();
        let mut offers = BTreeMap::new();
        for (name, offer) in &self.inner.offers {
            let shared = tools.entry(offer.tool()).or_insert_with_key(|tool| {
                let layers = narrowing(tool)?;
                // What is not narrowed is the same, with what its calls have in common.
                Some(if layers.is_empty() {
                    Arc::clone(&offer.shared)
                } else {
                    Arc::new(offer.shared.narrowed(layers))
                })
            });
            if let Some(shared) = shared {
                offers.insert(name.clone(), Arc::new(offer.sharing(shared)));
            }
        }
        let hidden = self.hidden().iter().filter(|hidden| narrowing(&hidden.tool).is_some()).cloned().collect();
        Self { inner: Arc::new(Inner { offers, hidden }) }
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

    /// Tools that are not offered, in the order of the toolbox.
    #[must_use]
    pub fn hidden(&self) -> &[Hidden] {
        &self.inner.hidden
    }

    /// Whether an agent sees the same in both: the names, what is said of each, and what it can do.
    #[must_use]
    pub fn looks_like(&self, other: &Self) -> bool {
        let is_like = |(one, other): (&Arc<Offer>, &Arc<Offer>)| Arc::ptr_eq(one, other) || one.looks_like(other);
        self.offers().len() == other.offers().len() && self.offers().zip(other.offers()).all(is_like)
    }
}

/// What was found of a tool: its functions, or why there are none.
type Found = (String, Result<Vec<Offer>, ErrorInfo>);

impl Inner {
    /// Takes all functions of a tool, or none; and of tools with names alike, none.
    fn new(found: Vec<Found>) -> Self {
        let rivals = rivals(&found);
        let mut inner = Self::default();
        for (tool, offers) in found {
            let offers = offers.and_then(|offers| match rivals.get(&tool) {
                Some((name, others)) => Err(alike(&tool, name, others)),
                None => Ok(offers),
            });
            match offers {
                Ok(offers) => {
                    inner.offers.extend(offers.into_iter().map(|offer| (offer.name().to_owned(), Arc::new(offer))));
                }
                Err(error) => inner.hidden.push(Hidden { tool, error }),
            }
        }
        inner
    }
}

/// For each tool that has a name which is like one of another tool: that name, and the other tools.
fn rivals(found: &[Found]) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut takers: BTreeMap<String, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let offers = found.iter().flat_map(|(_, offers)| offers.iter().flatten());
    for offer in offers {
        takers.entry(names::likeness(offer.name())).or_default().insert((offer.tool(), offer.name()));
    }
    let mut rivals: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for takers in takers.values() {
        for (tool, name) in takers {
            let others = takers.iter().map(|(other, _)| *other).filter(|other| other != tool);
            for other in others {
                let (_, known) =
                    rivals.entry((*tool).to_owned()).or_insert_with(|| ((*name).to_owned(), BTreeSet::new()));
                known.insert(other.to_owned());
            }
        }
    }
    rivals
}

fn alike(tool: &str, name: &str, others: &BTreeSet<String>) -> ErrorInfo {
    let others = others.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    refused(tool, &format!("an agent would see it as {name:?}, and could not tell that from a name of {others}"))
}

impl Hidden {
    /// Whether a person has to look at it before it comes back.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        matches!(self.error.kind, ErrorKind::Denied)
    }
}
