//! Requests over a made-up network.

use javascript::{HttpFailure, Session};

use crate::support::{Log, World, request, response};

fn run(world: World, code: &str) -> (Result<String, String>, Vec<String>) {
    let log: Log = Log::clone(&world.log);
    let result = Session::new(Box::new(world), "/").unwrap().run(&request(code)).map(|output| output.value);
    let log = log.borrow().clone();
    (result, log)
}

#[test]
fn a_response_is_read_in_the_ways_that_browsers_have() {
    let world = || {
        World::default().answer(
            "GET http://a.example/x?y=1",
            1,
            response(200, &[("content-type", "application/json"), ("x-a", "b")], r#"{"n":[1]}"#),
        )
    };
    for (code, expected) in [
        (
            "const r = await fetch('http://a.example/x?y=1#z'); [r.ok, r.status, r.headers.get('X-A'), r.url, (await r.json()).n]",
            r#"[true,200,"b","http://a.example/x?y=1",[1]]"#,
        ),
        ("const r = await fetch(new URL('http://a.example/x?y=1')); await r.text()", r#""{\"n\":[1]}""#),
        (
            "const r = await fetch('http://a.example/x?y=1'); (await r.clone().arrayBuffer()).byteLength + (await r.text()).length",
            "18",
        ),
        (
            "Object.fromEntries((await fetch('http://a.example/x?y=1')).headers)",
            r#"{"content-type":"application/json","x-a":"b"}"#,
        ),
        (
            "const r = await fetch('http://a.example/x?y=1'); await r.text(); try { await r.text() } catch (e) { e.message }",
            r#""the body has been read already""#,
        ),
    ] {
        assert_eq!(run(world(), code).0, Ok(expected.to_owned()), "{code}");
    }
}

#[test]
fn requests_have_methods_headers_and_bodies() {
    let world = World::default().answer("POST http://a.example/", 1, response(201, &[], ""));
    let code = "await Promise.all([
        fetch('http://a.example', {method: 'post', headers: {'X-One': '1'}, body: JSON.stringify({a: 1})}),
        fetch('http://a.example', {method: 'POST', body: new URLSearchParams({q: 'a b'})}),
        fetch(new Request('http://a.example', {method: 'POST', headers: [['content-type', 'x/y']], body: new Uint8Array([104, 105])})),
    ]).then(all => all.map(r => r.status))";
    let (result, log) = run(world, code);
    assert_eq!(result, Ok("[201,201,201]".to_owned()));
    assert_eq!(
        log,
        [
            r#"POST http://a.example/ content-type=text/plain;charset=UTF-8 x-one=1 {"a":1}"#,
            "POST http://a.example/ content-type=application/x-www-form-urlencoded;charset=UTF-8 q=a+b",
            "POST http://a.example/ content-type=x/y hi",
        ]
    );
    for (code, expected) in [
        ("await fetch('http://a.example', {body: 'x'})", "a GET request has no body"),
        ("await fetch('file:///etc/passwd')", "only http and https"),
        ("await fetch('nope')", "Invalid URL"),
        ("await fetch('http://u:p@a.example')", "user or password"),
        ("await fetch('http://a.example', {headers: {'a b': 'c'}})", "no name of a header"),
        ("await fetch('http://a.example', {headers: {a: 'c\\r\\nd: e'}})", "no line breaks"),
    ] {
        let text = run(World::default(), code).0.unwrap_err();
        assert!(text.contains(expected), "{code}: {text}");
    }
}

#[test]
fn requests_overlap() {
    let world = World::default().answer("GET http://a.example/slow", 100, response(200, &[], "slow")).answer(
        "GET http://a.example/fast",
        10,
        response(200, &[], "fast"),
    );
    let code = "const seen = []; const get = async name => { const r = await fetch('http://a.example/' + name); seen.push(await r.text()) };
        await Promise.all([get('slow'), get('fast')]); seen";
    assert_eq!(run(world, code).0, Ok(r#"["fast","slow"]"#.to_owned()));
}

#[test]
fn redirects_are_followed_by_the_same_rules_as_elsewhere() {
    let world = || {
        World::default()
            .answer("GET http://a.example/1", 1, response(302, &[("location", "/2")], ""))
            .answer("GET http://a.example/2", 1, response(301, &[("location", "http://b.example/3")], ""))
            .answer("GET http://b.example/3", 1, response(200, &[], "there"))
            .answer("GET http://a.example/loop", 1, response(302, &[("location", "/loop")], ""))
    };
    let code = "const r = await fetch('http://a.example/1', {headers: {authorization: 'secret', accept: 'a/b'}}); [r.url, r.redirected, await r.text()]";
    let (result, log) = run(world(), code);
    assert_eq!(result, Ok(r#"["http://b.example/3",true,"there"]"#.to_owned()));
    assert_eq!(
        log,
        [
            "GET http://a.example/1 accept=a/b authorization=secret",
            "GET http://a.example/2 accept=a/b authorization=secret",
            "GET http://b.example/3 accept=a/b",
        ]
    );
    assert_eq!(
        run(world(), "(await fetch('http://a.example/1', {redirect: 'manual'})).status").0,
        Ok("302".to_owned())
    );
    assert!(
        run(world(), "await fetch('http://a.example/1', {redirect: 'error'})").0.unwrap_err().contains("not followed")
    );
    assert!(run(world(), "await fetch('http://a.example/loop')").0.unwrap_err().contains("there were 20 before it"));
}

#[test]
fn what_is_refused_says_which_rule_would_permit_it() {
    let text =
        run(World::default(), "await fetch('https://a.example/p?q=1', {method: 'PUT', body: 'x'})").0.unwrap_err();
    assert!(text.contains("not permitted to fetch PUT") && text.contains("`fetch:PUT https://a.example/p`"), "{text}");
    let world = World::default().answer("GET http://127.0.0.1:81/", 1, Err(HttpFailure::AddressProhibited));
    let text = run(
        world,
        "try { await fetch('http://127.0.0.1:81') } catch (e) { [e.code, e.name, e.message.includes('`fetch:http://127.0.0.1:81/`')] }",
    );
    assert_eq!(text.0, Ok(r#"["EACCES","TypeError",true]"#.to_owned()));
}

#[test]
fn a_signal_ends_a_request() {
    let world = World::default().answer("GET http://a.example/", 1_000, response(200, &[], "late"));
    let code = "const start = Date.now(); try { await fetch('http://a.example', {signal: AbortSignal.timeout(10)}) } catch (e) { e.name }";
    let (result, log) = run(world, code);
    assert_eq!(result, Ok(r#""TimeoutError""#.to_owned()));
    assert_eq!(log.last().map(String::as_str), Some("cancel 1"));
    let code = "const c = new AbortController(); c.abort(); try { await fetch('http://a.example', {signal: c.signal}) } catch (e) { e.name }";
    assert_eq!(run(World::default(), code), (Ok(r#""AbortError""#.to_owned()), Vec::new()));
}
