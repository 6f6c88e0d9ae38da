//! The component's side: WIT in, [`crate::edit`], WIT out.
#![expect(unsafe_code, reason = "generated bindings")]

use caplet_tool_common::cwd;

wit_bindgen::generate!({ path: "wit", world: "file-edit" });

use exports::caplet::file_edit::tool::{Edited, Guest, Replacement};

struct Tool;

impl Guest for Tool {
    fn edit(path: String, edits: Vec<Replacement>) -> Result<Edited, String> {
        let edits = edits.into_iter().map(|edit| crate::Edit {
            old: edit.old_string,
            new: edit.new_string,
            all: edit.replace_all.unwrap_or(false),
        });
        let edited = crate::edit(&cwd::current(), &path, &edits.collect::<Vec<_>>())?;
        Ok(Edited { path: edited.path, replacements: edited.replacements, diff: edited.diff })
    }
}

export!(Tool);
