//! Why a command does not go on to what comes next.

/// What running gives: a value, or a reason to leave what is around.
pub(crate) type Flow<T> = Result<T, Stop>;

/// A reason to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `exit`, or an error that ends the shell.
    Exit(i32),
    /// An error in an expansion or assignment: the rest of the line is left out.
    Discard,
    /// `return`
    Return(i32),
    /// `break`, and how many loops of it are left to leave.
    Break(usize),
    /// `continue`, and how many loops out.
    Continue(usize),
    /// Nobody reads what is written.
    Pipe,
    /// A bound of the shell was reached: everything ends.
    Limit(String),
    /// A stream failed.
    Io(String),
    /// A command cannot go on: its message, after its name, and its status.
    Failed(String, i32),
}

/// A command's failure with status 1.
pub(crate) fn failed<T>(message: impl Into<String>) -> Flow<T> {
    Err(Stop::Failed(message.into(), 1))
}

/// Wrong usage of a command, with the status 2.
pub(crate) fn misused<T>(message: impl Into<String>) -> Flow<T> {
    Err(Stop::Failed(message.into(), 2))
}
