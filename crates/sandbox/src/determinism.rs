//! Deterministic calls: what such a call has in the place of the host's time, chance and pace.
//!
//! Time is virtual. It starts at [`START`], each look at a clock moves it by [`STEP`], and waiting moves it to what was waited for, at once.
//! The call's end is a matter of what it did: of its fuel, and of how long it waited in its own time. Wall time is a backstop alone.
//!
//! What always holds: nothing here comes from the host; two calls with the same seed that do the same see the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use caplet_audit::ErrorKind;
use caplet_policy::{Answered, AnyOp, Asker, ClockSetting, Limits};
use caplet_vfs::{CallTime, Timestamp};
use sha2::{Digest, Sha256};

use crate::capability::clocks;
use crate::error::LimitHit;
use crate::invocation::Invocation;

/// What the wall clock of a guest says when a call begins, after 1970: the first second of the year 2000 in UTC. Any would do that programs
/// take for a time: old enough that no file of a guest is from before it, and not so old that they take it for a clock that was never set.
pub(crate) const START: Duration = Duration::from_secs(946_684_800);

/// By how much each look at a clock moves time: the finest step that a policy without a rule lets a guest see, so that two looks differ.
const STEP: Duration = Duration::from_millis(1);

/// The fuel for a second of the time limit, where no fuel is set: about as many instructions as one core of a present-day server runs in a
/// second of code that counts them.
const FUEL_A_SECOND: u64 = 1_000_000_000;

/// How many times its time limit a call may take of wall time. Fuel ends it first on a machine that is ten times slower than the one above.
const BACKSTOP: u32 = 10;

/// The least that it is. A call with a limit of milliseconds has to bear that the machine does something else for a while.
const LEAST_BACKSTOP: Duration = Duration::from_secs(5);

/// Why a deterministic call sends no request.
pub const NO_REQUESTS: &str =
    "requests are not deterministic: leave out --deterministic, or record the call with --record and replay it";

/// Why a deterministic call is refused a bucket that others share.
pub const NO_SHARED_BUCKETS: &str = "what a bucket holds that outlives the call is not deterministic: leave out --deterministic, or give the \
                                     call a bucket of its own with --bucket NAME=memory";

/// The time of a call and of those that it makes, which take turns.
#[derive(Debug, Default)]
pub(crate) struct VirtualTime {
    /// Nanoseconds since the call began.
    now: AtomicU64,
    /// Nanoseconds of that in which somebody waited.
    waited: AtomicU64,
}

impl VirtualTime {
    /// The time since the call began, for somebody who looks at a clock.
    pub(crate) fn look(&self) -> Duration {
        let now = self.now();
        self.now.store(now.saturating_add(nanos(STEP)), Ordering::Relaxed);
        Duration::from_nanos(now)
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }
}

impl CallTime for VirtualTime {
    fn start(&self) -> Timestamp {
        Timestamp { seconds: START.as_secs(), nanoseconds: 0 }
    }

    fn now(&self) -> Timestamp {
        let now = START.saturating_add(Duration::from_nanos(VirtualTime::now(self)));
        Timestamp { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() }
    }
}

/// What a deterministic call has of its own.
#[derive(Debug)]
pub(crate) struct Determinism {
    seed: u64,
    clock: ClockSetting,
    time: Arc<VirtualTime>,
    /// How long had been waited when the call began, in nanoseconds.
    waited_before: u64,
    /// How long it may wait itself, in nanoseconds.
    patience: u64,
    /// When what a guest waits for comes, by the number of its `pollable`.
    timers: HashMap<u32, u64>,
    /// How many other calls it made.
    calls: u64,
}

