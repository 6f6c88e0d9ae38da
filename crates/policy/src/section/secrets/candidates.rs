//! Which credentials the rules ask the host to put into a request.

use super::{Placement, SecretOp, SecretRule, SecretsSection};
use crate::guard::Guard;
use crate::layer::{Layer, LayerKind};
use crate::section::http::HttpOp;

impl Guard<SecretsSection> {
    /// The credentials that the layers after the ceiling ask the host to put into `request`, in the order of their rules, each
    /// once. Nothing is decided here: each needs a [`Guard::check`] of its own before the credential is touched, and that is
    /// where the ceiling and the deny rules have their say.
    ///
    /// A rule that does not say where the credential goes leaves that to the first rule for the same name and URL that does, in
    /// the outermost layer that has one; where none does, it is [`Placement::Bearer`].
    #[must_use]
    pub fn candidates(&self, request: &HttpOp) -> Vec<SecretOp> {
        let layers = self.policy().layers();
        let said = |name: &str| {
            let mut rules = layers
                .iter()
                .flat_map(|layer| matching(layer, request))
                .filter(|rule| rule.is_about_all() || rule.name() == name);
            rules.find_map(|rule| rule.placement().cloned())
        };
        let mut found: Vec<SecretOp> = Vec::new();
        let granting = layers.iter().filter(|layer| layer.kind() != LayerKind::Manifest);
        for rule in granting.flat_map(|layer| matching(layer, request)).filter(|rule| !rule.is_about_all()) {
            let placement = rule.placement().cloned().or_else(|| said(rule.name())).unwrap_or(Placement::Bearer);
            let op = rule.op(request, placement);
            if !found.contains(&op) {
                found.push(op);
            }
        }
        found
    }
}

/// The rules of `layer` that match `request`: those that allow, then those that ask.
fn matching<'l>(layer: &'l Layer, request: &HttpOp) -> Vec<&'l SecretRule> {
    let rules = layer.secrets().if_asked();
    // A layer that cannot be compiled permits nothing, so it asks for nothing.
    let Ok(matcher) = rules.matcher() else { return Vec::new() };
    let target = request.target();
    matcher.allowed(rules, target.path(), |rule| rule.opens(target)).into_iter().map(|(_, rule)| rule).collect()
}
