//! Listings: whole, bounded, and silent about what may not be read.

use super::probe::{Answer, DRAFT_2, DRAFTS, Source, Step, script};

/// Puts keys into a bucket.
async fn put(source: &std::sync::Arc<Source>, keys: impl Iterator<Item = String>) {
    let keys: Vec<String> = keys.collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut script = script(DRAFT_2, source).allow("kv:b").must();
    let b = script.open("b");
    for part in keys.chunks(5000) {
        script.set_many(b, part, "");
    }
    assert_eq!(script.run().await.all().first().unwrap(), "ok");
}

/// A listing from the start, in as many calls as it takes: the parts, and whether each had a cursor.
async fn parts(draft: &'static str, source: &std::sync::Arc<Source>) -> (Answer, Vec<Step>) {
    let mut cursors: Vec<String> = Vec::new();
    loop {
        // Cursors mean something in one call alone, so each try goes the whole way.
        let mut script = script(draft, source).allow("kv:b").deny("kv:b/*-hidden");
        let b = script.open("b");
        let mut steps = vec![script.list(b)];
        steps.extend(cursors.iter().map(|cursor| script.list_from(b, cursor)));
        let answer = script.run().await;
        match answer.cursor(*steps.last().unwrap()) {
            Some(cursor) => cursors.push(cursor),
            None => return (answer, steps),
        }
        assert!(cursors.len() < 20, "it ends");
    }
}

#[tokio::test]
async fn a_long_listing_comes_whole_and_in_parts() {
    let source = Source::memory();
    put(&source, (0..1000).map(|n| format!("{n:04}"))).await;
    for draft in DRAFTS {
        let (answer, steps) = parts(draft, &source).await;
        let sizes: Vec<usize> = steps.iter().map(|step| answer.lines(*step).len()).collect();
        assert_eq!(sizes, [256, 256, 256, 232], "{draft}");
        let mut keys: Vec<String> = steps.iter().flat_map(|step| answer.lines(*step)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1000, "{draft}");
    }
}

#[tokio::test]
async fn a_listing_is_the_same_whatever_hidden_keys_there_are() {
    let (bare, full) = (Source::memory(), Source::memory());
    for source in [&bare, &full] {
        put(source, (0..600).map(|n| format!("{n:04}"))).await;
    }
    // Between the others, at the ends of pages, and very many in a row.
    put(&full, (0..600).step_by(3).map(|n| format!("{n:04}-hidden"))).await;
    put(&full, (0..5000).map(|n| format!("0300x{n}-hidden"))).await;
    for draft in DRAFTS {
        let ((bare, steps), (full, _)) = (parts(draft, &bare).await, parts(draft, &full).await);
        assert_eq!(steps.len(), 3);
        assert_eq!(bare.outcome.output, full.outcome.output, "{draft}: keys, sizes of parts, cursors");
        assert_eq!(bare.outcome.usage.ops, full.outcome.usage.ops, "{draft}: what counts towards the limit");
        assert_eq!(bare.outcome.decisions, full.outcome.decisions, "{draft}");
        assert!(!full.outcome.output.to_string().contains("hidden"), "{draft}");
    }
}

#[tokio::test]
async fn a_cursor_cannot_be_made_up() {
    let source = Source::memory();
    put(&source, (0..600).map(|n| format!("{n:04}"))).await;
    let no_cursor = "other: this is no cursor of this bucket, or one that too many came after";
    for draft in DRAFTS {
        let mut script = script(draft, &source).allow("kv:b").allow("kv:c");
        let (b, c) = (script.open("b"), script.open("c"));
        let early = script.list_from(b, "0");
        let listed = script.list(b);
        let again = script.open("b");
        let good = script.list_from(again, "0");
        let mut bad =
            vec![early, script.list_from(c, "0"), script.list_from(b, "2"), script.list_from(b, "9223372036854775807")];
        if draft == DRAFT_2 {
            let texts =
                ["", "0100", "zz", "-2", "18446744073709551615", "18446744073709551616", "0\0", "' OR 1=1 --", "é"];
            bad.extend(texts.map(|text| script.list_from(b, text)));
        } else {
            // The largest number but one: the probe takes the largest for no cursor.
            bad.push(script.list_from(b, "-2"));
        }
        let answer = script.run().await;
        assert_eq!((answer.cursor(listed).as_deref(), answer.lines(good).len()), (Some("0"), 256), "{draft}");
        for step in bad {
            assert_eq!(answer.told(step), no_cursor, "{draft}: step {step}");
        }
    }
}

#[tokio::test]
async fn a_guest_cannot_have_the_host_keep_many_listings() {
    let source = Source::memory();
    put(&source, (0..600).map(|n| format!("{n:04}"))).await;
    for draft in DRAFTS {
        let mut script = script(draft, &source).allow("kv:b");
        let b = script.open("b");
        script.list(b);
        script.times(100);
        let (old, kept) = (script.list_from(b, "35"), script.list_from(b, "36"));
        let answer = script.run().await;
        assert!(answer.told(old).starts_with("other: this is no cursor"), "{draft}");
        assert_eq!(answer.lines(kept).len(), 256, "{draft}");
    }
}
