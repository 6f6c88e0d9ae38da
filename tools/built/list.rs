// Written by `cargo xtask guests`; not to be edited.
&[
    ("file-edit", include_bytes!("file-edit.wasm").as_slice()),
    ("file-glob", include_bytes!("file-glob.wasm").as_slice()),
    ("file-grep", include_bytes!("file-grep.wasm").as_slice()),
    ("file-read", include_bytes!("file-read.wasm").as_slice()),
    ("file-write", include_bytes!("file-write.wasm").as_slice()),
    ("javascript", include_bytes!("javascript.wasm").as_slice()),
    ("memory", include_bytes!("memory.wasm").as_slice()),
    ("shell", include_bytes!("shell.wasm").as_slice()),
    ("web-fetch", include_bytes!("web-fetch.wasm").as_slice()),
]
