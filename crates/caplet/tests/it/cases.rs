//! The built-in tools do what their cases say: `tools/*/cases/*.toml`, each on a host directory.

use std::path::Path;

use caplet::sandbox::Cache;
use caplet::{BuiltIn, Caplet, Grant, Source, Tool};
use caplet_testkit::cases::{Case, Observed, read_folder};

#[tokio::test]
async fn every_built_in_tool_does_what_its_cases_say() {
    // An interpreter takes many seconds to compile, so its code stays from run to run.
    let cache = Cache::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"), 1 << 30).unwrap();
    let caplet = Caplet::builder().cache(cache).build().unwrap();
    let mut wrong = Vec::new();
    let mut ran = 0;
    for built_in in Caplet::built_in() {
        let tool = caplet.load(&Source::BuiltIn(built_in)).unwrap();
        let mut patient = Grant::new("/").unwrap();
        patient.limit("compile=10m").unwrap();
        tool.warm(&patient).await.unwrap();
        for case in cases(&built_in) {
            ran += 1;
            let deviations = run(&caplet, &tool, &case).await;
            wrong.extend(deviations.into_iter().map(|what| format!("{} / {}: {what}", built_in.name, case.name)));
        }
    }
    assert!(ran >= 40, "only {ran} cases were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cases(tool: &BuiltIn) -> Vec<Case> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools");
    read_folder(&tools.join(tool.name).join("cases")).unwrap()
}

async fn run(caplet: &Caplet, tool: &Tool, case: &Case) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for file in &case.files {
        file.make(folder.path()).unwrap();
    }
    let granted = caplet.grant(tool, grant(case, folder.path())).unwrap();
    let outcome = granted.call(case.function.as_deref(), case.input.clone()).await;
    let error = outcome.error.as_ref();
    case.deviations(&Observed {
        outcome: outcome.outcome.as_str(),
        kind: error.map(|error| error.kind.as_str()),
        output: &outcome.output,
        message: error.map_or("", |error| error.message.as_str()),
        denied: outcome.decisions.denied.iter().map(|denied| denied.op.to_string()).collect(),
        files: case.expect.files.iter().map(|file| file.observe(folder.path()).unwrap()).collect(),
    })
}

fn grant(case: &Case, folder: &Path) -> Grant {
    let mut grant = Grant::new(&case.cwd).unwrap();
    grant.mount(&format!("/w=host:{}", folder.display())).unwrap();
    for rule in &case.allow {
        grant.allow(rule).unwrap();
    }
    for rule in &case.deny {
        grant.deny(rule).unwrap();
    }
    for limit in &case.limits {
        grant.limit(limit).unwrap();
    }
    grant
}
