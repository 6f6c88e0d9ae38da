//! What the chunks of JavaScript in `js/` cannot do themselves.

pub(crate) mod console;
pub(crate) mod crypto;
pub(crate) mod fetch;
pub(crate) mod files;
pub(crate) mod process;
pub(crate) mod text;
pub(crate) mod timers;
pub(crate) mod tools;
pub(crate) mod url;
