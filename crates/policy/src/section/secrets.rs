//! `caplet:secrets`: credentials that the host puts into requests. Only their names are known here, never their values.
//!
//! A rule for `*` is about every credential: a ceiling can leave it to the operator which one it is. It asks for none by itself.
//!
//! A rule may say where in the request the credential goes. Without that it permits every place, so that a ceiling can leave it to
//! the operator; and where nobody says, the host takes [`Placement::Bearer`]. A deny rule without a place takes all of them.
//!
//! Over plain `http` a credential goes to `localhost`, a name below it or a literal loopback address only, which rules have to
//! name as everywhere; no rule, and no layer without bounds, permits it anywhere else.

mod candidates;
mod placement;

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::http::HttpOp;
use super::name::{op_name, rule_name};
use super::text_matcher::TextMatcher;
use super::{Allow, Reason, Reserved, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::host::Host;
use crate::pattern::language::{literal, many, repeated, without};
use crate::pattern::set::TooMany;
use crate::pattern::url::{Scheme, Target};
use crate::pattern::url_language as language;
use crate::pattern::url_pattern::UrlPattern;

pub use placement::Placement;

/// Credentials.
#[derive(Debug)]
pub enum SecretsSection {}

/// To have the host put a credential into a request to a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretOp {
    name: Arc<str>,
    placement: Placement,
    target: Target,
}

impl SecretOp {
    /// Asks for the credential `name` in a request to `url`, as [`Placement::Bearer`].
    ///
    /// # Errors
    ///
    /// When the name is empty or too long, or the URL is not one that can be asked for.
    pub fn new(name: &str, url: &str) -> Result<Self, OpError> {
        let name = op_name("secret", name, &['@', ':'])?;
        Ok(Self { name, placement: Placement::Bearer, target: Target::parse(url)? })
    }

    /// The same, in another place of the request.
    #[must_use]
    pub fn with_placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// Where in the request the credential goes.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The credential's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The canonical URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.target.url()
    }

    pub(crate) fn parse(rest: &str) -> Result<Self, OpError> {
        let Some((name, url)) = rest.split_once('@') else {
            return Err(OpError::with_fix("the op has no URL", "write `secret NAME@https://example.com/path`"));
        };
        let Some((name, placement)) = name.split_once(':') else {
            return Self::new(name, url);
        };
        let placement = Placement::parse(placement).map_err(|error| match error.hint() {
            Some(fix) => OpError::with_fix(error.to_string(), fix),
            None => OpError::new(error.to_string()),
        })?;
        Ok(Self::new(name, url)?.with_placement(placement))
    }

    /// Whether nobody on the way can read the request.
    fn is_sheltered(&self) -> bool {
        match (self.target.scheme(), self.target.host()) {
            (Scheme::Https, _) => true,
            (Scheme::Http, Host::Address(address)) => address.is_loopback(),
            (Scheme::Http, host @ Host::Name(_)) => host.is_local_name(),
        }
    }
}

impl fmt::Display for SecretOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}:{}@{}", self.name, self.placement, self.target)
    }
}

/// `secret:NAME[:PLACEMENT]@URL-PATTERN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRule {
    name: Arc<str>,
    /// `None` for every place.
    placement: Option<Placement>,
    url: UrlPattern,
}

impl SecretRule {
    /// A rule that lets the credential `name` go into requests to URLs that match `url`.
    ///
    /// # Errors
    ///
    /// When the name is none, or the pattern is no URL pattern.
    pub fn new(name: &str, url: &str) -> Result<Self, RuleError> {
        let name = named(name)?;
        Ok(Self { name, placement: None, url: UrlPattern::parse(url)? })
    }

    /// The same rule for one place in requests.
    #[must_use]
    pub fn with_placement(self, placement: Placement) -> Self {
        Self { placement: Some(placement), ..self }
    }

    /// Where in requests the credential goes, if the rule says it.
    #[must_use]
    pub fn placement(&self) -> Option<&Placement> {
        self.placement.as_ref()
    }

