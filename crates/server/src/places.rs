//! Places for connections: a bounded number, and none that is kept by who asks for nothing while others wait.
//!
//! What always holds: there are never more places than were said; a connection with a request in flight keeps its place; when all are
//! taken, whoever comes gets the place of the one that asked nothing for longest, of the network that has most of that kind. So a flood
//! from one network takes its own places first. There is no fixed share for a network: behind a proxy, and on loopback, all clients
//! have one address.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::rate::network;

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    table: Mutex<Table>,
    /// Told when one may have become free.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    taken: HashMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    network: IpAddr,
    /// Requests in flight.
    requests: usize,
    /// Whether a whole head of a request ever came.
    has_asked: bool,
    /// Since when nothing is in flight.
    idle: Instant,
    lost: CancellationToken,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    lost: CancellationToken,
}

/// A request in flight: its connection keeps its place until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Place>);

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, table: Mutex::default(), changed: Notify::new() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`. Waits while all are taken by connections with requests in flight. Only one may wait.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr) -> Place {
        loop {
            if let Some(place) = self.try_take(network(address)) {
                return place;
            }
            self.changed.notified().await;
        }
    }

    fn try_take(self: &Arc<Self>, network: IpAddr) -> Option<Place> {
        let mut table = self.table();
        if table.taken.len() >= self.most {
            let idlest = table.idlest()?;
            table.taken.remove(&idlest)?.lost.cancel();
        }
        let number = table.next;
        table.next += 1;
        let lost = CancellationToken::new();
        let taken = Taken { network, requests: 0, has_asked: false, idle: Instant::now(), lost: lost.clone() };
        table.taken.insert(number, taken);
        Some(Place { places: Arc::clone(self), number, lost })
    }
}

impl Table {
    /// Who has to make room.
    fn idlest(&self) -> Option<u64> {
        let idle = || self.taken.iter().filter(|(_, taken)| taken.requests == 0);
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (_, taken) in idle() {
            *counts.entry(taken.network).or_default() += 1;
        }
        let idlest = idle().min_by_key(|(_, taken)| (Reverse(counts.get(&taken.network)), taken.idle));
        idlest.map(|(number, _)| *number)
    }
}

impl Place {
    /// Returns when another connection got the place.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether a whole head of a request ever came.
    pub(crate) fn has_asked(&self) -> bool {
        self.places.table().taken.get(&self.number).is_some_and(|taken| taken.has_asked)
    }

    /// Keeps the place for a request.
    pub(crate) fn in_flight(self: &Arc<Self>) -> InFlight {
        if let Some(taken) = self.places.table().taken.get_mut(&self.number) {
            taken.has_asked = true;
            taken.requests += 1;
        }
        InFlight(Arc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().taken.remove(&self.number);
        self.places.changed.notify_one();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Place { places, number, .. } = &*self.0;
        if let Some(taken) = places.table().taken.get_mut(number) {
            taken.requests = taken.requests.saturating_sub(1);
            taken.idle = Instant::now();
        }
        places.changed.notify_one();
    }
}
