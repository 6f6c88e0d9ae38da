//! `find`

mod parse;
mod printf;
mod test;
mod walk;

use self::parse::Parser;
use self::test::{Options, Test};
use self::walk::Walk;
use super::Call;
use crate::stop::{Flow, failed};

/// How deep a tree is followed.
const DEPTH_MAX: usize = 200;

pub(super) async fn find(call: Call<'_>) -> Flow<i32> {
    let mut words = call.arguments;
    let mut follow = false;
    while let Some((first, rest)) = words.split_first() {
        match first.as_slice() {
            b"-L" | b"-H" => follow = true,
            b"-P" => {}
            _ => break,
        }
        words = rest;
    }
    let starts =
        words.iter().position(|word| word.starts_with(b"-") || word == b"(" || word == b"!").unwrap_or(words.len());
    let (roots, words) = words.split_at(starts);
    let roots = if roots.is_empty() { vec![b".".to_vec()] } else { roots.to_vec() };
    let mut parser = Parser {
        call: &call,
        words,
        at: 0,
        options: Options { follow, ..Options::default() },
        depth: 0,
        extended: false,
    };
    let test = if words.is_empty() { Test::True } else { parser.list()? };
    if parser.at < words.len() {
        return failed("you have too many ')'");
    }
    let options = parser.options;
    let test = if options.acts { test } else { Test::And(Box::new(test), Box::new(Test::Print(b'\n'))) };
    let batches = (0..options.batches).map(|_| Vec::new()).collect();
    let out = call.writer();
    let mut walk = Walk { call, options, out, batches, status: 0, quit: false, prune: false };
    for root in roots {
        if walk.quit {
            break;
        }
        walk.visit(&root, &root, &test, 0).await?;
    }
    walk.flush_batches(&test).await?;
    walk.out.flush().await?;
    Ok(walk.status)
}
