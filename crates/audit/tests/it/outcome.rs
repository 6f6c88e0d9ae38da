//! The JSON and the exit codes of outcomes.

use caplet_audit::{ErrorInfo, ErrorKind, Outcome, OutcomeKind, Usage};
use serde_json::json;

#[test]
fn json_has_the_documented_fields_in_the_documented_order() {
    let mut outcome = Outcome::new("file-read", Some("read".to_owned()));
    outcome.output = json!("text");
    outcome.usage = Usage { wall_us: 412, memory_peak_bytes: 1_179_648, output_bytes: 120, ..Usage::default() };
    (outcome.usage.cpu_us, outcome.usage.file_read_bytes) = (300, 100);
    outcome.usage.ops.insert("wasi:filesystem".to_owned(), 3);
    outcome.decisions.permitted = 3;
    outcome.record = Some("01J".to_owned());
    let expected = concat!(
        r#"{"tool":"file-read","function":"read","outcome":"ok","output":"text","error":null,"exit_code":null,"#,
        r#""usage":{"wall_us":412,"fuel":null,"memory_peak_bytes":1179648,"output_bytes":120,"http_requests":0,"#,
        r#""http_sent_bytes":0,"http_received_bytes":0,"calls":0,"cpu_us":300,"file_read_bytes":100,"file_written_bytes":0,"ops":{"wasi:filesystem":3}},"#,
        r#""decisions":{"permitted":3,"denied":[]},"record":"01J"}"#
    );
    assert_eq!(serde_json::to_string(&outcome).unwrap(), expected);
}

#[test]
fn an_error_has_kind_message_and_hint() {
    let error = ErrorInfo::new(ErrorKind::InvalidArgs, "no").with_hint("try");
    let outcome = Outcome::refused("t", None, error);
    let value = serde_json::to_value(&outcome).unwrap();
    assert_eq!(value["outcome"], "refused");
    assert_eq!(value["error"], json!({"kind": "invalid-args", "message": "no", "hint": "try"}));
    assert_eq!(value["function"], json!(null));
}

#[test]
fn what_did_not_fit_the_list_of_denials_is_counted() {
    let mut outcome = Outcome::new("t", None);
    outcome.decisions.overflow = 7;
    assert_eq!(serde_json::to_value(&outcome).unwrap()["decisions"]["overflow"], 7);
}

#[test]
fn every_end_has_its_exit_code() {
    let exit = |code| Outcome { outcome: OutcomeKind::Exit, exit_code: Some(code), ..Outcome::new("t", None) };
    let refused = |kind| Outcome::refused("t", None, ErrorInfo::new(kind, "no"));
    let plain = |outcome| Outcome { outcome, ..Outcome::new("t", None) };
    let table = [
        (plain(OutcomeKind::Ok), 0),
        (plain(OutcomeKind::Error), 1),
        (plain(OutcomeKind::Denied), 3),
        (plain(OutcomeKind::Trap), 4),
        (plain(OutcomeKind::Limit), 5),
        (Outcome::host("t", None, ErrorInfo::new(ErrorKind::Host, "broken")), 6),
        (Outcome::cancelled("t", None), 5),
        (exit(0), 0),
        (exit(7), 1),
        (exit(256), 1),
        (exit(u32::MAX), 1),
        (refused(ErrorKind::InvalidArgs), 2),
        (refused(ErrorKind::InvalidComponent), 2),
        (refused(ErrorKind::InvalidManifest), 2),
        (refused(ErrorKind::InvalidConfig), 2),
        (refused(ErrorKind::UnknownTool), 2),
        (refused(ErrorKind::Denied), 3),
    ];
    for (outcome, code) in table {
        assert_eq!(outcome.process_exit_code(), code, "{outcome:?}");
        assert_eq!(outcome.is_ok(), code == 0);
    }
}

#[test]
fn words_are_the_same_in_json_and_in_text() {
    let outcomes = ["ok", "error", "denied", "refused", "exit", "trap", "limit", "host"];
    for word in outcomes {
        let kind: OutcomeKind = serde_json::from_value(json!(word)).unwrap();
        assert_eq!(kind.to_string(), word);
    }
    let kinds = [
        "tool-error",
        "denied",
        "invalid-args",
        "invalid-component",
        "invalid-manifest",
        "invalid-config",
        "unknown-tool",
        "trap",
        "timeout",
        "fuel",
        "memory",
        "stack",
        "tables",
        "output",
        "quota",
        "handles",
        "cancelled",
        "host",
    ];
    for word in kinds {
        let kind: ErrorKind = serde_json::from_value(json!(word)).unwrap();
        assert_eq!(kind.to_string(), word);
    }
}
