//! Room for requests of MCP that are being answered: messages, and streams that are open.
//!
//! What always holds: there are never more than the limits allow, of all clients and of each principal. A connection keeps its place
//! while a request is in flight, so this is also what keeps one principal from having all places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::auth::Principal;
use crate::limits::Limits;
use crate::refusal::Refusal;

/// Seconds after which a client may ask again for what there is no room for now.
const RETRY_AFTER: u64 = 1;

/// Room for requests.
#[derive(Debug)]
pub(crate) struct Room {
    limits: Arc<Limits>,
    inside: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of: HashMap<Principal, usize>,
}

/// One request that is being answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Inside {
    room: Arc<Room>,
    principal: Principal,
}

impl Room {
    pub(crate) fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self { limits, inside: Mutex::default() })
    }

    fn inside(&self) -> MutexGuard<'_, Counts> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in a request of `principal`.
    pub(crate) fn enter(self: &Arc<Self>, principal: &Principal) -> Result<Inside, Refusal> {
        let later = |status, message| Refusal::later(status, message, RETRY_AFTER);
        let mut inside = self.inside();
        let own = inside.of.get(principal).copied().unwrap_or_default();
        if own >= self.limits.in_flight_per_principal {
            let message = "too many requests of yours are being answered, streams that are open among them";
            return Err(later(StatusCode::TOO_MANY_REQUESTS, message));
        }
        if inside.all >= self.limits.in_flight {
            return Err(later(StatusCode::SERVICE_UNAVAILABLE, "too many requests are being answered"));
        }
        inside.all += 1;
        inside.of.insert(principal.clone(), own + 1);
        Ok(Inside { room: Arc::clone(self), principal: principal.clone() })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut inside = self.room.inside();
        inside.all = inside.all.saturating_sub(1);
        let left = inside.of.get_mut(&self.principal).map_or(0, |own| {
            *own = own.saturating_sub(1);
            *own
        });
        if left == 0 {
            inside.of.remove(&self.principal);
        }
    }
}
