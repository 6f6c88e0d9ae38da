//! The server: what all sessions have in common.

use std::sync::Arc;

use caplet::authority::Allowance;
use caplet::{Approver, Catalog};
use tokio::sync::watch;

use crate::asking::Asks;
use crate::offered::Offered;
use crate::session::{Lifetime, Session};
use crate::settings::Settings;

/// Serves the tools of a catalog that may change. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server {
    offered: Arc<Offered>,
    settings: Settings,
    /// What all sessions may hold together.
    together: Option<Arc<Allowance>>,
    /// With the calls that wait for clients that have no session.
    asks: Asks,
}

impl Server {
    /// A server of what `catalogs` holds, now and later. Calls that run when it changes go on with the tool that they began with.
    #[must_use]
    pub fn new(catalogs: watch::Receiver<Catalog>, settings: Settings) -> Self {
        let asks = Asks { approver: None, client: true, profile: None, waiting: Arc::default() };
        Self { offered: Arc::new(Offered::new(catalogs)), settings, together: None, asks }
    }

    /// Whom to ask where a rule says to, when the client itself cannot put a question to its user. Without anybody, it is a no.
    #[must_use]
    pub fn approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.asks.approver = Some(approver);
        self
    }

    /// Takes what sessions hold in memory, data and results, from `together` as well as from what each may have. Servers that have the
    /// same one share it.
    #[must_use]
    pub fn within(self, together: Arc<Allowance>) -> Self {
        Self { together: Some(together), ..self }
    }

    /// A server of `catalog`, which never changes.
    #[must_use]
    pub fn fixed(catalog: Catalog, settings: Settings) -> Self {
        Self::new(watch::channel(catalog).1, settings)
    }

    /// The profile whose tools these are: for records.
    #[must_use]
    pub fn profile(mut self, name: &str) -> Self {
        self.asks.profile = Some(name.into());
        self
    }

    /// Whether a client's own user may be asked, which is so by itself. Where clients are others than the operator, they are not.
    #[must_use]
    pub fn asks_clients(mut self, asks_clients: bool) -> Self {
        self.asks.client = asks_clients;
        self
    }

    /// What one session may have.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The handler of one client on a connection that lasts, whatever revision of the protocol it speaks.
    #[must_use]
    pub fn session(&self) -> Session {
        // What waits on one connection is found on no other.
        let asks = Asks { waiting: Arc::default(), ..self.asks.clone() };
        self.handler(Lifetime::Connection, asks)
    }

    /// The handler of one session of HTTP, or of one request in a revision that has no sessions. There nothing can be read later, so
    /// long results are cut instead of kept.
    #[must_use]
    pub fn http_session(&self) -> Session {
        self.handler(Lifetime::Http, self.asks.clone())
    }

    /// Stops the calls that wait for a client to come back with an answer, and returns when their records are kept. For the end of a
    /// server of [`Server::http_session`]s; on a connection that lasts, [`serve`](crate::serve) does so.
    pub async fn end(&self) {
        self.asks.waiting.end().await;
    }

    fn handler(&self, lifetime: Lifetime, asks: Asks) -> Session {
        Session::new(Arc::clone(&self.offered), self.settings, self.together.clone(), lifetime, asks)
    }
}
