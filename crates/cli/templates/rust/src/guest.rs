//! The component's side: what `wit/world.wit` declares, by the functions of the crate.

wit_bindgen::generate!({ path: "wit" });

use exports::local::tool::words::{Frequency, Guest, Summary};

struct Tool;

impl Guest for Tool {
    fn summarize(text: String, top: Option<u32>) -> Result<Summary, String> {
        let summary = crate::summarize(&text, top)?;
        Ok(Summary {
            lines: summary.lines,
            words: summary.words,
            frequent: summary
                .frequent
                .into_iter()
                .map(|(word, count)| Frequency { word, count })
                .collect(),
        })
    }
}

export!(Tool);
