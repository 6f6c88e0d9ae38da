//! Notifications of progress while a call runs, for a client that asked for them.

use std::sync::Arc;
use std::time::Duration;

use caplet::authority::Journal;
use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::session::Session;

/// How long between two notifications: often enough to be seen moving, and no load.
const PERIOD: Duration = Duration::from_millis(250);

/// Runs `call`, and tells of its progress until it ends. What is being sent at the end is sent before this returns, so that nothing
/// comes after the answer.
pub(crate) async fn with_progress<T>(
    session: &Session,
    context: &RequestContext<RoleServer>,
    journal: &Arc<Journal>,
    call: impl Future<Output = T>,
) -> T {
    let Some(token) = context.meta.get_progress_token() else { return call.await };
    let ended = CancellationToken::new();
    let telling = async {
        let started = Instant::now();
        let mut ticks = interval_at(started + PERIOD, PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            let running = started.elapsed().as_secs_f64();
            let notification =
                ProgressNotificationParam::new(token.clone(), running).with_message(message(running, journal));
            if context.ct.is_cancelled() || !session.tell(context.peer.notify_progress(notification)).await {
                break;
            }
        }
    };
    let call = async {
        let outcome = call.await;
        ended.cancel();
        outcome
    };
    tokio::join!(call, telling).0
}

fn message(seconds: f64, journal: &Journal) -> String {
    let decisions: u64 = journal.ops().iter().map(|(_, count)| count).sum();
    format!("running for {seconds:.1} s, {decisions} operations so far")
}
