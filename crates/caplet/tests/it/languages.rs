//! Programs in each of the languages that come with Caplet call other tools: under the grants of these, and on record as a tree.

use std::path::Path;
use std::sync::Arc;

use caplet::audit::{MemorySink, OutcomeKind, Record};
use caplet::sandbox::Cache;
use caplet::{CallContext, Caplet, Catalog, Toolbox};
use caplet_testkit::lab::http::{Http, pages};
use serde_json::{Value, json};

use crate::tools::Folder;

/// A program that reads `a.txt` and `b.txt` and fetches the URLs in them, by calls of other tools.
struct Program {
    tool: &'static str,
    /// What its one function takes it in.
    argument: &'static str,
    code: &'static str,
    /// Calls one that is not granted.
    denied: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program {
        tool: "javascript",
        argument: "code",
        code: "const found = [];\n\
            for (const name of ['a.txt', 'b.txt']) {\n\
              const url = await tools.fileRead({path: name});\n\
              found.push((await tools.webFetch({url: url.trim()})).content.trim());\n\
            }\n\
            found.join(' ')",
        denied: "await tools.fileGlob({pattern: '*'})",
    },
    Program {
        tool: "python",
        argument: "code",
        code: "import tools\n\
            found = []\n\
            for name in ['a.txt', 'b.txt']:\n    \
                url = await tools.file_read(path=name)\n    \
                found.append((await tools.web_fetch(url=url.strip()))['content'].strip())\n\
            ' '.join(found)",
        denied: "import tools\ntools.call('file-glob', pattern='*')",
    },
    Program {
        tool: "shell",
        argument: "command",
        code: "set -euo pipefail\n\
            for name in a.txt b.txt; do\n  \
                url=$(tool file-read \"{\\\"path\\\": \\\"$name\\\"}\" | jq -r .)\n  \
                tool web-fetch \"$(jq -n --arg url \"$url\" '{$url}')\" | jq -r .content\n\
            done | xargs",
        denied: "tool file-glob '{\"pattern\": \"*\"}'",
    },
];

struct World {
    folder: Folder,
    caplet: Caplet,
    sink: Arc<MemorySink>,
    server: Http,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        let routes = [("/one", pages::text(200, "first")), ("/two", pages::text(200, "second"))];
        let server = Http::on("127.0.0.1:0", pages::routes(routes)).unwrap();
        for (name, page) in [("a.txt", "one"), ("b.txt", "two")] {
            folder.write(name, format!("http://{}/{page}\n", server.address()));
        }
        let sink = Arc::new(MemorySink::new());
        // An interpreter takes many seconds to compile, so its code stays from run to run.
        let cache = Cache::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"), 1 << 30).unwrap();
        let caplet = Caplet::builder().sink(sink.clone()).cache(cache).build().unwrap();
        Self { folder, caplet, sink, server }
    }

    /// What a call of `program` with this code gives, and its records, its own first.
    async fn run(&self, program: &Program, code: &str) -> (Value, Vec<Record>) {
        let tools = format!(
            "[tools.{}]\nallow = [\"call:file-read\", \"call:web-fetch\"]\nlimits = {{ compile = \"10m\" }}\n\
             [tools.file-read]\nallow = [\"read:*.txt\"]\n\
             [tools.web-fetch]\nallow = [\"fetch:http://{}/**\"]\n\
             [tools.file-glob]\nallow = [\"read:**\"]\n",
            program.tool,
            self.server.address()
        );
        let toolbox = Toolbox::parse(&tools, self.folder.path("caplet.toml")).unwrap();
        let catalog = Catalog::new(&self.caplet, &toolbox, self.folder.root());
        assert!(catalog.hidden().is_empty(), "{:?}", catalog.hidden());
        let offer = Arc::clone(catalog.offers().find(|offer| offer.tool() == program.tool).unwrap());
        let context = CallContext::new().tools(catalog.clone());
        let outcome = offer.call(json!({program.argument: code}), &context, std::future::pending()).await;
        let mut records = self.sink.take();
        records.reverse();
        (serde_json::to_value(&outcome).unwrap(), records)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_calls_tools_in_a_loop_and_the_record_shows_the_tree() {
    let world = World::new();
    for program in PROGRAMS {
        let (outcome, mut records) = world.run(&program, program.code).await;
        assert_eq!(outcome["outcome"], "ok", "{}: {outcome}", program.tool);
        assert!(outcome["output"].to_string().contains("first second"), "{}: {outcome}", program.tool);
        let caller = records.remove(0);
        assert_eq!((caller.tool.as_str(), caller.caller.as_ref()), (program.tool, None));
        records.reverse();
        let called: Vec<&str> = records.iter().map(|record| record.tool.as_str()).collect();
        assert_eq!(called, ["file-read", "web-fetch", "file-read", "web-fetch"]);
        assert!(records.iter().all(|record| record.caller.as_ref() == Some(&caller.id)));
        let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
        assert_eq!(caller.calls, ids, "{}", program.tool);
        assert_eq!((caller.usage.calls, caller.usage.http_requests), (4, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_cannot_call_what_it_was_not_granted_and_is_told_how_it_could() {
    let world = World::new();
    for program in PROGRAMS {
        let (outcome, records) = world.run(&program, program.denied).await;
        assert!(outcome.to_string().contains("call:file-glob"), "{}: {outcome}", program.tool);
        let [caller] = &records[..] else { panic!("{}: {records:?}", program.tool) };
        assert_eq!((caller.calls.len(), caller.decisions.denied.len()), (0, 1), "{}: {caller:?}", program.tool);
        assert_eq!(caller.decisions.denied[0].op, "call file-glob");
        // A shell goes on after a command that failed, so its call is a success with a status that says otherwise.
        let expected = if program.tool == "shell" { OutcomeKind::Ok } else { OutcomeKind::Denied };
        assert_eq!(caller.outcome, expected, "{}: {outcome}", program.tool);
    }
}
