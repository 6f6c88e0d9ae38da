//! Where a call belongs: what counts as a `traceparent`.

use caplet_audit::{Outcome, Record, TraceParent};

const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn only_what_the_specification_has_is_one() {
    let parsed: TraceParent = GOOD.parse().unwrap();
    assert_eq!(parsed.as_str(), GOOD);
    assert_eq!((parsed.trace_id(), parsed.parent_id()), (&GOOD[3..35], &GOOD[36..52]));
    assert!(parsed.is_sampled() && !GOOD.replace("-01", "-02").parse::<TraceParent>().unwrap().is_sampled());
    let later = GOOD.replacen("00", "cc", 1) + "-what-comes-later";
    assert_eq!(later.parse::<TraceParent>().unwrap().as_str(), GOOD, "a later version begins like this one");
    let wrong = [
        String::new(),
        GOOD[..54].to_owned(),
        format!("{GOOD}-"),
        format!("{GOOD}0"),
        format!(" {GOOD}"),
        GOOD.to_uppercase(),
        GOOD.replace('-', "_"),
        GOOD.replacen("00", "ff", 1),
        GOOD.replacen("00", "0x", 1),
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
        GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
        GOOD.replace("b7ad6b7169203331", "b7ad6b71692033\u{e9}"),
        GOOD.replace("-b7", "b-7"),
        "é".repeat(30),
    ];
    for text in wrong {
        assert!(text.parse::<TraceParent>().is_err(), "{text:?}");
    }
}

#[test]
fn a_record_without_one_reads_as_before() {
    let mut record = Record::new(&Outcome::new("add", None));
    let line = record.to_line().unwrap();
    assert!(!line.contains("trace"), "{line}");
    assert_eq!(serde_json::from_str::<Record>(&line).unwrap().trace, None);
    record.trace = Some(GOOD.parse().unwrap());
    let line = record.to_line().unwrap();
    assert_eq!(serde_json::from_str::<Record>(&line).unwrap().trace, record.trace);
    assert!(serde_json::from_str::<Record>(&line.replace(GOOD, "x")).is_err());
}
