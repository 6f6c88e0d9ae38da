//! What a caller of `list` and `search` gets.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use memory::{Failure, ListRequest, Listing, SearchRequest, SearchResult, list, search};
use support::Shelf;

fn shelf() -> Shelf {
    let shelf = Shelf::default();
    shelf.put("deploy", "How to release.\nRun make.", &["ops"]);
    shelf.put("project/a", "\n  \n  Alpha is deployed by hand  \nmore", &["Work", "alpha"]);
    shelf.put("project/b", "Beta, released weekly: make release, then deploy", &["work"]);
    shelf.put("zoo", "Ähnlich wie ÜBER", &["Deployment"]);
    shelf
}

fn ask(shelf: &Shelf, change: impl FnOnce(&mut ListRequest)) -> Listing {
    let mut request = ListRequest::default();
    change(&mut request);
    list(shelf, &request).unwrap()
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.notes.iter().map(|entry| entry.name.as_str()).collect()
}

fn find(shelf: &Shelf, query: &str) -> SearchResult {
    search(shelf, &SearchRequest { query: query.to_owned(), ..SearchRequest::default() }).unwrap()
}

fn hits(found: &SearchResult) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.name.as_str()).collect()
}

#[test]
fn notes_are_listed_by_name_with_what_they_are_about() {
    let shelf = shelf();
    let all = ask(&shelf, |_| {});
    assert_eq!(names(&all), ["deploy", "project/a", "project/b", "zoo"]);
    assert_eq!((all.total, &all.next_cursor, &all.notice), (4, &None, &None));
    let entry = &all.notes[1];
    assert_eq!((entry.size, entry.first_line.as_str()), (38, "Alpha is deployed by hand"));
    assert_eq!(entry.tags, ["Work", "alpha"]);
    assert_eq!(names(&ask(&shelf, |request| request.prefix = Some("project/".into()))), ["project/a", "project/b"]);
    assert_eq!(names(&ask(&shelf, |request| request.tag = Some("WORK".into()))), ["project/a", "project/b"]);
    shelf.put("long", &"ü".repeat(200), &[]);
    let long = ask(&shelf, |request| request.prefix = Some("long".into()));
    assert_eq!(long.notes[0].first_line, format!("{}…", "ü".repeat(120)));
}

#[test]
fn an_empty_listing_says_why() {
    let notice = |shelf: &Shelf, change: fn(&mut ListRequest)| ask(shelf, change).notice.unwrap();
    assert_eq!(notice(&Shelf::default(), |_| {}), "There are no notes yet.");
    let shelf = shelf();
    assert!(notice(&shelf, |request| request.prefix = Some("x".into())).contains("4 notes with other names"));
    assert!(notice(&shelf, |request| request.tag = Some("x".into())).contains("None of the notes has the tag `x`"));
}

#[test]
fn pages_have_every_note_once() {
    let shelf = Shelf::default();
    for n in 0..700 {
        shelf.put(&format!("n{n:03}"), "text", if n % 7 == 0 { &["seven"] } else { &[] });
    }
    for (limit, tag, expected) in
        [(None, None, 700), (Some(33), None, 700), (Some(500), Some("seven"), 100), (Some(9), Some("seven"), 100)]
    {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = ask(&shelf, |request| {
                (request.limit, request.tag, request.cursor) = (limit, tag.map(str::to_owned), cursor);
            });
            assert!(page.notes.len() <= limit.unwrap_or(100) as usize);
            seen.extend(page.notes.into_iter().map(|entry| entry.name));
            let Some(next) = page.next_cursor else { break };
            cursor = Some(next);
        }
        assert_eq!(seen.len(), expected);
        assert!(seen.is_sorted());
    }
    for limit in [0, 501] {
        let error = list(&shelf, &ListRequest { limit: Some(limit), ..ListRequest::default() }).unwrap_err();
        assert!(error.contains("from 1 to 500"), "{error}");
    }
}

#[test]
fn words_in_names_and_tags_come_first_then_more_words() {
    let shelf = shelf();
    let found = find(&shelf, "deploy make release");
    // `deploy` has one word in its name and all of them; `zoo` one in its tag; then by the number of words in the text.
    assert_eq!(hits(&found), ["deploy", "zoo", "project/b", "project/a"]);
    assert_eq!((found.matching, found.searched, &found.notice), (4, 4, &None));
    assert_eq!(found.hits[0].words, ["deploy", "make", "release"]);
    assert_eq!(found.hits[3].words, ["deploy"]);
    assert_eq!(found.hits[3].excerpt, "Alpha is deployed by hand more");
    let one = search(
        &shelf,
        &SearchRequest { query: "make release".into(), prefix: Some("project/".into()), limit: Some(1) },
    );
    let one = one.unwrap();
    assert_eq!((hits(&one), one.matching, one.searched), (vec!["project/b"], 1, 2));
    let best = search(&shelf, &SearchRequest { query: "deploy".into(), prefix: None, limit: Some(2) }).unwrap();
    assert_eq!((hits(&best), best.matching), (vec!["deploy", "zoo"], 4));
}

