//! One call of a tool: from what the client asks to what it is answered.

use std::sync::Arc;

use caplet::authority::Journal;
use caplet::{CallContext, Offer};
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

use crate::answer::{self, Room};
use crate::asking;
use crate::listing::Listed;
use crate::session::{Session, brief};
use crate::{limits_tool, logging, progress};

pub(crate) async fn call(
    session: &Session,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let listing = session.offered.now();
    let Some(listed) = listing.get(&request.name) else {
        let message = format!("there is no tool called {:?}: tools/list tells which there are", brief(&request.name));
        return Err(ErrorData::invalid_params(message, None));
    };
    let arguments = request.arguments.unwrap_or_default();
    match &listed.offer {
        Some(offer) => {
            let mut own = CallContext::new().tools(listing.catalog.clone());
            if session.outlasts(context) {
                own = own.instances(Arc::clone(&session.instances));
            }
            Ok(call_offer(session, listed, offer, Value::Object(arguments), (own, context)).await)
        }
        None => Ok(limits_tool::answer(&listing, &arguments)),
    }
}

async fn call_offer(
    session: &Session,
    listed: &Listed,
    offer: &Arc<Offer>,
    arguments: Value,
    (own, context): (CallContext, &RequestContext<RoleServer>),
) -> CallToolResult {
    let cancelled = || async {
        tokio::select! {
            () = context.ct.cancelled() => {}
            () = session.life.closed.cancelled() => {}
        }
    };
    // Waits for its turn. The semaphore is never closed.
    let turn = tokio::select! {
        turn = session.calls.acquire() => turn,
        () = cancelled() => return answer::cancelled(),
    };
    let journal = Arc::new(Journal::new());
    let own = own.session(Arc::clone(&session.data)).journal(Arc::clone(&journal));
    let own = asking::with_approver(own, session, context);
    // It is large, and would be moved with everything that holds it.
    let calling = Box::pin(offer.call(arguments, &own, cancelled()));
    let outcome = progress::with_progress(session, context, &journal, calling).await;
    drop(turn);
    if context.ct.is_cancelled() {
        return answer::cancelled();
    }
    logging::tell(session, context, offer.name(), &outcome).await;
    let kept = session.outlasts(context).then_some(&session.kept);
    answer::answer(listed, offer, outcome, &Room { kept, inline: session.settings.inline })
}
