//! The component's side: WIT in, [`crate::glob`], WIT out.
#![expect(unsafe_code, reason = "generated bindings")]

use caplet_tool_common::cwd;

wit_bindgen::generate!({ path: "wit", world: "file-glob" });

use exports::caplet::file_glob::tool::{Found, Guest};

struct Tool;

impl Guest for Tool {
    fn glob(
        pattern: String,
        path: Option<String>,
        ignored: Option<bool>,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Found, String> {
        let request = crate::Request { pattern, path, ignored: ignored.unwrap_or(false), limit, cursor };
        let found = crate::glob(&cwd::current(), &request)?;
        Ok(Found { paths: found.paths, total: found.total, next_cursor: found.next_cursor, notice: found.notice })
    }
}

export!(Tool);
