//! What the tool does, in plain Rust: `cargo test` tries it without a sandbox.

use std::cmp::Reverse;
use std::collections::BTreeMap;

#[cfg(target_family = "wasm")]
mod guest;

/// The most words that an answer names, so that it stays short.
const MOST: u32 = 100;

/// What is known of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    pub lines: u32,
    pub words: u32,
    /// The most frequent words and how often they occur, the most frequent first.
    pub frequent: Vec<(String, u32)>,
}

/// Counts the lines and words of `text`, and names its `top` most frequent words.
///
/// # Errors
///
/// What is returned here reaches the caller as the tool's error: it says what to do next.
pub fn summarize(text: &str, top: Option<u32>) -> Result<Summary, String> {
    let top = top.unwrap_or(5);
    if top > MOST {
        return Err(format!(
            "top is {top}, and at most {MOST} words are named: ask for fewer"
        ));
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let words = text.split(|c: char| !c.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let words = counts.values().sum();
    let mut frequent: Vec<(String, u32)> = counts.into_iter().collect();
    // The sort is stable: words that occur equally often stay in their order.
    frequent.sort_by_key(|(_, count)| Reverse(*count));
    frequent.truncate(top as usize);
    Ok(Summary {
        lines: text.lines().count() as u32,
        words,
        frequent,
    })
}