impl Determinism {
    /// That of `invocation`, if it is to be deterministic.
    pub(crate) fn of(invocation: &Invocation) -> Option<Self> {
        let seed = invocation.deterministic?;
        let repeats = invocation.within.as_ref().and_then(|within| within.repeats.as_ref());
        let time = repeats.map(|repeats| Arc::clone(&repeats.time)).unwrap_or_default();
        let (waited_before, patience) = (time.waited(), nanos(invocation.limits.timeout));
        let clock = invocation.policy.clock();
        Some(Self { seed, clock, time, waited_before, patience, timers: HashMap::new(), calls: 0 })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn time(&self) -> &Arc<VirtualTime> {
        &self.time
    }

    /// What the next call that this one makes is to be like.
    pub(crate) fn next_call(&mut self) -> Repeats {
        self.calls += 1;
        Repeats { seed: derive(self.seed, self.calls), time: Arc::clone(&self.time) }
    }

    /// When `after` from now is.
    pub(crate) fn moment(&self, after: u64) -> u64 {
        self.time.now().saturating_add(after)
    }

    /// What the monotonic clock shows. Nobody has looked at it.
    pub(crate) fn shown(&self) -> u64 {
        clocks::monotonic(self.clock, Duration::from_nanos(self.time.now()))
    }

    /// The guest made a `pollable` that is ready at `moment`.
    pub(crate) fn set_timer(&mut self, pollable: u32, moment: u64) {
        self.timers.insert(pollable, moment);
    }

    /// The guest let go of a `pollable`.
    pub(crate) fn forget(&mut self, pollable: u32) {
        self.timers.remove(&pollable);
    }

    /// When `pollable` is ready, if that is a matter of time.
    pub(crate) fn timer(&self, pollable: u32) -> Option<u64> {
        self.timers.get(&pollable).copied()
    }

    /// What time it is, for somebody who asks whether a moment has come. That takes time like any look at a clock, so that who asks again
    /// and again gets there.
    pub(crate) fn look(&self) -> u64 {
        nanos(self.time.look())
    }

    /// Waits until `moment`, unless the call has waited for too long by then.
    pub(crate) fn wait_until(&self, moment: u64) -> Result<(), LimitHit> {
        let ahead = moment.saturating_sub(self.time.now());
        let waited = self.time.waited().saturating_add(ahead);
        if waited.saturating_sub(self.waited_before) > self.patience {
            let limit = Duration::from_nanos(self.patience);
            let message = format!(
                "the tool waited longer than its limit of {limit:?}, in the virtual time of a deterministic call"
            );
            return Err(LimitHit::new(ErrorKind::Timeout, message, "timeout"));
        }
        self.time.waited.store(waited, Ordering::Relaxed);
        self.time.now.fetch_max(moment, Ordering::Relaxed);
        Ok(())
    }
}

/// What a deterministic call gives to one that it makes.
#[derive(Debug)]
pub(crate) struct Repeats {
    seed: u64,
    time: Arc<VirtualTime>,
}

impl Repeats {
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }
}

/// The limits of a deterministic call with `limits`: where no fuel is set, it has 1,000,000,000 for each second of its time limit.
#[must_use]
pub fn limits(limits: &Limits) -> Limits {
    let micros = u64::try_from(limits.timeout.as_micros()).unwrap_or(u64::MAX);
    let fuel = micros.saturating_mul(FUEL_A_SECOND / 1_000_000).max(1);
    Limits { fuel: limits.fuel.or(Some(fuel)), ..limits.clone() }
}

/// How much wall time a deterministic call with this time limit may take.
pub(crate) fn backstop(timeout: Duration) -> Duration {
    timeout.saturating_mul(BACKSTOP).max(LEAST_BACKSTOP)
}

/// A deterministic call took more wall time than its backstop.
pub(crate) fn overdue(timeout: Duration) -> LimitHit {
    let message = format!(
        "the backstop of a deterministic call: it took {:?} of wall time before its fuel was used up. The \
         machine is too slow for it, or it made the host work without computing itself; when it ends like this is not deterministic",
        backstop(timeout)
    );
    LimitHit::new(ErrorKind::Timeout, message, "timeout")
}

/// The guest waits for something other than time, and there is nothing else to come in a deterministic call.
pub(crate) fn stuck() -> LimitHit {
    let message = "the tool waits for something that never comes in a deterministic call";
    LimitHit::new(ErrorKind::Timeout, message, "timeout")
}

/// The seed of the call with this number that a call with `seed` makes.
fn derive(seed: u64, number: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"caplet call ");
    hash.update(seed.to_le_bytes());
    hash.update(number.to_le_bytes());
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Says no to every question: when and how somebody answers is not deterministic.
#[derive(Debug)]
pub(crate) struct NobodyIsAsked;

impl Asker for NobodyIsAsked {
    fn is_settled(&self, _op: &AnyOp) -> bool {
        true
    }

    fn answer(&self, _op: &AnyOp) -> Option<Answered> {
        Some(Answered { permits: false, how: "a rule says to ask, and a deterministic call asks nobody".into() })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
