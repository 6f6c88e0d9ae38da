//! The verbs, one file each: arguments, whose doc comment is the manual, and what is done with them.

pub(crate) mod add;
pub(crate) mod approvals;
pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod build;
pub(crate) mod cache;
mod changes;
pub(crate) mod check;
mod check_unused;
pub(crate) mod commit;
pub(crate) mod compile_worker;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod drop;
pub(crate) mod explain;
pub(crate) mod fs;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod learn;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod new;
pub(crate) mod pack;
pub(crate) mod policy_diff;
pub(crate) mod remove;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod serve;
mod served;
pub(crate) mod token;
pub(crate) mod tools;
pub(crate) mod trust;
pub(crate) mod warm;

use crate::failure::{Failure, Stop};
use crate::ui::Ui;

/// With `--json`, standard output is one object whatever happens: a failure is printed there as well, and then ends the verb.
pub(crate) fn or_json<T>(ui: &mut Ui, json: bool, result: Result<T, Failure>) -> Result<T, Stop> {
    match result {
        Ok(value) => Ok(value),
        Err(failure) => {
            if json {
                ui.json(&failure.to_json().map_err(std::io::Error::from)?)?;
            }
            Err(failure.into())
        }
    }
}
