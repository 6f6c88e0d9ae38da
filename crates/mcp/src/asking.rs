//! Asking the person at the client, by elicitation.
//!
//! What always holds: a client is asked only where it said that it can ask; its answer holds once or as long as the session, and is
//! never written anywhere, since a client can be made to answer by whoever speaks to it; what is shown is escaped and says who asks.

use std::sync::Arc;

use async_trait::async_trait;
use caplet::{Answer, Approver, CallContext, Question};
use rmcp::RoleServer;
use rmcp::model::{ElicitRequestParams, ElicitationAction, ElicitationSchema, EnumSchema, PrimitiveSchemaDefinition};
use rmcp::service::{ElicitationMode, Peer, RequestContext};

use crate::session::{Session, is_modern};

/// The field of the form, and what it can say.
const FIELD: &str = "answer";
const ONCE: &str = "once";
const SESSION: &str = "session";
const NO: &str = "no";

/// What a call needs to ask a person: the client, where it can; else whom the server has.
pub(crate) fn with_approver(own: CallContext, session: &Session, context: &RequestContext<RoleServer>) -> CallContext {
    let mut own = own.approval_timeout(session.settings.approval_timeout);
    if let Some(client) = context.peer.peer_info() {
        own = own.client(client.client_info.name.clone());
    }
    // A request that stands alone has nobody who could be asked in between.
    let can_ask = session.asks_client && !is_modern(context);
    let can_ask = can_ask && context.peer.supported_elicitation_modes().contains(&ElicitationMode::Form);
    match (can_ask, &session.approver) {
        (true, _) => own.approver(Arc::new(Client { peer: context.peer.clone() })),
        (false, Some(approver)) => own.approver(Arc::clone(approver)),
        (false, None) => own,
    }
}

/// The person at the client.
#[derive(Debug)]
struct Client {
    peer: Peer<RoleServer>,
}

#[async_trait]
impl Approver for Client {
    fn name(&self) -> &str {
        "the client"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        let form = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: format!("Caplet asks for your permission. The tool {question}"),
            requested_schema: form()?,
        };
        let answered = self.peer.create_elicitation(form).await.ok()?;
        let said = answered.content.as_ref().and_then(|content| content.get(FIELD)?.as_str());
        Some(match (answered.action, said) {
            (ElicitationAction::Accept, Some(ONCE)) => Answer::Once,
            (ElicitationAction::Accept, Some(SESSION)) => Answer::Session,
            _ => Answer::No,
        })
    }
}

/// One choice, which nobody makes by accident.
fn form() -> Option<ElicitationSchema> {
    let titles = ["No", "Yes, this once", "Yes, until this session ends"].map(str::to_owned);
    let choice = EnumSchema::builder([NO, ONCE, SESSION].map(str::to_owned).into())
        .enum_titles(titles.into())
        .ok()?
        .title("May it?")
        .with_default(NO)
        .ok()?
        .build();
    ElicitationSchema::builder().required_property(FIELD, PrimitiveSchemaDefinition::Enum(choice)).build().ok()
}
