//! A log that was tampered with: what was done is named, and where. The twin of each attack is the log as it was.

use std::fs;

use caplet_audit::log::{FaultKind, Hash, Log};

use super::{World, append};

/// A log of three segments, of a first entry and some records each.
fn world() -> World {
    let world = World::new();
    let log = Log::new(world.config().segment_bytes(4_000));
    let tools: Vec<String> = (0..11).map(|number| format!("tool-{number}")).collect();
    append(&log, &tools.iter().map(String::as_str).collect::<Vec<_>>());
    drop(log);
    assert_eq!(world.lines().iter().map(Vec::len).collect::<Vec<_>>(), [6, 6, 2], "{:?}", world.lines()[0][1]);
    assert!(world.verify().is_sound());
    world
}

/// `line` after `change`, with a hash that fits again.
fn forged(line: &str, change: impl Fn(&str) -> String) -> String {
    let rest = change(&line[r#"{"hash":"","#.len() + 64..]);
    let hash = Hash::of(&[b"{", rest.as_bytes()]);
    format!("{{\"hash\":\"{hash}\",{rest}")
}

fn renamed(text: &str) -> String {
    text.replace("\"tool\":\"tool-", "\"tool\":\"toil-").replace("\"kind\":\"start\"", "\"kind\":\"stare\"")
}

type Segments = Vec<Vec<String>>;

/// What is done to line `at` of segment `of`, and what is found: kind, and how many lines later.
type Attack = (&'static str, fn(&mut Segments, usize, usize), FaultKind, usize);

const ATTACKS: [Attack; 9] = [
    ("edit", |all, of, at| all[of][at] = renamed(&all[of][at]), FaultKind::Edited, 0),
    (
        "edit the hash",
        |all, of, at| {
            let line = &mut all[of][at];
            let last = if &line[9..10] == "0" { "1" } else { "0" };
            line.replace_range(9..10, last);
        },
        FaultKind::Edited,
        0,
    ),
    ("no JSON", |all, of, at| all[of][at].push('}'), FaultKind::Edited, 0),
    ("whitespace", |all, of, at| all[of][at] = all[of][at].replace(",\"seq\"", ", \"seq\""), FaultKind::Whitespace, 0),
    (
        "key order",
        |all, of, at| {
            let (front, seq) = all[of][at].rsplit_once(",\"seq\":").unwrap();
            all[of][at] = format!("{{\"seq\":{},{}}}", seq.trim_end_matches('}'), &front[1..]);
        },
        FaultKind::Whitespace,
        0,
    ),
    (
        "a key twice",
        |all, of, at| all[of][at] = all[of][at].replace("{\"hash\"", "{\"a\":1,\"a\":2,\"hash\""),
        FaultKind::Edited,
        0,
    ),
    ("insert", |all, of, at| all[of].insert(at, "{\"seq\":7}".to_owned()), FaultKind::Inserted, 0),
    ("insert a blank line", |all, of, at| all[of].insert(at, String::new()), FaultKind::Inserted, 0),
    (
        "duplicate",
        |all, of, at| {
            let line = all[of][at].clone();
            all[of].insert(at, line);
        },
        FaultKind::Duplicated,
        1,
    ),
];

/// First, middle and last of the log, and on both sides of where segments meet.
const PLACES: [(usize, usize); 7] = [(0, 0), (0, 1), (0, 3), (0, 5), (1, 0), (1, 3), (2, 1)];

#[test]
fn each_change_of_a_line_is_named_with_its_place() {
    let world = world();
    let whole = world.lines();
    for (name, attack, kind, later) in ATTACKS {
        for (of, at) in PLACES {
            let mut changed = whole.clone();
            attack(&mut changed, of, at);
            world.put(&changed);
            let fault = world.verify().fault.unwrap_or_else(|| panic!("{name} at {of} {at} is not found"));
            let place = (fault.segment.clone(), fault.line);
            let expected = (Some(format!("audit-{:08}.jsonl", of + 1)), Some((at + later + 1) as u64));
            assert_eq!((fault.kind, place), (kind, expected), "{name} at {of} {at}: {fault:?}");
        }
    }
    world.put(&whole);
    assert!(world.verify().is_sound());
}

#[test]
fn a_line_that_is_gone_or_elsewhere_is_named() {
    let world = world();
    let whole = world.lines();
    for (of, at) in PLACES {
        let mut deleted = whole.clone();
        deleted[of].remove(at);
        world.put(&deleted);
        let fault = world.verify().fault.unwrap();
        let expected = match (of, at) {
            // Nothing follows that could show it, but a checkpoint does.
            (2, 1) => (FaultKind::Truncated, 3),
            (0, 5) => (FaultKind::Deleted, 2),
            _ => (FaultKind::Deleted, of + 1),
        };
        let segment = fault.segment.clone().unwrap();
        assert_eq!(
            (fault.kind, segment),
            (expected.0, format!("audit-{:08}.jsonl", expected.1)),
            "{of} {at}: {fault:?}"
        );
    }
    for (of, at) in [(0, 0), (0, 1), (0, 3), (1, 3), (2, 0)] {
        let mut swapped = whole.clone();
        swapped[of].swap(at, at + 1);
        world.put(&swapped);
        let fault = world.verify().fault.unwrap();
        assert_eq!((fault.kind, fault.line), (FaultKind::Reordered, Some(at as u64 + 1)), "{of} {at}: {fault:?}");
    }
    let mut across = whole.clone();
    let (last, first) = (across[0].pop().unwrap(), across[1].remove(0));
    across[0].push(first);
    across[1].insert(0, last);
    world.put(&across);
    let fault = world.verify().fault.unwrap();
    assert_eq!((fault.kind, fault.line), (FaultKind::Reordered, Some(6)), "{fault:?}");
}

#[test]
fn a_log_that_is_cut_is_found_by_its_checkpoint() {
    let world = world();
    let whole = world.lines();
    for (of, at) in PLACES {
        let mut cut = whole.clone();
        cut.truncate(of + 1);
        cut[of].truncate(at);
        if of == 0 && at == 0 {
            continue;
        }
        world.put(&cut);
        let fault = world.verify().fault.unwrap();
        assert_eq!(fault.kind, FaultKind::Truncated, "{of} {at}: {fault:?}");
        // It went on after that: an older checkpoint does not fit.
        fs::set_permissions(world.segment(of + 1), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        append(&world.log(), &["x"; 20]);
        let fault = world.verify().fault.unwrap();
        assert_eq!(fault.kind, FaultKind::Swapped, "{of} {at}: {fault:?}");
        fs::write(world.keys().join("checkpoints.jsonl"), first_checkpoint(&world)).unwrap();
    }
}

/// The file of checkpoints with the first of them alone.
fn first_checkpoint(world: &World) -> String {
    let text = fs::read_to_string(world.keys().join("checkpoints.jsonl")).unwrap();
    format!("{}\n", text.lines().next().unwrap())
}

#[test]
fn hashes_that_were_made_anew_do_not_help() {
    let world = world();
    let whole = world.lines();
    let last = (2, 1);
    for (of, at) in [(0, 1), (0, 3), (0, 5), (1, 3), last] {
        let mut edited = whole.clone();
        edited[of][at] = forged(&whole[of][at], renamed);
        world.put(&edited);
        let fault = world.verify().fault.unwrap();
        // The next one names another entry; after the last, the checkpoint does.
        let expected = match (of, at) {
            (2, 1) => (FaultKind::Swapped, 2),
            (0, 5) => (FaultKind::Swapped, 1),
            _ => (FaultKind::Edited, at as u64 + 2),
        };
        assert_eq!((fault.kind, fault.line), (expected.0, Some(expected.1)), "{of} {at}: {fault:?}");
        let mut inserted = whole.clone();
        inserted[of].insert(at, forged(&whole[of][at], renamed));
        world.put(&inserted);
        let fault = world.verify().fault.unwrap();
        // A checkpoint on the entry shows that sooner than the next one.
        let later = u64::from((of, at) != last);
        let kind = if (of, at) == last { FaultKind::Swapped } else { FaultKind::Inserted };
        assert_eq!((fault.kind, fault.line), (kind, Some(at as u64 + 1 + later)), "{of} {at}: {fault:?}");
    }
    // An entry in another form than the one that entries have, with a hash that fits.
    let mut spaced = whole.clone();
    spaced[2][1] = forged(&whole[2][1], |rest| rest.replace("\"tool\":", "\"tool\": "));
    world.put(&spaced);
    let fault = world.verify().fault.unwrap();
    assert_eq!((fault.kind, fault.line), (FaultKind::Edited, Some(2)), "{fault:?}");
}

#[test]
fn all_hashes_made_anew_do_not_fit_the_checkpoint() {
    let world = world();
    let mut prev: Option<String> = None;
    let rewrite = |line: &String| {
        let line = forged(line, |rest| {
            let rest = renamed(rest).replace("stare", "start");
            prev.as_ref()
                .map_or(rest.clone(), |prev| format!("\"prev\":\"{prev}\"{}", &rest[r#""prev":"""#.len() + 64..]))
        });
        prev = Some(line[9..73].to_owned());
        line
    };
    let all = world.lines().concat();
    let rewritten: Vec<String> = all.iter().map(rewrite).collect();
    let mut lines = rewritten.into_iter();
    let segments: Vec<Vec<String>> = [6, 6, 2].map(|length| lines.by_ref().take(length).collect()).into();
    world.put(&segments);
    let fault = world.verify().fault.unwrap();
    assert_eq!((fault.kind, fault.seq), (FaultKind::Swapped, Some(14)), "{fault:?}");
    // Without checkpoints nobody would see it, and that is said.
    fs::remove_file(world.keys().join("checkpoints.jsonl")).unwrap();
    let report = world.verify();
    assert!(report.is_sound() && report.notes[0].what.contains("no checkpoint"), "{report:?}");
}

#[test]
fn other_logs_and_segments_are_found() {
    let (world, other) = (world(), world());
    let (own, foreign) = (world.lines(), other.lines());
    world.put(&foreign);
    assert_eq!(world.verify().fault.unwrap().kind, FaultKind::Swapped);
    let table: [(&str, Segments, FaultKind, &str); 4] = [
        ("one of another log", vec![own[0].clone(), foreign[1].clone(), own[2].clone()], FaultKind::Swapped, "2"),
        ("in another order", vec![own[0].clone(), own[2].clone(), own[1].clone()], FaultKind::Reordered, "2"),
        ("the first gone", vec![own[1].clone(), own[2].clone()], FaultKind::Deleted, "1"),
        ("the last gone", vec![own[0].clone(), own[1].clone()], FaultKind::Truncated, "2"),
    ];
    for (name, segments, kind, segment) in table {
        world.put(&segments);
        let fault = world.verify().fault.unwrap();
        let place = fault.segment.clone().unwrap();
        assert_eq!((fault.kind, place), (kind, format!("audit-0000000{segment}.jsonl")), "{name}: {fault:?}");
    }
    world.put(&own);
    fs::remove_file(world.segment(2)).unwrap();
    assert_eq!(world.verify().fault.unwrap().kind, FaultKind::Deleted);
}

#[test]
fn checkpoints_that_were_changed_are_found() {
    let world = world();
    let path = world.keys().join("checkpoints.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    for changed in [
        whole.replace("\"seq\":14", "\"seq\":13"),
        whole.replace("2", "3"),
        format!("{whole}x\n"),
        whole.replace("\"seq\"", "\"seq\":1,\"seq\""),
    ] {
        fs::write(&path, changed).unwrap();
        assert_eq!(world.verify().fault.unwrap().kind, FaultKind::Checkpoint);
    }
    // Cut short by a crash: as if it were not there.
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert!(world.verify().is_sound());
    append(&world.log(), &["x"]);
    assert_eq!(world.verify().vouched, Some(15));
    assert!(world.verify().is_sound());
}
