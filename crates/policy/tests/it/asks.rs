//! Rules that ask: what they are about, what an answer is worth, and that they change nothing without one.

use std::sync::{Arc, Mutex};

use caplet_policy::proof::{effective, is_subset, widenings};
use caplet_policy::{
    Answered, AnyOp, Asker, CannotAsk, Class, FilesystemSection, HttpOp, HttpSection, Journal, KeyValueSection, Layer,
    LayerKind, OpenBucket, Policy, Read, Rule, Search, SecretsSection, Write,
};
use proptest::prelude::*;

use crate::laws::guarded;
use crate::{generate, layer, op, rule};

/// Answers every question alike, and keeps what it was asked.
#[derive(Debug)]
struct Always {
    permits: bool,
    asked: Mutex<Vec<String>>,
}

impl Asker for Always {
    fn is_settled(&self, _op: &AnyOp) -> bool {
        false
    }

    fn answer(&self, op: &AnyOp) -> Option<Answered> {
        self.asked.lock().unwrap().push(op.to_string());
        Some(Answered { permits: self.permits, how: "the test".into() })
    }
}

fn answering(permits: bool) -> (Arc<Journal>, Arc<Always>) {
    let (journal, asker) = (Arc::new(Journal::new()), Arc::new(Always { permits, asked: Mutex::default() }));
    journal.set_asker(Arc::clone(&asker) as Arc<dyn Asker>);
    (journal, asker)
}

/// A layer of the operator with rules that ask.
fn asking(allow: &[&str], deny: &[&str], ask: &[&str]) -> Layer {
    let mut layer = layer(LayerKind::Operator, allow, deny);
    ask.iter().for_each(|text| layer.add_ask(rule(text)).unwrap());
    layer
}

/// The same rules three times: with those that ask, without them, and with them as rules that allow.
#[derive(Clone, Debug)]
struct Three {
    asks: Layer,
    without: Layer,
    allowed: Layer,
}

fn three() -> impl Strategy<Value = Three> {
    let rules = |most| proptest::collection::vec(generate::rule(), 0..most);
    let askable = |rule: &Rule| Layer::new(LayerKind::Operator).add_ask(rule.clone()).is_ok();
    (rules(4), rules(3), rules(5)).prop_map(move |(allow, deny, ask)| {
        let mut without = Layer::new(LayerKind::Operator);
        allow.into_iter().for_each(|rule| without.add_allow(rule));
        deny.into_iter().for_each(|rule| without.add_deny(rule));
        let (mut asks, mut allowed) = (without.clone(), without.clone());
        for rule in ask.into_iter().filter(askable) {
            asks.add_ask(rule.clone()).unwrap();
            allowed.add_allow(rule);
        }
        Three { asks, without, allowed }
    })
}

