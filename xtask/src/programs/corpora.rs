//! Lists of cases that others made for their own parsers and checks, as their packages publish them.

use super::{Program, Registry};

pub(super) const CORPORA: &[Program] = &[
    // The cases of the WHATWG URL standard.
    Program {
        name: "urltestdata.json",
        registry: Registry::Cargo,
        package: "url",
        version: "2.5.8",
        path: "tests/urltestdata.json",
        sha256: "58d67bea710d5f46324fe6841df5fd82090fe4ec2d882bc0fc7c1784d4771884",
    },
    // The cases of Unicode for international names.
    Program {
        name: "IdnaTestV2.txt",
        registry: Registry::Cargo,
        package: "idna",
        version: "1.1.0",
        path: "tests/IdnaTestV2.txt",
        sha256: "ffcf59f6e97d765caa5ac8315e9511ba3b42955a554cbc431e4c016f20d25ca9",
    },
    Program {
        name: "private-ip.js",
        registry: Registry::Npm,
        package: "private-ip",
        version: "3.0.2",
        path: "test.js",
        sha256: "ad53317381ff574fed08d1ffb7c3236ed2b2ef6715d21fc55314de2c74477f91",
    },
    Program {
        name: "ssrfcheck-should-not-pass.js",
        registry: Registry::Npm,
        package: "ssrfcheck",
        version: "1.4.0",
        path: "tests/data/should-not-pass.js",
        sha256: "27e9adf6fabbc1678640561f4d1eddac44a3a7d1ede1523f5810c29c67ac2818",
    },
    Program {
        name: "ssrfcheck-should-pass.js",
        registry: Registry::Npm,
        package: "ssrfcheck",
        version: "1.4.0",
        path: "tests/data/should-pass.js",
        sha256: "28c43a52b7a65ed7cb48f7b3cbfec26b98354038a4554855b83e38d214ab8dff",
    },
    Program {
        name: "ssrfcheck-valid-ips.js",
        registry: Registry::Npm,
        package: "ssrfcheck",
        version: "1.4.0",
        path: "tests/data/valid-ips-list.js",
        sha256: "cfeebf585c08ab45c900e9a5aab4ae970ccc1d2330d8ddcb1653ae28d81b0fb3",
    },
];
