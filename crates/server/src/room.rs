//! Room for messages that are being answered.
//!
//! What always holds: there are never more than the limits allow, of all clients and of each principal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::auth::Principal;
use crate::limits::Limits;
use crate::refusal::Refusal;

/// Seconds after which a client may ask again for what there is no room for now.
const RETRY_AFTER: u64 = 1;

/// Room for messages.
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

/// One message that is being answered, until it is dropped.
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

    /// Lets in a message of `principal`.
    pub(crate) fn enter(self: &Arc<Self>, principal: &Principal) -> Result<Inside, Refusal> {
        let later = |message| Refusal::later(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER);
        let mut inside = self.inside();
        if inside.all >= self.limits.messages {
            return Err(later("too many messages are being answered"));
        }
        let own = inside.of.get(principal).copied().unwrap_or_default();
        if own >= self.limits.messages_per_principal {
            return Err(later("too many messages of yours are being answered"));
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
