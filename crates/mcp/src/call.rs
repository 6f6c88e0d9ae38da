//! One call of a tool: from what the client asks to what it is answered.

use std::sync::Arc;

use caplet::audit::{Outcome, TraceParent};
use caplet::authority::Journal;
use caplet::{CallContext, Offer};
use http::request::Parts;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

use crate::answer::{self, Room};
use crate::asking::{self, Way};
use crate::listing::Listed;
use crate::rounds::{self, Running};
use crate::session::{Session, brief, is_modern};
use crate::{limits_tool, logging, progress};

pub(crate) async fn call(
    session: &Session,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    if is_modern(context) && (request.request_state.is_some() || request.input_responses.is_some()) {
        return rounds::go_on(session, &request, context).await;
    }
    let listing = session.offered.now();
    let Some(listed) = listing.get(&request.name) else {
        let message = format!("there is no tool called {:?}: tools/list tells which there are", brief(&request.name));
        return Err(ErrorData::invalid_params(message, None));
    };
    let Some(offer) = &listed.offer else {
        return Ok(limits_tool::answer(&listing, &request.arguments.unwrap_or_default()).into());
    };
    // Waits for its turn. The semaphore is never closed.
    let turn = tokio::select! {
        Ok(turn) = Arc::clone(&session.calls).acquire_owned() => turn,
        () = given_up(session, context) => return Ok(answer::cancelled().into()),
    };
    let journal = Arc::new(Journal::new());
    let own = CallContext::new().session(Arc::clone(&session.data)).journal(Arc::clone(&journal));
    let mut own = own.tools(listing.catalog.clone());
    if session.outlasts(context) {
        own = own.instances(Arc::clone(&session.instances));
    }
    let (own, way) = asking::with_approver(own, session, context);
    let own = match trace(context) {
        Some(parent) => own.trace(parent),
        None => own,
    };
    match way {
        Way::Rounds => {
            let digest = rounds::digest(&request);
            let arguments = Value::Object(request.arguments.unwrap_or_default());
            let began = (Arc::clone(&listing), &*request.name);
            let call = Running::begin(began, (Arc::clone(offer), arguments), (own, journal), turn);
            rounds::attend(session, digest, call, context).await
        }
        Way::Aside => {
            let arguments = Value::Object(request.arguments.unwrap_or_default());
            // It is large, and would be moved with everything that holds it.
            let calling = Box::pin(offer.call(arguments, &own, given_up(session, context)));
            let outcome = progress::with_progress(session, context, &journal, calling).await;
            drop(turn);
            Ok(told(session, (listed, offer), outcome, context).await.into())
        }
    }
}

/// Where the call belongs in its caller's trace: what the request itself says, else the HTTP request that it came in.
fn trace(context: &RequestContext<RoleServer>) -> Option<TraceParent> {
    let said = context.meta.get_traceparent().and_then(|text| text.parse().ok());
    said.or_else(|| context.extensions.get::<Parts>()?.headers.get("traceparent")?.to_str().ok()?.parse().ok())
}

/// Ends when nobody waits for the answer any more.
async fn given_up(session: &Session, context: &RequestContext<RoleServer>) {
    tokio::select! {
        () = context.ct.cancelled() => {}
        () = session.life.closed.cancelled() => {}
    }
}

/// Tells the client how the call ended. Returns what it is answered.
pub(crate) async fn told(
    session: &Session,
    (listed, offer): (&Listed, &Arc<Offer>),
    outcome: Outcome,
    context: &RequestContext<RoleServer>,
) -> CallToolResult {
    if context.ct.is_cancelled() {
        return answer::cancelled();
    }
    logging::tell(session, context, offer.name(), &outcome).await;
    let kept = session.outlasts(context).then_some(&session.kept);
    answer::answer(listed, offer, outcome, &Room { kept, inline: session.settings.inline })
}
