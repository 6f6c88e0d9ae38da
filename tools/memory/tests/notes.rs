//! What a caller of `put`, `get` and `forget` gets, and what the bucket has then.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use memory::{Action, Failure, IfExists, Kept, PutRequest, forget, get, put};
use support::Shelf;

fn ask(shelf: &Shelf, name: &str, text: &str, change: impl FnOnce(&mut PutRequest)) -> Result<Kept, String> {
    let mut request = PutRequest { name: name.to_owned(), text: text.to_owned(), ..PutRequest::default() };
    change(&mut request);
    put(shelf, request)
}

fn append(request: &mut PutRequest) {
    request.if_exists = IfExists::Append;
}

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

#[test]
fn any_text_comes_back_as_it_was_kept() {
    let shelf = Shelf::default();
    let long = "x".repeat(256 * 1024);
    for text in ["", "a", "line\r\n\tü\u{0}\u{feff}\"\\", "\n\n", &long] {
        let kept = ask(&shelf, "a/b c", text, |_| {}).unwrap();
        assert_eq!(u64::from(kept.size), text.len() as u64);
        assert_eq!(get(&shelf, "a/b c").unwrap().text, text);
    }
    assert_eq!(shelf.keys.borrow().len(), 1);
}

#[test]
fn what_is_there_is_replaced_added_to_or_left() {
    let shelf = Shelf::default();
    assert_eq!(ask(&shelf, "n", "one", append).unwrap().action, Action::Created);
    assert_eq!(ask(&shelf, "n", "two", append).unwrap().action, Action::Appended);
    assert_eq!(ask(&shelf, "n", "three\n", append).unwrap().size, 14);
    ask(&shelf, "n", "four", append).unwrap();
    assert_eq!(get(&shelf, "n").unwrap().text, "one\ntwo\nthree\nfour");
    let error = ask(&shelf, "n", "x", |request| request.if_exists = IfExists::Fail).unwrap_err();
    assert!(error.contains("there is a note `n` already"), "{error}");
    assert_eq!(ask(&shelf, "n", "new", |_| {}).unwrap().action, Action::Replaced);
    assert_eq!(get(&shelf, "n").unwrap().text, "new");
    let made = ask(&shelf, "m", "x", |request| request.if_exists = IfExists::Fail).unwrap();
    assert_eq!(made.action, Action::Created);
}

#[test]
fn tags_stay_are_added_or_replaced() {
    let shelf = Shelf::default();
    let step = |given: Option<&[&str]>, if_exists, expected: &[&str]| {
        let kept = ask(&shelf, "n", "x", |request| {
            (request.tags, request.if_exists) = (given.map(tags), if_exists);
        });
        assert_eq!(kept.unwrap().tags, tags(expected));
        assert_eq!(get(&shelf, "n").unwrap().tags, tags(expected));
    };
    step(Some(&["One", "two", "ONE"]), IfExists::Replace, &["One", "two"]);
    step(None, IfExists::Replace, &["One", "two"]);
    step(None, IfExists::Append, &["One", "two"]);
    step(Some(&["three", "Two"]), IfExists::Append, &["One", "two", "three"]);
    step(Some(&["four"]), IfExists::Replace, &["four"]);
    step(Some(&[]), IfExists::Append, &["four"]);
    step(Some(&[]), IfExists::Replace, &[]);
}

