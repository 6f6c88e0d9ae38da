//! A layer from the text that it shows itself as: for what is kept of a call, and read again.
//!
//! What always holds: a text that is not understood is refused as a whole, so that it can neither widen nor narrow anything by being
//! read in half.

use std::str::FromStr;

use crate::class::Class;
use crate::layer::{Layer, LayerKind};
use crate::path::GuestPath;
use crate::rule::Rule;

/// A text that is not that of a layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text of a layer has the line {line:?}, which no layer has")]
#[non_exhaustive]
pub struct LayerTextError {
    /// The line.
    pub line: String,
}

/// What a line starts with that leaves a class without bounds.
const EVERYTHING: &str = "allow everything of ";

impl FromStr for Layer {
    type Err = LayerTextError;

    /// Reads what the layer's `Display` wrote. The value of a rule that hides it is not in that text, so it is not in what is read.
    fn from_str(text: &str) -> Result<Self, LayerTextError> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let mut layer = Self::open(kind(first).ok_or_else(|| refuse(first))?);
        let lines: Vec<&str> = lines.map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        for class in Class::ALL {
            let is_open = |line: &&str| line.strip_prefix(EVERYTHING) == Some(class.as_str());
            if !lines.iter().any(is_open) {
                layer.restrict(class);
            }
        }
        for line in lines.into_iter().filter(|line| !line.starts_with(EVERYTHING)) {
            add(&mut layer, line).ok_or_else(|| refuse(line))?;
        }
        if layer.to_string() == text { Ok(layer) } else { Err(refuse(text)) }
    }
}

fn add(layer: &mut Layer, line: &str) -> Option<()> {
    let (verb, rule) = line.split_once(' ')?;
    let rule = Rule::parse_grant(rule, &GuestPath::root()).ok()?;
    match verb {
        "allow" => layer.add_allow(rule),
        "deny" => layer.add_deny(rule),
        "ask" => layer.add_ask(rule).ok()?,
        _ => return None,
    }
    Some(())
}

fn kind(name: &str) -> Option<LayerKind> {
    let kinds = [
        LayerKind::Manifest,
        LayerKind::Operator,
        LayerKind::Function,
        LayerKind::Project,
        LayerKind::Session,
        LayerKind::Call,
        LayerKind::Host,
    ];
    kinds.into_iter().find(|kind| kind.as_str() == name)
}

fn refuse(line: &str) -> LayerTextError {
    LayerTextError { line: crate::text::shortened(line, 200) }
}
