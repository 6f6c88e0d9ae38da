//! Asking the person at the client, by elicitation.
//!
//! What always holds: a client is asked only where it said that it can ask; its answer holds once or as long as the session, and is
//! never written anywhere, since a client can be made to answer by whoever speaks to it; what is shown is escaped and says who asks.

use std::sync::Arc;

use async_trait::async_trait;
use caplet::audit::Who;
use caplet::{Answer, Approver, CallContext, Question};
use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, EnumSchema, PrimitiveSchemaDefinition,
};
use rmcp::service::{Peer, RequestContext};
use tokio_util::sync::CancellationToken;

use crate::session::{Session, is_modern};
use crate::waiting::Waiting;

/// The field of the form, and what it can say.
const FIELD: &str = "answer";
const ONCE: &str = "once";
const SESSION: &str = "session";
const NO: &str = "no";

/// Whom a session may ask.
#[derive(Clone, Debug)]
pub(crate) struct Asks {
    /// Where the client cannot be asked.
    pub(crate) approver: Option<Arc<dyn Approver>>,
    /// Whether the client's own user may be asked.
    pub(crate) client: bool,
    /// The profile whose tools are served, for records.
    pub(crate) profile: Option<Arc<str>>,
    /// Calls whose clients were answered with a question.
    pub(crate) waiting: Arc<Waiting>,
}

/// How a person is asked during a call.
pub(crate) enum Way {
    /// While the client waits for its answer, or not at all.
    Aside,
    /// By an answer that asks, after which the client comes back.
    Rounds,
}

/// What a call needs to ask a person: the client, where it can; else whom the server has.
pub(crate) fn with_approver(
    own: CallContext,
    session: &Session,
    context: &RequestContext<RoleServer>,
) -> (CallContext, Way) {
    let mut own = own.approval_timeout(session.settings.approval_timeout);
    let mut who = Who { session: Some(session.id.clone()), ..Who::default() };
    who.profile = session.asks.profile.as_deref().map(str::to_owned);
    if let Some(client) = context.client_info() {
        (who.client, who.version) = (Some(client.name.clone()), Some(client.version));
        own = own.client(client.name);
    }
    own = own.who(who);
    match (session.asks.client && shows_forms(context), &session.asks.approver) {
        (true, _) if is_modern(context) => (own, Way::Rounds),
        (true, _) => {
            let client = Client { peer: context.peer.clone(), ending: session.life.ending.clone() };
            (own.approver(Arc::new(client)), Way::Aside)
        }
        (false, Some(approver)) => (own.approver(Arc::clone(approver)), Way::Aside),
        (false, None) => (own, Way::Aside),
    }
}

/// Whether the client of this request said that it can show a form.
fn shows_forms(context: &RequestContext<RoleServer>) -> bool {
    let elicitation = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    // Who says nothing more means forms: there was nothing else at first.
    elicitation.is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
}

/// The person at the client.
#[derive(Debug)]
struct Client {
    peer: Peer<RoleServer>,
    /// Cancelled when nothing more comes from the client.
    ending: CancellationToken,
}

#[async_trait]
impl Approver for Client {
    fn name(&self) -> &str {
        "the client"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        let asking = self.peer.create_elicitation(form(question, true)?);
        let answered = self.ending.run_until_cancelled(asking).await?.ok()?;
        Some(meaning(&answered, true))
    }
}

/// What a client is to show. Where nothing lasts longer than the call, an answer cannot either.
pub(crate) fn form(question: &Question, may_last: bool) -> Option<ElicitRequestParams> {
    Some(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: format!("Caplet asks for your permission. The tool {question}"),
        requested_schema: schema(may_last)?,
    })
}

/// One choice, which nobody makes by accident.
fn schema(may_last: bool) -> Option<ElicitationSchema> {
    let all = [(NO, "No"), (ONCE, "Yes, this once"), (SESSION, "Yes, until this session ends")];
    let choices = all.into_iter().filter(|(choice, _)| may_last || *choice != SESSION);
    let (choices, titles): (Vec<String>, Vec<String>) =
        choices.map(|(choice, title)| (choice.to_owned(), title.to_owned())).unzip();
    let choice = EnumSchema::builder(choices).enum_titles(titles).ok()?.title("May it?").with_default(NO).ok()?.build();
    ElicitationSchema::builder().required_property(FIELD, PrimitiveSchemaDefinition::Enum(choice)).build().ok()
}

/// What a client answered: whatever is no clear yes is a no.
pub(crate) fn meaning(answered: &ElicitResult, may_last: bool) -> Answer {
    let said = answered.content.as_ref().and_then(|content| content.get(FIELD)?.as_str());
    match (&answered.action, said) {
        (ElicitationAction::Accept, Some(ONCE)) => Answer::Once,
        (ElicitationAction::Accept, Some(SESSION)) if may_last => Answer::Session,
        _ => Answer::No,
    }
}
