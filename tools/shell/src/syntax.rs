//! From text to [`ast`]: the grammar of bash, parsed once before anything runs.
//!
//! In: the bytes of a script. Out: a [`Script`](ast::Script), or where and why it is none. Nothing is expanded here. Depth is
//! bounded, so that no text overflows the stack, and no character is looked at more than a few times.

mod arithmetic;
pub(crate) mod ast;
mod command;
mod compound;
mod cursor;
mod heredoc;
pub(crate) mod param;
mod redirect;
mod simple;
mod test;
mod word;

pub(crate) use cursor::parse;
