//! The component's side: WIT in, [`crate::grep`], WIT out.
#![expect(unsafe_code, reason = "generated bindings")]

use caplet_tool_common::cwd;

wit_bindgen::generate!({ path: "wit", world: "file-grep" });

use exports::caplet::file_grep::tool::{Found, Guest, Output};

struct Tool;

impl Guest for Tool {
    fn grep(
        pattern: String,
        path: Option<String>,
        glob: Option<String>,
        type_: Option<String>,
        output: Option<Output>,
        before: Option<u32>,
        after: Option<u32>,
        ignore_case: Option<bool>,
        multiline: Option<bool>,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Found, String> {
        let request = crate::Request {
            pattern,
            path,
            glob,
            file_type: type_,
            output: match output {
                None | Some(Output::Content) => crate::Output::Content,
                Some(Output::Files) => crate::Output::Files,
                Some(Output::Count) => crate::Output::Count,
            },
            before: before.unwrap_or(0),
            after: after.unwrap_or(0),
            ignore_case: ignore_case.unwrap_or(false),
            multiline: multiline.unwrap_or(false),
            limit,
            cursor,
        };
        let found = crate::grep(&cwd::current(), &request)?;
        Ok(Found {
            text: found.text,
            matches: found.matches,
            files: found.files,
            next_cursor: found.next_cursor,
            notice: found.notice,
        })
    }
}

export!(Tool);
