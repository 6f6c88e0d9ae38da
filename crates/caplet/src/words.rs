//! What a rule says, in words.

use std::borrow::Cow;

/// What stands before the short form of a rule that a person is asked by.
pub(crate) const ASK: &str = "ask ";

/// What `rule`, in its short form, lets a tool do: `read the files /docs/**`. A value that it gives to a variable or a key is left out.
/// Where `ask ` stands before the rule, a person is asked each time.
#[must_use]
pub fn in_words(rule: &str) -> String {
    if let Some(asked) = rule.strip_prefix(ASK) {
        return format!("{}, if a person who is asked says yes", in_words(asked));
    }
    let Some((kind, rest)) = rule.split_once(':') else {
        return match rule {
            "random" => "have real randomness, and choose a seed".to_owned(),
            "everything" => "anything that the grant names".to_owned(),
            other => other.to_owned(),
        };
    };
    match kind {
        "read" => format!("read the files {rest}"),
        "write" => format!("read, change and remove the files {rest}"),
        "fetch" => request(rest),
        "kv" => match rest.strip_suffix(":ro") {
            Some(keys) => format!("read keys of the bucket {keys}"),
            None => format!("read, set and remove keys of the bucket {rest}"),
        },
        "env" => format!("see the variable {}", name(rest)),
        "config" => format!("see the configuration key {}", name(rest)),
        "clock" if rest == "frozen" => "see a clock that stands still".to_owned(),
        "clock" => format!("see time in steps of {rest}"),
        "random" => "have randomness from one seed".to_owned(),
        "secret" => format!("have the secret {} put into requests, without seeing it", rest.replacen('@', " to ", 1)),
        "call" => match rest.split_once('.') {
            Some((tool, function)) => format!("call {function} of the tool {tool}"),
            None if rest == "*" => "call every other tool".to_owned(),
            None => format!("call the tool {rest}"),
        },
        _ => rule.to_owned(),
    }
}

/// `[RATE ][METHODS ]URL`.
fn request(rest: &str) -> String {
    let mut words: Vec<&str> = rest.split(' ').collect();
    let url = words.pop().unwrap_or_default();
    let rate = words.iter().find(|word| word.contains('/')).map(|rate| format!(", at most {rate}")).unwrap_or_default();
    let methods = words.iter().find(|word| !word.contains('/')).map_or("GET,HEAD", |methods| methods);
    match methods {
        "ANY" => format!("send requests of every method to {url}{rate}"),
        methods => format!("send {} requests to {url}{rate}", methods.replace(',', ", ")),
    }
}

/// `rule` in its short form, for a person who is to decide about it: where it gives a value, only that it does.
pub(crate) fn without_value(rule: &str) -> Cow<'_, str> {
    match rule.split_once(':') {
        Some((kind @ ("env" | "config"), rest)) if rest.contains('=') => format!("{kind}:{}=…", name(rest)).into(),
        Some((kind @ "random", _)) => format!("{kind}:…").into(),
        _ => rule.into(),
    }
}

/// `NAME[=VALUE]` without the value.
pub(crate) fn name(assignment: &str) -> &str {
    assignment.split_once('=').map_or(assignment, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::{in_words, without_value};

    #[test]
    fn a_rule_is_said_in_words_and_no_value_with_it() {
        let cases = [
            ("read:/docs/**", "read the files /docs/**"),
            ("write:/w/**", "read, change and remove the files /w/**"),
            ("fetch:https://x.org/**", "send GET, HEAD requests to https://x.org/**"),
            ("fetch:10/s POST,PUT https://x.org/a b", "send"),
            ("fetch:ANY https://x.org", "send requests of every method to https://x.org"),
            ("kv:notes:ro", "read keys of the bucket notes"),
            ("env:TOKEN=hunter2", "see the variable TOKEN"),
            ("config:a=hunter2", "see the configuration key a"),
            ("secret:KEY@https://x.org", "have the secret KEY to https://x.org put into requests, without seeing it"),
            ("ask write:/w/**", "read, change and remove the files /w/**, if a person who is asked says yes"),
            ("ask env:TOKEN=hunter2", "see the variable TOKEN, if a person who is asked says yes"),
            ("random", "have real randomness, and choose a seed"),
            ("call:*", "call every other tool"),
            ("call:file-*", "call the tool file-*"),
            ("call:memory.get", "call get of the tool memory"),
        ];
        for (rule, expected) in cases {
            let words = in_words(rule);
            assert!(words.starts_with(expected), "{rule}: {words}");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }

    #[test]
    fn a_rule_is_shown_without_its_value() {
        for (rule, shown) in [
            ("env:TOKEN=hunter2", "env:TOKEN=…"),
            ("env:TOKEN=", "env:TOKEN=…"),
            ("env:TOKEN", "env:TOKEN"),
            ("config:a=b=c", "config:a=…"),
            ("random:7", "random:…"),
            ("random", "random"),
            ("read:/a=b/**", "read:/a=b/**"),
            ("fetch:https://x.org/a", "fetch:https://x.org/a"),
        ] {
            assert_eq!(without_value(rule), shown);
        }
    }
}