#[test]
fn bad_input_is_explained_and_the_store_not_asked() {
    let shelf = Shelf::default();
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let no_change = |_: &mut PutRequest| {};
    for (error, part) in [
        (ask(&shelf, "", "x", no_change), "the name is empty"),
        (ask(&shelf, &"n".repeat(129), "x", no_change), "the name has 129 bytes, and 128 bytes are the most"),
        (ask(&shelf, "a\nb", "x", no_change), "control character"),
        (ask(&shelf, " a", "x", no_change), "begins or ends with a space"),
        (ask(&shelf, "n", &"x".repeat(256 * 1024 + 1), no_change), "262145 bytes), and 256 KiB"),
        (ask(&shelf, "n", &"\u{1}".repeat(200 * 1024), no_change), "control characters"),
        (ask(&shelf, "n", "x", |request| request.tags = Some(tags(&[""]))), "the tag is empty"),
        (ask(&shelf, "n", "x", |request| request.tags = Some(tags(&[&"t".repeat(65)]))), "the tag has 65 bytes"),
        (ask(&shelf, "n", "x", |request| request.tags = Some(many)), "at most 16 tags, and this one would have 17"),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(get(&shelf, "").is_err() && forget(&shelf, "a\tb").is_err());
    assert_eq!(shelf.ops.get(), 0);
    // The longest name and tag are accepted.
    ask(&shelf, &"n".repeat(128), "x", |request| request.tags = Some(tags(&[&"t".repeat(64)]))).unwrap();
}

#[test]
fn a_note_does_not_grow_beyond_its_bound() {
    let shelf = Shelf::default();
    ask(&shelf, "n", &"x".repeat(256 * 1024 - 1), |_| {}).unwrap();
    let error = ask(&shelf, "n", "y", append).unwrap_err();
    assert!(error.contains("262145 bytes"), "{error}");
    assert_eq!(get(&shelf, "n").unwrap().text.len(), 256 * 1024 - 1);
    let sixteen: Vec<String> = (0..16).map(|n| n.to_string()).collect();
    ask(&shelf, "n", "", |request| request.tags = Some(sixteen)).unwrap();
    let error = ask(&shelf, "n", "", |request| {
        append(request);
        request.tags = Some(tags(&["more"]));
    });
    assert!(error.unwrap_err().contains("would have 17"));
}

#[test]
fn a_change_meanwhile_is_not_lost() {
    let shelf = Shelf::default();
    shelf.put("n", "first", &["a"]);
    let other = |text: &str| format!(r#"{{"note":1,"text":"{text}","tags":["b"]}}"#).into_bytes();
    let mut changes = vec![Some(other("second")), None, Some(other("third"))];
    changes.reverse();
    *shelf.other.borrow_mut() = Some(Box::new(move |keys| match changes.pop() {
        Some(Some(value)) => drop(keys.insert("n".to_owned(), value)),
        Some(None) => drop(keys.remove("n")),
        None => {}
    }));
    let kept = ask(&shelf, "n", "mine", |request| {
        append(request);
        request.tags = Some(tags(&["c"]));
    });
    assert_eq!(kept.unwrap().action, Action::Appended);
    let note = get(&shelf, "n").unwrap();
    assert_eq!((note.text.as_str(), note.tags), ("third\nmine", tags(&["b", "c"])));
}

#[test]
fn a_key_that_never_rests_is_given_up() {
    let shelf = Shelf::default();
    let mut count = 0;
    *shelf.other.borrow_mut() = Some(Box::new(move |keys| {
        count += 1;
        keys.insert("n".to_owned(), format!(r#"{{"note":1,"text":"{count}","tags":[]}}"#).into_bytes());
    }));
    let error = ask(&shelf, "n", "mine", append).unwrap_err();
    assert!(error.contains("nothing of this call was kept"), "{error}");
    assert!(shelf.ops.get() < 1_000, "{}", shelf.ops.get());
    assert!(!get(&shelf, "n").unwrap().text.contains("mine"));
}

#[test]
fn what_is_no_note_is_left_but_can_be_forgotten() {
    let shelf = Shelf::default();
    let long = format!(r#"{{"note":1,"text":"{}","tags":[]}}"#, "x".repeat(300_000));
    for (value, part) in [
        (&b"17"[..], "no note of this tool"),
        (b"\xff\xfe", "no note of this tool"),
        (br#"{"text":"x","tags":[]}"#, "no note of this tool"),
        (br#"{"note":0,"text":"x","tags":[]}"#, "no note of this tool"),
        (br#"{"note":1,"text":"x"}"#, "no note of this tool"),
        (br#"{"note":1,"text":"x","tags":["a\nb"]}"#, "no note of this tool"),
        (br#"{"note":2,"body":"x"}"#, "a later version"),
        (long.as_bytes(), "no note of this tool"),
    ] {
        shelf.raw("n", value);
        for if_exists in [IfExists::Replace, IfExists::Append, IfExists::Fail] {
            let error = ask(&shelf, "n", "x", |request| request.if_exists = if_exists).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(get(&shelf, "n").unwrap_err().contains(part));
        assert_eq!(shelf.keys.borrow().get("n").unwrap(), value);
    }
    assert_eq!((forget(&shelf, "n"), forget(&shelf, "n")), (Ok(true), Ok(false)));
}

#[test]
fn a_name_that_is_not_there_suggests_others() {
    let shelf = Shelf::default();
    let ask = |name: &str| get(&shelf, name).unwrap_err();
    assert!(ask("x").contains("no notes at all yet"));
    for name in ["project/build-steps", "user-preferences", "groceries"] {
        shelf.put(name, "x", &[]);
    }
    assert!(ask("preference").contains("Did you mean `user-preferences`?"), "{}", ask("preference"));
    assert!(ask("Build Steps").contains("Did you mean `project/build-steps`?"), "{}", ask("Build Steps"));
    let error = ask("zzz");
    assert!(error.contains("list shows") && !error.contains("Did you mean"), "{error}");
}

#[test]
fn each_failure_says_what_to_do() {
    for (failure, read, write) in [
        (Failure::Denied, "`kv:memory:ro`", "by a grant that covers `kv:memory`."),
        (Failure::NoStore, "no store stands behind", "no store stands behind"),
        (Failure::Other("the store is full".into()), "read the note `n`: the store is full.", ": the store is full."),
    ] {
        let shelf = Shelf::default();
        *shelf.failure.borrow_mut() = Some(failure);
        assert!(get(&shelf, "n").unwrap_err().contains(read));
        assert!(forget(&shelf, "n").is_err());
        let error = ask(&shelf, "n", "x", |_| {}).unwrap_err();
        // Looking at it is what fails first.
        assert!(error.contains(read) || error.contains(write), "{error}");
    }
}
