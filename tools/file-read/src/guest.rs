//! The component's side: WIT in, [`crate::read`], WIT out.
#![expect(unsafe_code, reason = "generated bindings")]

use caplet_tool_common::cwd;

wit_bindgen::generate!({ path: "wit", world: "file-read" });

use exports::caplet::file_read::tool::Guest;

struct Tool;

impl Guest for Tool {
    fn read(
        path: String,
        offset: Option<u32>,
        limit: Option<u32>,
        line_numbers: Option<bool>,
    ) -> Result<String, String> {
        let request = crate::Request { path, offset, limit, line_numbers: line_numbers.unwrap_or(false) };
        crate::read(&cwd::current(), &request)
    }
}

export!(Tool);