    /// The credential's name, or `*` for every one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the credential could go to any host.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        self.url.is_broad()
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let Some((name, url)) = text.split_once('@') else {
            let fix = "write `secret:NAME@https://example.com/**`";
            return Err(RuleError::at(0, text, "the rule does not say where the secret may go", fix));
        };
        let url_at = name.len() + 1;
        let (name, placement) = name.split_once(':').map_or((name, None), |(name, rest)| (name, Some(rest)));
        let name = named(name)?;
        let placement = placement.map(Placement::parse).transpose();
        let placement = placement.map_err(|error| error.shifted(name.len() + 1))?;
        let url = UrlPattern::parse(url).map_err(|error| error.shifted(url_at))?;
        Ok(Self { name, placement, url })
    }

    /// The op to put the credential into `request`.
    fn op(&self, request: &HttpOp, placement: Placement) -> SecretOp {
        SecretOp { name: Arc::clone(&self.name), placement, target: request.target().clone() }
    }

    /// Whether the rule permits the credential in requests to `target`, as far as everything but the path and the place goes.
    fn opens(&self, target: &Target) -> bool {
        self.url.opens(target)
    }

    /// Whether the rule is about every credential.
    fn is_about_all(&self) -> bool {
        &*self.name == EVERY
    }

    /// Whether the rule is about this credential in this place.
    fn is_about(&self, op: &SecretOp) -> bool {
        (self.is_about_all() || self.name == op.name) && self.placement.as_ref().is_none_or(|own| *own == op.placement)
    }

    /// The texts `NAME:PLACEMENT@` of the ops that the rule is about.
    fn subject(&self) -> Hir {
        let placement = self.placement.as_ref().map_or_else(|| many(without(&['@'])), |own| literal(&own.to_string()));
        let name = if self.is_about_all() { any_name() } else { literal(&self.name) };
        Hir::concat(vec![name, literal(":"), placement, literal("@")])
    }
}

/// The name that a rule gives for every credential.
const EVERY: &str = "*";

/// The name in a rule.
fn named(name: &str) -> Result<Arc<str>, RuleError> {
    if name == EVERY { Ok(EVERY.into()) } else { rule_name("secret", name, &['@', '/', ':']) }
}

/// The names that ops have.
fn any_name() -> Hir {
    repeated(without(&['@', ':', '\0']), 1, None)
}

impl fmt::Display for SecretRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}", self.name)?;
        if let Some(placement) = &self.placement {
            write!(f, ":{placement}")?;
        }
        write!(f, "@{}", self.url)
    }
}

impl sealed::Sealed for SecretsSection {}

impl Section for SecretsSection {
    type Op = SecretOp;
    type Rule = SecretRule;
    type Matcher = TextMatcher;

    const CLASS: Class = Class::Secrets;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.secrets
    }

    fn compile(allow: &Allow<SecretRule>, deny: &[SecretRule]) -> Result<TextMatcher, TooMany> {
        TextMatcher::new(allow, deny, |rule| rule.url.path())
    }

    fn judge(matcher: &TextMatcher, rules: &Rules<Self>, op: &SecretOp) -> Reason {
        if !op.is_sheltered() {
            return Reason::NotEncrypted;
        }
        let permits = |rule: &SecretRule| rule.is_about(op) && rule.opens(&op.target);
        let denies = |rule: &SecretRule| rule.is_about(op) && rule.url.shuts(&op.target);
        matcher.judge(rules, op.target.path(), permits, denies)
    }

    fn universe() -> Hir {
        Hir::concat(vec![any_name(), literal(":"), Placement::language(), literal("@"), language::sheltered_target()])
    }

    fn permitted_by(rule: &SecretRule) -> Hir {
        Hir::concat(vec![rule.subject(), language::opened(&rule.url)])
    }

    fn denied_by(rule: &SecretRule) -> Hir {
        Hir::concat(vec![rule.subject(), language::shut(&rule.url)])
    }

    fn decode(text: &str) -> Option<SecretOp> {
        let (name, target) = text.split_once('@')?;
        SecretOp::parse(&format!("{name}@{}", language::url(target)?)).ok()
    }

    fn reserved() -> Vec<Reserved<Self>> {
        let name = many(without(&['@']));
        vec![Reserved {
            language: Hir::concat(vec![name, literal("@"), language::special_target()]),
            opened_by: Some(|rule| rule.url.host().is_naming()),
        }]
    }

    fn nicer(op: &SecretOp) -> Vec<SecretOp> {
        let targets: Vec<Target> =
            [Some(op.target.clone()), op.target.on_default_port()].into_iter().flatten().collect();
        let common = [Placement::Header("x-api-key".into()), Placement::Basic, Placement::Bearer];
        let placements = [op.placement.clone()].into_iter().chain(common);
        let with = |placement: Placement| SecretOp { placement, ..op.clone() };
        placements
            .flat_map(|own| targets.iter().map(move |target| SecretOp { target: target.clone(), ..with(own.clone()) }))
            .collect()
    }

    fn suggestion(op: &SecretOp) -> Option<String> {
        Some(format!("secret:{}:{}@{}", op.name, op.placement, UrlPattern::of(&op.target)))
    }
}
