//! Calls of other tools that are made up.

use javascript::{Callable, Session, ToolFailure, declarations};

use crate::support::{Log, World, request};

fn world() -> World {
    World::default()
        .tool("file-read", r#"{"type":"object","properties":{"path":{"type":"string","description":"The file."}},"required":["path"]}"#, 100, |arguments| {
            Ok(format!(r#"{{"given":{arguments}}}"#))
        })
        .tool("memory.put-note", r#"{"type":"object"}"#, 10, |_| Ok("plain text".to_owned()))
        .tool("broken", "{}", 1, |_| Err(ToolFailure::Failed("it broke".to_owned())))
        .tool("many", "{}", 1, |_| Err(ToolFailure::Limit("no more room".to_owned())))
}

fn run(code: &str) -> (Result<String, String>, Vec<String>) {
    let world = world();
    let log = Log::clone(&world.log);
    let result = Session::new(Box::new(world), "/").unwrap().run(&request(code)).map(|output| output.value);
    let log = log.borrow().clone();
    (result, log)
}

#[test]
fn each_tool_is_a_function() {
    for (code, expected) in [
        ("await tools.fileRead({path: 'a'})", r#"{"given":{"path":"a"}}"#),
        ("await tools['file-read']({path: 'b'})", r#"{"given":{"path":"b"}}"#),
        ("await tools.memory.putNote()", r#""plain text""#),
        ("await tools.memory['put-note']({})", r#""plain text""#),
        ("await tools.$call('file-read', {path: 'c'})", r#"{"given":{"path":"c"}}"#),
        ("import tools from 'tools'; await tools.fileRead({path: 'd'})", r#"{"given":{"path":"d"}}"#),
        ("tools.$list().map(tool => tool.name)", r#"["file-read","memory.put-note","broken","many"]"#),
        ("Object.keys(tools).includes('fileRead') && 'memory' in tools && !('nope' in tools)", "true"),
    ] {
        assert_eq!(run(code).0, Ok(expected.to_owned()), "{code}");
    }
}

#[test]
fn calls_run_at_once() {
    let code = "const seen = []; await Promise.all([tools.fileRead({path: 'x'}).then(() => seen.push('slow')), \
                tools.memory.putNote({}).then(() => seen.push('fast'))]); seen";
    let (result, log) = run(code);
    assert_eq!(result, Ok(r#"["fast","slow"]"#.to_owned()));
    assert_eq!(log, [r#"call file-read {"path":"x"}"#, "call memory.put-note {}"]);
}

#[test]
fn calls_beyond_the_room_wait_for_those_that_run() {
    let code =
        "const all = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => tools.fileRead({ path: `${i}` })));
        [all.filter(one => one.status === 'fulfilled').length, all[99].value?.given.path ?? all[99].reason.message]";
    for (in_all, expected) in
        [(None, r#"[100,"99"]"#), (Some(40), r#"[40,"calls in all"]"#), (Some(0), r#"[0,"calls in all"]"#)]
    {
        let world = world().room(16, in_all);
        let log = Log::clone(&world.log);
        let value = Session::new(Box::new(world), "/").unwrap().run(&request(code)).map(|output| output.value);
        assert_eq!(value, Ok(expected.to_owned()));
        let begun = log.borrow().iter().filter(|line| line.contains("\"path\":\"99\"")).count();
        assert!((1..=2).contains(&begun), "the last is not asked for over and over: {begun}");
    }
}

#[test]
fn calls_that_wait_end_with_their_program() {
    let world = world().room(1, None);
    let log = Log::clone(&world.log);
    let mut session = Session::new(Box::new(world), "/").unwrap();
    let text = session
        .run(&request("for (let i = 0; i < 5; i++) tools.fileRead({ path: 'x' }); throw new Error('enough')"))
        .unwrap_err();
    assert!(text.starts_with("Error: enough"), "{text}");
    log.borrow_mut().clear();
    assert_eq!(session.run(&request("await tools.memory.putNote(); 1")).unwrap().value, "1");
    assert_eq!(*log.borrow(), ["call memory.put-note {}"]);
}

#[test]
fn what_goes_wrong_is_an_error_with_a_name() {
    for (call, expected) in [
        ("tools.broken()", r#"["ToolError","it broke"]"#),
        ("tools.many()", r#"["ToolLimit","no more room"]"#),
        ("tools.webFetch({url: 'x'})", r#"["ToolDenied","not permitted: grant `call:web-fetch`"]"#),
        ("tools.notes.readAll({})", r#"["ToolDenied","not permitted: grant `call:notes.read-all`"]"#),
        ("tools.fileRead('a')", r#"["TypeError","tools: file-read takes one object of arguments"]"#),
    ] {
        let code = format!("try {{ await {call} }} catch (error) {{ [error.name, error.message] }}");
        assert_eq!(run(&code).0, Ok(expected.to_owned()), "{call}");
    }
    let text = run("await tools.nothing.at.all()").0.unwrap_err();
    assert!(text.contains("TypeError"), "{text}");
    let text = run("await tools.broken()").0.unwrap_err();
    assert!(text.starts_with("ToolError: it broke"), "{text}");
}

#[test]
fn types_are_what_a_model_has_to_see() {
    let callable = |name: &str, input: &str, output: Option<&str>| Callable {
        name: name.to_owned(),
        description: "Reads. */ evil()".to_owned(),
        input_schema: input.to_owned(),
        output_schema: output.map(str::to_owned),
    };
    let text = declarations(&[
        callable(
            "file-read",
            r#"{"type":"object","required":["path"],"properties":{"limit":{"type":["integer","null"]},"path":{"type":"string","description":"The file."},"mode":{"enum":["a","b"]},"odd-name":{"type":"array","items":{"oneOf":[{"type":"string"},{"type":"number"}]}}}}"#,
            Some(
                r##"{"$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}"##,
            ),
        ),
        callable("memory.get", r#"{"type":"object","properties":{}}"#, None),
        callable("memory.put", "not a schema", None),
    ]);
    let expected = "declare const tools: {
  /** Reads. * / evil() */
  fileRead(args: {
    /** The file. */
    path: string;
    limit?: number | null;
    mode?: \"a\" | \"b\";
    \"odd-name\"?: (string | number)[];
  }): Promise<";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("  memory: {\n    /** Reads. * / evil() */\n    get(args?: {}): Promise<unknown>;"),
        "{text}"
    );
    assert!(text.contains("put(args?: unknown): Promise<unknown>;"), "{text}");
    assert!(text.len() < 8_000, "a schema that contains itself ends: {} bytes", text.len());
}
