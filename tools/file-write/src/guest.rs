//! The component's side: WIT in, [`crate::write`], WIT out.
#![expect(unsafe_code, reason = "generated bindings")]

use caplet_tool_common::cwd;

wit_bindgen::generate!({ path: "wit", world: "file-write" });

use exports::caplet::file_write::tool::{Action, Encoding, Guest, IfExists, Written};

struct Tool;

impl Guest for Tool {
    fn write(
        path: String,
        content: String,
        encoding: Option<Encoding>,
        if_exists: Option<IfExists>,
    ) -> Result<Written, String> {
        let request = crate::Request {
            path,
            content,
            encoding: match encoding {
                None | Some(Encoding::Utf8) => crate::Encoding::Utf8,
                Some(Encoding::Base64) => crate::Encoding::Base64,
            },
            if_exists: match if_exists {
                None | Some(IfExists::Overwrite) => crate::IfExists::Overwrite,
                Some(IfExists::Fail) => crate::IfExists::Fail,
                Some(IfExists::Append) => crate::IfExists::Append,
            },
        };
        let written = crate::write(&cwd::current(), request)?;
        Ok(Written {
            path: written.path,
            action: match written.action {
                crate::Action::Created => Action::Created,
                crate::Action::Replaced => Action::Replaced,
                crate::Action::Appended => Action::Appended,
            },
            bytes: written.bytes,
            size: written.size,
        })
    }
}

export!(Tool);
