// Written by `cargo xtask guests --interpreters`; not to be edited.
&[
    ("python", "sha256:7540b86169a22bf9a05d4f718a02e3d03ca9e1b45add25bb76482aae112b1274", include_bytes!("python.wasm.lz").as_slice()),
]
