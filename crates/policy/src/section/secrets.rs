//! `caplet:secrets`: credentials that the host puts into requests. Only their names are known here, never their values.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::name::{op_name, rule_name};
use super::text_matcher::TextMatcher;
use super::{Allow, Reason, Reserved, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::language::{literal, many, repeated, without};
use crate::pattern::set::TooMany;
use crate::pattern::url::Target;
use crate::pattern::url_language as language;
use crate::pattern::url_pattern::UrlPattern;

/// Credentials.
#[derive(Debug)]
pub enum SecretsSection {}

/// To have the host put a credential into a request to a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretOp {
    name: Arc<str>,
    target: Target,
}

impl SecretOp {
    /// Asks for the credential `name` in a request to `url`.
    ///
    /// # Errors
    ///
    /// When the name is empty or too long, or the URL is not one that can be asked for.
    pub fn new(name: &str, url: &str) -> Result<Self, OpError> {
        Ok(Self { name: op_name("secret", name, &['@'])?, target: Target::parse(url)? })
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
        match rest.split_once('@') {
            Some((name, url)) => Self::new(name, url),
            None => Err(OpError::with_fix("the op has no URL", "write `secret NAME@https://example.com/path`")),
        }
    }
}

impl fmt::Display for SecretOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}@{}", self.name, self.target)
    }
}

/// `secret:NAME@URL-PATTERN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRule {
    name: Arc<str>,
    url: UrlPattern,
}

impl SecretRule {
    /// A rule that lets the credential `name` go into requests to URLs that match `url`.
    ///
    /// # Errors
    ///
    /// When the name is none, or the pattern is no URL pattern.
    pub fn new(name: &str, url: &str) -> Result<Self, RuleError> {
        Ok(Self { name: rule_name("secret", name, &['@', '/', ':'])?, url: UrlPattern::parse(url)? })
    }

    /// The credential's name.
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
        let name = rule_name("secret", name, &['/', ':'])?;
        let url = UrlPattern::parse(url).map_err(|error| error.shifted(name.len() + 1))?;
        Ok(Self { name, url })
    }
}

impl fmt::Display for SecretRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}@{}", self.name, self.url)
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
        let permits = |rule: &SecretRule| rule.name == op.name && rule.url.opens(&op.target);
        let denies = |rule: &SecretRule| rule.name == op.name && rule.url.shuts(&op.target);
        matcher.judge(rules, op.target.path(), permits, denies)
    }

    fn universe() -> Hir {
        let name = repeated(without(&['@', '\0']), 1, None);
        Hir::concat(vec![name, literal("@"), language::any_target()])
    }

    fn permitted_by(rule: &SecretRule) -> Hir {
        Hir::concat(vec![literal(&rule.name), literal("@"), language::opened(&rule.url)])
    }

    fn denied_by(rule: &SecretRule) -> Hir {
        Hir::concat(vec![literal(&rule.name), literal("@"), language::shut(&rule.url)])
    }

    fn decode(text: &str) -> Option<SecretOp> {
        let (name, target) = text.split_once('@')?;
        SecretOp::new(name, &language::url(target)?).ok()
    }

    fn reserved() -> Vec<Reserved<Self>> {
        let name = many(without(&['@']));
        vec![Reserved {
            language: Hir::concat(vec![name, literal("@"), language::special_target()]),
            opened_by: Some(|rule| rule.url.host().is_naming()),
        }]
    }

    fn nicer(op: &SecretOp) -> Vec<SecretOp> {
        let own = op.target.on_default_port();
        own.map(|target| SecretOp { name: Arc::clone(&op.name), target }).into_iter().collect()
    }

    fn suggestion(op: &SecretOp) -> Option<String> {
        Some(format!("secret:{}@{}", op.name, UrlPattern::of(&op.target)))
    }
}
