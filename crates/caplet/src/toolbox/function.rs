//! Functions of a tool: how they are shown to agents, and what is taken from them.

use caplet_component::Component;
use caplet_policy::{Layer, LayerKind, Rule};
use toml::Spanned;

use super::error::Fault;
use super::file::File;
use super::raw::{RawFunction, Rules};
use super::resolve::rules;
use crate::audit::text::visible;
use crate::names::{self, RESERVED, is_name};
use crate::words::without_value;

/// The longest title in bytes: one line of a menu.
const LONGEST_TITLE: usize = 120;
/// The longest description in bytes. An agent reads it with every list of tools.
const LONGEST_DESCRIPTION: usize = 4096;

/// What a file says of one function.
pub(super) struct FunctionEntry {
    /// As the component calls it.
    pub(super) function: Spanned<String>,
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) is_hidden: bool,
    pub(super) layer: Option<Layer>,
    /// What the layer has, as the file says it.
    cuts: Vec<String>,
}

/// How one function is shown to agents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// The function, as the component calls it.
    pub function: String,
    /// What an agent calls it.
    pub name: String,
    /// What people see as its name, if the toolbox says it.
    pub title: Option<String>,
    /// What it is for: what the toolbox says, else its author.
    pub description: String,
}

impl Shown {
    /// The functions of a tool of which nobody said anything.
    pub(crate) fn usual(tool: &str, component: &Component) -> Vec<Self> {
        let shown = |function: &caplet_component::Tool| Self {
            function: function.function.clone(),
            name: usual_name(tool, component, &function.function),
            title: None,
            description: function.description.clone(),
        };
        component.tools.iter().map(shown).collect()
    }
}

impl FunctionEntry {
    pub(super) fn new(file: &File, function: Spanned<String>, raw: RawFunction) -> Result<Self, Fault> {
        let RawFunction { name, title, description, hidden, allow, deny } = raw;
        let cuts = deny.iter().map(|rule| format!("deny {}", without_value(rule.get_ref())));
        let bounds = allow.iter().flatten().map(|rule| format!("allow {}", without_value(rule.get_ref())));
        let none = allow.as_ref().filter(|allow| allow.is_empty()).map(|_| "allow nothing".to_owned());
        Ok(Self {
            cuts: none.into_iter().chain(bounds).chain(cuts).collect(),
            layer: layer(file, LayerKind::Function, allow.as_ref(), &deny)?,
            function,
            name: name.as_ref().map(visible_name).transpose()?,
            title: title.as_ref().map(line).transpose()?,
            description: description.as_ref().map(paragraph).transpose()?,
            is_hidden: hidden.is_some_and(Spanned::into_inner),
        })
    }

    /// What the file says of it, line by line, for a person who is to decide about it.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { function, name, title, description, is_hidden, layer: _, cuts } = self;
        let said = [("name", name), ("title", title), ("description", description)];
        let said = said.into_iter().filter_map(|(key, text)| Some(format!("{key} {:?}", text.as_ref()?)));
        let hidden = is_hidden.then(|| "hidden".to_owned());
        let lines = said.chain(hidden).chain(cuts.iter().cloned());
        lines.map(|line| format!("function {}: {line}", function.get_ref())).collect()
    }
}

/// What narrows: at most `allow`, where there is one, even an empty one; and none of `deny`.
pub(super) fn layer(file: &File, kind: LayerKind, allow: Option<&Rules>, deny: &Rules) -> Result<Option<Layer>, Fault> {
    let allow = allow.map(|allow| rules(file, allow)).transpose()?;
    Ok(layer_of(kind, allow, rules(file, deny)?))
}

/// The layer of these rules, if it takes anything away.
pub(super) fn layer_of(kind: LayerKind, allow: Option<Vec<Rule>>, deny: Vec<Rule>) -> Option<Layer> {
    let mut layer = match (&allow, deny.is_empty()) {
        (None, true) => return None,
        (None, false) => Layer::open(kind),
        (Some(_), _) => Layer::new(kind),
    };
    allow.into_iter().flatten().for_each(|rule| layer.add_allow(rule));
    deny.into_iter().for_each(|rule| layer.add_deny(rule));
    Some(layer)
}

fn visible_name(text: &Spanned<String>) -> Result<String, Fault> {
    let name = text.get_ref();
    if name.starts_with(RESERVED) {
        let message = format!("names that start with {RESERVED} are kept for Caplet's own");
        return Err(Fault::new(text.span(), message, "give it another name"));
    }
    if !is_name(name) {
        let help = "write letters, digits, _ and -, at most 64 of them";
        return Err(Fault::new(text.span(), format!("{name:?} is no name that clients take"), help));
    }
    Ok(name.clone())
}

/// A title.
pub(super) fn line(text: &Spanned<String>) -> Result<String, Fault> {
    if text.get_ref().contains('\n') {
        return Err(Fault::new(text.span(), "a title is one line", "write the rest as the description"));
    }
    plain(text, LONGEST_TITLE)
}

/// A description.
pub(super) fn paragraph(text: &Spanned<String>) -> Result<String, Fault> {
    plain(text, LONGEST_DESCRIPTION)
}

/// Text that reads as it is: a model acts on what people do not see.
fn plain(text: &Spanned<String>, longest: usize) -> Result<String, Fault> {
    let said = text.get_ref().trim();
    let refuse = |message: String, help: &str| Err(Fault::new(text.span(), message, help));
    if said.is_empty() {
        return refuse("the text is empty".to_owned(), "leave it out, or say what it is");
    }
    if said.len() > longest {
        return refuse(format!("the text is longer than {longest} bytes"), "say it in fewer words");
    }
    if visible(said) != said {
        return refuse("the text has a character that cannot be seen".to_owned(), "write it without");
    }
    Ok(said.to_owned())
}

/// What an agent calls `function` of a tool, where nothing else is said.
pub(super) fn usual_name(tool: &str, component: &Component, function: &str) -> String {
    names::of_function(tool, function, component.tools.len())
}