/// Ops that give nothing by themselves, and are not asked about.
fn follows(op: &AnyOp) -> bool {
    match op {
        AnyOp::Filesystem(op) => op.to_string().starts_with("search "),
        AnyOp::KeyValue(op) => op.key().is_none(),
        AnyOp::Http(op) => op.address().is_some(),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Who always says no, and who is not there, leaves the policy that it would be without rules that ask; who always says yes, the
    /// one where they allow. Whatever is answered, other layers stay as they are.
    #[test]
    fn an_answer_is_worth_what_the_rule_says(three in three(), outer in generate::layer(), ops in generate::ops()) {
        let under = |layer: &Layer| Policy::new(outer.clone()).attenuate(layer.clone());
        let (asks, without, allowed) = (under(&three.asks), under(&three.without), under(&three.allowed));
        // The outer layer may ask, too: there, nobody says anything but the same.
        let ((yes, _), (no, _)) = (answering(true), answering(false));
        for op in ops {
            prop_assert_eq!(guarded(&asks, &op, &yes), guarded(&allowed, &op, &yes), "yes: {}", asks.explain(&op));
            if !follows(&op) {
                prop_assert_eq!(guarded(&asks, &op, &no), guarded(&without, &op, &no), "no: {}", asks.explain(&op));
                let nobody = Arc::new(Journal::new());
                prop_assert_eq!(guarded(&asks, &op, &nobody), without.permits(&op), "nobody: {}", asks.explain(&op));
            }
            prop_assert_eq!(asks.may_permit(&op), allowed.may_permit(&op), "{}", asks.explain(&op));
        }
    }

    /// Nobody is asked about what some layer refuses, or what all permit anyway.
    #[test]
    fn only_what_depends_on_the_answer_is_asked(three in three(), outer in generate::layer(), ops in generate::ops()) {
        let policy = Policy::new(outer).attenuate(three.asks);
        for op in ops {
            let (journal, asker) = answering(true);
            let is_permitted = guarded(&policy, &op, &journal);
            let asked = asker.asked.lock().unwrap().clone();
            if policy.permits(&op) || !is_permitted {
                prop_assert!(asked.is_empty(), "{asked:?}: {}", policy.explain(&op));
            } else {
                let explained = policy.explain(&op);
                prop_assert_eq!(asked, [explained.op.to_string()]);
                prop_assert!(explained.asks());
                let decisions = journal.summary();
                prop_assert_eq!(decisions.permitted_ops[0].answered.as_deref(), Some("the test"));
            }
        }
    }

    /// What is offered as the narrowest rule permits the op.
    #[test]
    fn the_narrowest_rule_permits_the_op(op in generate::op()) {
        let mut open = Layer::new(LayerKind::Operator);
        for text in ["write:/**", "fetch:ANY http://*:*/**", "fetch:ANY https://*:*/**", "fetch:TRACE http://*:*/**", "kv:b", "kv:c", "kv:d"] {
            open.add_ask(rule(text)).unwrap();
        }
        let policy = Policy::new(open);
        let (journal, _) = answering(true);
        let question = match op.clone() {
            AnyOp::Filesystem(op) => policy.guard::<FilesystemSection>(&journal).question(&op),
            AnyOp::Http(op) if op.address().is_none() => policy.guard::<HttpSection>(&journal).question(&op),
            AnyOp::KeyValue(op) => policy.guard::<KeyValueSection>(&journal).question(&op),
            _ => None,
        };
        prop_assert_eq!(question.is_some(), policy.explain(&op).asks() && !(op.class() == Class::Http && op.to_string().contains(" at ")));
        if let Some(question) = question {
            let Some(narrowest) = question.narrowest else {
                // No rule says such a method.
                prop_assert!(op.to_string().starts_with("get "), "{op}");
                return Ok(());
            };
            let mut layer = Layer::new(LayerKind::Operator);
            layer.add_allow(narrowest.clone());
            prop_assert!(Policy::new(layer.clone()).permits(&op), "{narrowest} for {op}");
            let others = ["GET https://a.b/c", "POST https://a.b/", "write /a/c", "read /c", "kv-write b/c"];
            // To move a directory takes all that is in it.
            let is_tree = op.to_string().starts_with("write-tree ");
            for other in others.map(crate::op).iter().filter(|other| **other != op && !is_tree) {
                prop_assert!(!Policy::new(layer.clone()).permits(other), "{narrowest} for {op} permits {other}");
            }
        }
    }
}

#[test]
fn deny_wins_then_allow_then_ask() {
    let layer = asking(&["read:/w/a/**"], &["read:/w/secret/**"], &["write:/w/**"]);
    let policy = Policy::new(Layer::open(LayerKind::Manifest)).attenuate(layer);
    let cases = [
        ("read /w/a/x", "permitted"),
        ("write /w/a/x", "asked about"),
        ("read /w/b", "asked about"),
        ("read /w/secret/x", "denied"),
        ("read /elsewhere", "denied"),
        ("search /w", "permitted"),
        ("search /w/b", "permitted"),
        ("search /w/secret", "denied"),
        ("write-tree /w/b", "asked about"),
        ("write-tree /w", "denied"),
    ];
    for (text, expected) in cases {
        let explained = policy.explain(&op(text)).to_string();
        assert!(explained.starts_with(&format!("{text}: {expected}\n")), "{explained}");
    }
    // Never above the ceiling.
    let ceiling = crate::layer(LayerKind::Manifest, &["read:/w/**"], &[]);
    let bounded = Policy::new(ceiling).attenuate(asking(&[], &[], &["write:/w/**"]));
    assert!(bounded.explain(&op("read /w/x")).asks());
    let refused = bounded.explain(&op("write /w/x"));
    assert!(!refused.asks() && refused.hint.unwrap().contains("ceiling"));
}

#[test]
fn without_an_answer_a_check_denies_and_says_so() {
    let policy = Policy::new(asking(&[], &[], &["write:/w/**"]));
    let write = || Write("/w/x[1]".parse().unwrap());
    let nobody = Arc::new(Journal::new());
    let guard = policy.guard::<FilesystemSection>(&nobody);
    assert_eq!(guard.question(&write()), None, "nobody is there to answer");
    let denied = guard.check(write()).unwrap_err();
    assert_eq!((denied.rule().as_str(), denied.layer()), ("ask write:/w/**", LayerKind::Operator));
    assert_eq!(
        denied.hint(),
        "a rule says to ask, and nobody can be asked here; --allow 'write:/w/x\\[1\\]' permits it without asking"
    );
    let (journal, _) = answering(false);
    let guard = policy.guard::<FilesystemSection>(&journal);
    let question = guard.question(&write()).unwrap();
    assert_eq!((question.op.to_string().as_str(), question.rule.as_str()), ("write /w/x[1]", "ask write:/w/**"));
    assert_eq!(question.narrowest.unwrap().to_string(), "write:/w/x\\[1\\]");
    let denied = guard.check(write()).unwrap_err();
    assert!(denied.hint().starts_with("the test; "), "{}", denied.hint());
    let entry = &journal.summary().denied[0];
    assert_eq!((entry.answered.as_deref(), entry.count), (Some("the test"), 1));
}

#[test]
fn a_rule_that_would_permit_more_than_was_asked_is_not_offered() {
    let policy = Policy::new(asking(&[], &[], &["read:/w/**", "fetch:https://a.b/**", "kv:notes"]));
    let (journal, _) = answering(true);
    let files = policy.guard::<FilesystemSection>(&journal);
    let read =
        |path: &str| files.question(&Read(path.parse().unwrap())).unwrap().narrowest.map(|rule| rule.to_string());
    assert_eq!(read("/w/a?b*").as_deref(), Some("read:/w/a\\?b\\*"));
    assert_eq!(read("/w/a\u{202e}b"), None, "no rule has this character, and `?` is any other too");
    let requests = policy.guard::<HttpSection>(&journal);
    let fetch = |url: &str| {
        requests.question(&HttpOp::new("GET", url).unwrap()).unwrap().narrowest.map(|rule| rule.to_string())
    };
    assert_eq!(fetch("https://a.b/x?q=1").as_deref(), Some("fetch:GET https://a.b/x"));
    assert_eq!(fetch("https://a.b/%E2%80%AE").as_deref(), Some("fetch:GET https://a.b/%E2%80%AE"));
}

#[test]
fn names_that_could_be_asked_about_show_and_cost_no_question() {
    let policy = Policy::new(asking(&[], &[], &["read:/w/*.txt", "kv:notes/a*"]));
    let (journal, asker) = answering(false);
    let files = policy.guard::<FilesystemSection>(&journal);
    assert!(files.would_permit(&Read("/w/a.txt".parse().unwrap())));
    assert!(!files.would_permit(&Read("/w/a.rs".parse().unwrap())));
    files.check(Search("/w".parse().unwrap())).unwrap();
    let keys = policy.guard::<KeyValueSection>(&journal);
    keys.check(OpenBucket::new("notes").unwrap()).unwrap();
    assert!(asker.asked.lock().unwrap().is_empty());
    assert_eq!(journal.summary().permitted_ops[0].rule, "ask read:/w/*.txt");
}

#[test]
fn an_address_that_nobody_expects_is_a_question_by_itself() {
    let rules = ["fetch:http://intranet:8080", "fetch:http://10.0.0.0/8:8080", "fetch:http://localhost:3000"];
    let policy = Policy::new(asking(&[], &[], &rules));
    let cases = [
        ("http://intranet:8080/", "8.8.8.8", Some(1)),
        ("http://intranet:8080/", "10.1.2.3", Some(2)),
        ("http://intranet:8080/", "127.0.0.1", None),
        ("http://10.1.2.3:8080/", "10.1.2.3", Some(1)),
        ("http://localhost:3000/", "127.0.0.1", Some(1)),
    ];
    for (url, address, expected) in cases {
        let (journal, asker) = answering(true);
        let guard = policy.guard::<HttpSection>(&journal);
        let request = guard.check(HttpOp::new("GET", url).unwrap()).unwrap();
        let connected = guard.connect(&request, address.parse().unwrap());
        assert_eq!(connected.is_ok(), expected.is_some(), "{url} at {address}");
        let asked = asker.asked.lock().unwrap();
        assert_eq!(asked.len(), expected.unwrap_or(1), "{asked:?}");
    }
}

#[test]
fn a_secret_that_is_asked_about_is_a_candidate() {
    let policy =
        Policy::new(Layer::open(LayerKind::Manifest)).attenuate(asking(&[], &[], &["secret:TOKEN@https://a.b/**"]));
    let (journal, _) = answering(true);
    let guard = policy.guard::<SecretsSection>(&journal);
    let candidates = guard.candidates(&HttpOp::new("GET", "https://a.b/x").unwrap());
    let question = guard.question(&candidates[0]).unwrap();
    assert_eq!(question.op.to_string(), "secret TOKEN:bearer@https://a.b/x");
    assert!(guard.candidates(&HttpOp::new("GET", "https://c.d/x").unwrap()).is_empty());
}

#[test]
fn nobody_is_asked_about_what_a_call_has_from_its_start() {
    for text in ["env:A", "config:A=1", "clock:1us", "random"] {
        let refused = Layer::new(LayerKind::Operator).add_ask(rule(text)).unwrap_err();
        assert_eq!(refused, CannotAsk::Class(rule(text).class()), "{text}");
    }
    let rated = Layer::new(LayerKind::Operator).add_ask(rule("fetch:10/s https://a.b")).unwrap_err();
    assert_eq!(rated, CannotAsk::Rate);
}

#[test]
fn a_rule_that_asks_is_authority_in_proofs() {
    let (allow, ask, none) =
        (asking(&["read:/w/**"], &[], &[]), asking(&[], &[], &["read:/w/**"]), asking(&[], &[], &["read:/w/a"]));
    let policy = |layer: &Layer| Policy::new(layer.clone());
    assert!(is_subset(&policy(&ask), &policy(&allow)).unwrap(), "to ask is less than to have");
    let more = widenings(&ask, &allow).unwrap();
    assert_eq!(more[0].rule, "read:/w/**", "not to be asked any more is more");
    let more = widenings(&none, &ask).unwrap();
    assert_eq!((more.len(), more[0].rule.as_str()), (1, "ask read:/w/**"));
    assert!(widenings(&ask, &none).unwrap().is_empty());
    assert!(widenings(&ask, &ask).unwrap().is_empty());
    let shown = effective(&policy(&ask)).unwrap();
    assert_eq!(shown[0].to_string(), "wasi:filesystem: ask read:/w/**");
    assert!(policy(&ask).grants_class(Class::Filesystem) && !policy(&ask).grants_class(Class::Http));
    assert!(ask.to_string().contains("ask read:/w/**") && ask != allow && !format!("{ask:?}").is_empty());
}