#[test]
fn case_punctuation_and_writing_do_not_matter() {
    let shelf = shelf();
    for query in ["über", "ÜBER", "\"über\",", "ähnlich", "über ÜBER"] {
        assert_eq!(hits(&find(&shelf, query)), ["zoo"], "{query}");
    }
    shelf.put("arrows", "a -> b", &[]);
    assert_eq!(hits(&find(&shelf, "->")), ["arrows"]);
    // One character, in lower case three bytes and two: a place in the one form is not that of the other.
    shelf.put("long", &format!("{} needle {}", "İ".repeat(300), "x ".repeat(300)), &[]);
    let excerpt = find(&shelf, "needle").hits[0].excerpt.clone();
    assert!(excerpt.starts_with("…İ") && excerpt.contains("needle x") && excerpt.ends_with('…'), "{excerpt}");
    assert!(excerpt.chars().count() <= 202, "{excerpt}");
}

#[test]
fn a_search_without_a_result_says_what_to_try() {
    let notice = |shelf: &Shelf, query: &str| find(shelf, query).notice.unwrap();
    assert_eq!(notice(&Shelf::default(), "x"), "There are no notes yet.");
    assert!(notice(&shelf(), "qqq").contains("No note has any of the words"));
    let many: String = (0..17).map(|n| format!("w{n} ")).collect();
    for (query, part) in
        [("", "has no words"), (" \n", "has no words"), (&many, "17 words"), (&"x".repeat(1_001), "1000 bytes")]
    {
        let error = search(&shelf(), &SearchRequest { query: query.to_owned(), ..SearchRequest::default() });
        assert!(error.unwrap_err().contains(part), "{part}");
    }
}

#[test]
fn what_is_no_note_is_passed_over_and_counted() {
    let shelf = shelf();
    shelf.raw("counter", "17");
    shelf.raw("newer", r#"{"note":2}"#);
    shelf.raw(&"long".repeat(100), "deploy");
    let (listing, found) = (ask(&shelf, |_| {}), find(&shelf, "alpha"));
    assert_eq!((listing.notes.len(), hits(&found), found.searched), (4, vec!["project/a"], 4));
    for notice in [listing.notice, found.notice] {
        assert!(notice.as_ref().unwrap().contains("2 keys of the bucket passed over"), "{notice:?}");
    }
}

#[test]
fn a_call_stops_before_the_host_would_end_it() {
    /// The most operations of a call that the host permits, and the most that one page of names may count.
    const OPS: usize = 10_000;
    const PAGE_OPS: usize = 64;
    let shelf = Shelf::default();
    for n in 0..20_000 {
        shelf.raw(&format!("n{n:05}"), r#"{"note":1,"text":"needle","tags":[]}"#);
    }
    let found = find(&shelf, "needle");
    assert_eq!((found.matching, found.searched), (6_000, 6_000));
    let notice = found.notice.unwrap();
    assert!(notice.contains("Only the first 6000 of 15360 notes") && notice.contains("prefix"), "{notice}");
    assert!(notice.contains("more than the 15360 notes"), "{notice}");
    let pages = 60;
    assert!(shelf.ops.get() - pages + pages * PAGE_OPS < OPS, "{}", shelf.ops.get());
    let listing = ask(&shelf, |request| request.tag = Some("none".into()));
    assert!(listing.notes.is_empty() && listing.next_cursor.is_some());
}

#[test]
fn large_notes_are_looked_through_as_far_as_that_takes_seconds() {
    let shelf = Shelf::default();
    let value = format!(r#"{{"note":1,"text":"{}","tags":[]}}"#, "x".repeat(256 * 1024));
    for n in 0..300 {
        shelf.raw(&format!("n{n:03}"), value.as_str());
    }
    let found = find(&shelf, "n0");
    assert!((256..300).contains(&found.searched), "{}", found.searched);
    assert!(found.notice.unwrap().contains("of 300 notes"));
}

#[test]
fn a_refusal_is_said_and_no_answer_given() {
    let shelf = shelf();
    *shelf.failure.borrow_mut() = Some(Failure::Denied);
    let errors = [
        list(&shelf, &ListRequest::default()).unwrap_err(),
        search(&shelf, &SearchRequest { query: "x".into(), ..SearchRequest::default() }).unwrap_err(),
    ];
    for error in errors {
        assert!(error.contains("not permitted to look at the notes") && error.contains("`kv:memory:ro`"), "{error}");
    }
}
