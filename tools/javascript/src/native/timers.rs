//! Timers: when they are due is kept here, what they do is kept by `js/timers.js`.

use std::rc::Rc;
use std::time::Duration;

use rquickjs::{Ctx, Function, Object, Persistent, Result};

use crate::globals::add;
use crate::state::State;

/// The longest delay, as in browsers and Node.js: 2^31 - 1 milliseconds.
const MAX_DELAY: f64 = 2_147_483_647.0;

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    // Gives `[number, due]`; the two are the handle that `remove` takes.
    add(object, "add", move |delay: f64, keeps: bool| {
        let millis = if (1.0..=MAX_DELAY).contains(&delay) { delay } else { 1.0 };
        let due = shared.host.borrow_mut().now() + Duration::from_secs_f64(millis / 1000.0);
        let number = shared.timers.borrow_mut().add(due, keeps);
        #[expect(clippy::cast_precision_loss, reason = "there are never 2^53 timers")]
        let number = number as f64;
        // Seconds and nanoseconds are whole numbers that a double holds exactly.
        vec![number, f64::from(u32::try_from(due.as_secs()).unwrap_or(u32::MAX)), f64::from(due.subsec_nanos())]
    })?;
    let shared = Rc::clone(state);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "they are what `add` gave, or no timer is found"
    )]
    add(object, "remove", move |number: f64, seconds: f64, nanos: f64| {
        let nanos = (nanos as u32).min(999_999_999);
        shared.timers.borrow_mut().remove(Duration::new(seconds as u64, nanos), number as u64);
    })?;
    let shared = Rc::clone(state);
    add(object, "onfire", move |ctx: Ctx<'js>, fire: Function<'js>| {
        shared.timers.borrow_mut().fire = Some(Persistent::save(&ctx, fire));
    })?;
    let shared = Rc::clone(state);
    add(object, "now", move || shared.host.borrow_mut().now().as_secs_f64() * 1000.0)
}
