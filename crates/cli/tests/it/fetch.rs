//! `web-fetch` and secrets, as a person uses them: real servers, real processes.

use std::path::Path;

use caplet_testkit::lab::http::{Http, pages};

use crate::bin::World;

const PAGE: &str = r#"<!doctype html><html><head><title>The page</title><style>p { color: red }</style></head><body>
<h1>Top</h1><p>Some <strong>bold</strong> text and a <a href="/next?a=1">link</a>.</p>
<h2>List</h2><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul><ol><li>first</li><li>second</li></ol>
<table><thead><tr><th>Name</th><th>Value</th></tr></thead><tbody><tr><td>a|b</td><td>1</td></tr></tbody></table>
<pre><code class="language-rust">fn main() { println!("&lt;hi&gt;"); }</code></pre>
<script>alert("not shown")</script></body></html>"#;

fn arguments(url: &str) -> String {
    serde_json::json!({ "url": url }).to_string()
}

#[test]
fn a_granted_page_comes_as_markdown() {
    let server = Http::on("127.0.0.1:0", pages::routes([("/page", pages::html(PAGE))])).unwrap();
    let world = World::new();
    for host in ["127.0.0.1", "localhost"] {
        let base = format!("http://{host}:{}", server.address().port());
        let url = format!("{base}/page");
        let allow = format!("fetch:{base}/**");
        let run = world.run(&["run", "web-fetch", "--allow", &allow, "--args", &arguments(&url), "--json"]);
        run.assert(0, &[]);
        let outcome = run.json();
        let content = outcome["output"]["content"].as_str().unwrap();
        let parts = [
            "# Top",
            "Some **bold** text and a [link](",
            "/next?a=1)",
            "## List",
            "one",
            "inner",
            "1. first",
            "| Name | Value |",
            "a\\|b",
            "```rust\nfn main() { println!(\"<hi>\"); }\n```",
        ];
        for part in parts {
            assert!(content.contains(part), "{part:?} is not in: {content}");
        }
        assert!(!content.contains("not shown") && !content.contains("color"), "{content}");
        assert_eq!((&outcome["output"]["title"], &outcome["output"]["status"]), (&"The page".into(), &200.into()));
        assert_eq!(outcome["usage"]["http_requests"], 1);
    }
}

#[test]
fn without_a_grant_nothing_is_asked_of_anyone() {
    let server = Http::on("127.0.0.1:0", pages::html(PAGE)).unwrap();
    let url = format!("http://localhost:{}/page", server.address().port());
    let world = World::new();
    let run = world.run(&["run", "web-fetch", "--args", &arguments(&url)]);
    run.assert(3, &["denied: GET", &format!("--allow 'fetch:{url}'")]);
    assert_eq!(server.accepts(), 0);
    // What it says is what permits it.
    world.run(&["run", "web-fetch", "--args", &arguments(&url), "--allow", &format!("fetch:{url}")]).assert(0, &[]);
    let explained = world.run(&["explain", "web-fetch", &format!("GET {url}")]);
    explained.assert(3, &[&format!("fetch:{url}")]);
    assert_eq!(server.accepts(), 1);
}

#[test]
fn a_redirect_out_of_the_grant_ends_there() {
    let target = Http::on("127.0.0.1:0", pages::text(200, "secret")).unwrap();
    let there = format!("http://{}/", target.address());
    let server = Http::on("127.0.0.1:0", pages::redirect(302, &there)).unwrap();
    let url = format!("http://{}/", server.address());
    let world = World::new();
    let run =
        world.run(&["run", "web-fetch", "--args", &arguments(&url), "--allow", &format!("fetch:{url}**"), "--json"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(run.json()["decisions"]["denied"][0]["op"], format!("GET {there}"));
    assert_eq!(target.accepts(), 0);
}

/// Every file below `folder` that holds one of `needles`.
fn holding(folder: &Path, needles: &[String], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, needles, found);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let holds = |needle: &String| bytes.windows(needle.len()).any(|part| part == needle.as_bytes());
            found.extend(needles.iter().any(holds).then(|| path.display().to_string()));
        }
    }
}

#[test]
fn a_secret_reaches_the_granted_server_and_nothing_else() {
    const VALUE: &str = "canary-7f3a9b-value";
    let needles = [
        VALUE.to_owned(),
        "Y2FuYXJ5LTdmM2E5Yi12YWx1ZQ".to_owned(),
        "63616e6172792d3766336139622d76616c7565".to_owned(),
    ];
    let server = Http::on("127.0.0.1:0", pages::echo).unwrap();
    let base = format!("http://{}", server.address());
    let world = World::new();
    world
        .run_with_input(&["secret", "set", "TOKEN", "--file"], format!("{VALUE}\n").as_bytes())
        .assert(0, &["TOKEN is set"]);
    world.run(&["secret", "list"]).assert(0, &[]);
    assert!(world.run(&["secret", "list"]).stdout.contains("TOKEN"));
    let secret = format!("secret:TOKEN@{base}/**");
    let allow = format!("fetch:{base}/**");
    let url = arguments(&format!("{base}/x"));
    let with = |more: &[&str]| {
        let mut words = vec!["run", "web-fetch", "--args", url.as_str(), "--allow", &allow];
        words.extend(more);
        world.run(&words)
    };
    for more in [vec!["--allow", secret.as_str()], vec!["--allow", secret.as_str(), "--json", "--verbose"]] {
        let run = with(&more);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("[secret:TOKEN]"), "the echo is masked: {}", run.stdout);
        for needle in &needles {
            assert!(!run.stdout.contains(needle) && !run.stderr.contains(needle), "{} {}", run.stdout, run.stderr);
        }
    }
    let got = String::from_utf8_lossy(&server.requests()[0].raw).into_owned();
    assert!(got.contains(&format!("authorization: Bearer {VALUE}\r\n")), "{got}");
    assert!(!with(&[]).stdout.contains("[secret:"), "without the rule it is not sent");
    let mut found = Vec::new();
    holding(&world.home(), &needles, &mut found);
    assert_eq!(found, Vec::<String>::new());
    world.run(&["secret", "set", "TOKEN", VALUE]).assert(2, &["a value cannot be an argument"]);
    world.run(&["secret", "rm", "TOKEN"]).assert(0, &[]);
    let gone = with(&["--allow", secret.as_str()]);
    gone.assert(3, &["caplet secret set TOKEN"]);
    world.run(&["secret", "rm", "TOKEN"]).assert(2, &["TOKEN"]);
}

#[test]
fn no_grant_reaches_where_secrets_are() {
    let world = World::new();
    world.run_with_input(&["secret", "set", "TOKEN", "--file"], b"some value\n").assert(0, &[]);
    let home = world.home().display().to_string();
    for rule in [format!("read:{home}/**"), "read:/**".to_owned()] {
        let grep = serde_json::json!({"pattern": "age-encryption|AGE-SECRET", "path": home}).to_string();
        let run = world.run(&["run", "file-grep", "--allow", &rule, "--args", &grep, "--json"]);
        assert!(!run.stdout.contains("AGE-SECRET") && !run.stdout.contains("age-encryption.org"), "{}", run.stdout);
    }
}
