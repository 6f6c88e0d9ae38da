//! What is masked, in which forms, and that it does not matter how the input is cut.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use caplet_secrets::{Masker, SecretName, SecretValue};
use proptest::collection::vec;
use proptest::prelude::*;

fn masker(secrets: &[(&str, &str)]) -> Arc<Masker> {
    let parse = |(name, value): &(&str, &str)| -> (SecretName, SecretValue) {
        (name.parse().unwrap(), SecretValue::new(value.as_bytes()).unwrap())
    };
    let secrets: Vec<_> = secrets.iter().map(parse).collect();
    Arc::new(Masker::new(secrets.iter().map(|(name, value)| (name, value))))
}

/// The input in pieces of these sizes, and the rest in one.
fn in_pieces(masker: &Arc<Masker>, mut input: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut stream, mut out) = (masker.stream(), Vec::new());
    for size in sizes {
        let (piece, rest) = input.split_at((*size).min(input.len()));
        stream.push(piece, &mut out);
        input = rest;
    }
    stream.push(input, &mut out);
    stream.finish(&mut out);
    out
}

fn masked(masker: &Arc<Masker>, input: &str) -> String {
    let header = masker.mask_header(input.as_bytes()).into_owned();
    assert_eq!(header, in_pieces(masker, input.as_bytes(), &[]), "a header is masked as a body is");
    assert_eq!(header, in_pieces(masker, input.as_bytes(), &vec![1; input.len()]), "pieces of one byte");
    String::from_utf8(header).unwrap()
}

#[test]
fn a_value_is_masked_in_every_form() {
    // Each value with a character that some form changes.
    let cases: &[(&str, &[&str])] = &[
        (
            "sk-live_0123456789",
            &["sk-live_0123456789", "736b2d6c6976655f30313233343536373839", "736B2D6C6976655F30313233343536373839"],
        ),
        (
            "p&ss w/rd+1=",
            &[
                "p%26ss%20w%2Frd%2B1%3D",
                "p%26ss%20w%2frd%2b1%3d",
                "p%26ss+w%2Frd%2B1%3D",
                "p&ss%20w/rd+1=",
                "%70%26%73%73%20%77%2F%72%64%2B%31%3D",
                "p\\u0026ss w/rd+1=",
                "p&ss w\\/rd+1=",
                "p\\u0026ss w\\/rd+1=",
                "p&amp;ss w/rd+1=",
                "p&amp;ss w&#x2F;rd+1&#x3D;",
            ],
        ),
        (
            "quo\"te'\\s<>",
            &[
                "quo\\\"te'\\\\s<>",
                "quo\\\"te'\\\\s\\u003c\\u003e",
                "quo\\\"te\\u0027\\\\s\\u003C\\u003E",
                "quo\\u0022te\\u0027\\\\s\\u003C\\u003E",
                "quo&quot;te&#39;\\s&lt;&gt;",
                "quo&quot;te&#x27;\\s&lt;&gt;",
                "quo&#34;te&#39;\\s&lt;&gt;",
                "quo&quot;te&apos;\\s&lt;&gt;",
                "quo%22te%27%5Cs%3C%3E",
            ],
        ),
        (
            "pässwörd😀",
            &[
                "p%C3%A4ssw%C3%B6rd%F0%9F%98%80",
                "p\\u00e4ssw\\u00f6rd\\ud83d\\ude00",
                "p\\u00E4ssw\\u00F6rd\\uD83D\\uDE00",
            ],
        ),
    ];
    for (value, forms) in cases {
        let masker = masker(&[("N", value)]);
        let encoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|engine| engine.encode(value));
        let quoted = encoded.iter().map(|text| text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"));
        let slashed = encoded.iter().map(|text| text.replace('/', "\\/"));
        let own = forms.iter().map(|form| (*form).to_owned()).chain([(*value).to_owned()]);
        for form in own.chain(quoted).chain(slashed).chain(encoded.clone()) {
            assert_eq!(masked(&masker, &form), "[secret:N]", "{value}: {form}");
            assert_eq!(
                masked(&masker, &format!("<{form}> {form}{form} ")),
                "<[secret:N]> [secret:N][secret:N] ",
                "{form}"
            );
        }
    }
}

#[test]
fn base64_of_a_longer_text_shows_nothing_of_a_value_inside() {
    let value = "hunter2-and-more";
    let masker = masker(&[("N", value)]);
    for before in 0..6 {
        for after in 0..4 {
            let text = format!("{}{value}{}", "u".repeat(before), "w".repeat(after));
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                let shown = masked(&masker, &engine.encode(&text));
                let (left, right) = shown.split_once("[secret:N]").unwrap();
                // At most the one character that has bits of the value and of what is beside it.
                assert!(left.len() <= before.div_ceil(3) * 4 && right.len() <= after.div_ceil(3) * 4 + 4, "{shown}");
                assert!(
                    left.len() * 6 <= before * 8 + 6 && right.trim_end_matches('=').len() * 6 <= after * 8 + 10,
                    "{shown}"
                );
            }
        }
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let masker = masker(&[("N", "hunter22"), ("SHORT", "the"), ("ONE", "a"), ("FIVE", "12345")]);
    let page = "<p>the hunter has a cat, a hunter2 and 12345 other things: hunter2";
    assert_eq!(masked(&masker, page), page);
    assert!(matches!(masker.mask_header(page.as_bytes()), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn a_short_value_is_masked_where_it_is_all_there_is() {
    let masker = masker(&[("SHORT", "the"), ("FIVE", "12345"), ("LONG", "123456")]);
    let cases = [
        ("the", "[secret:SHORT]"),
        ("12345", "[secret:FIVE]"),
        ("123456", "[secret:LONG]"),
        ("1234567", "[secret:LONG]7"),
        ("the ", "the "),
        ("th", "th"),
        ("", ""),
        ("12345 123456", "12345 [secret:LONG]"),
    ];
    for (input, expected) in cases {
        assert_eq!(masked(&masker, input), expected);
    }
}

#[test]
fn of_values_that_overlap_the_first_and_then_the_longest_is_masked() {
    let masker = masker(&[("A", "abcdef"), ("B", "abcdefgh"), ("C", "efghijkl"), ("D", "bcdefg")]);
    let cases = [
        ("abcdef", "[secret:A]"),
        ("abcdefg", "[secret:A]g"),
        ("abcdefgh", "[secret:B]"),
        ("abcdefghijkl", "[secret:B]ijkl"),
        ("xbcdefgx", "x[secret:D]x"),
        ("ababcdef", "ab[secret:A]"),
        ("abcdeefghijkl", "abcde[secret:C]"),
        ("abcdabcdef", "abcd[secret:A]"),
    ];
    for (input, expected) in cases {
        assert_eq!(masked(&masker, input), expected);
    }
}

#[test]
fn a_mask_does_not_show_the_value() {
    for (name, value) in [("hunter22", "hunter22"), ("N", "secret"), ("N", "[secret:N]"), ("X", "secret:X")] {
        assert_eq!(masked(&masker(&[(name, value)]), &format!("-{value}-")), "-[***]-");
    }
}

#[test]
fn what_may_be_the_start_of_a_value_is_held_back() {
    let value = "v".repeat(20_000) + "-end";
    let masker = masker(&[("N", &value)]);
    let (mut stream, mut out) = (masker.stream(), Vec::new());
    stream.push(b"before ", &mut out);
    assert_eq!(out, b"before ");
    value.as_bytes().chunks(999).for_each(|piece| stream.push(piece, &mut out));
    stream.push(b" after", &mut out);
    stream.finish(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "before [secret:N] after");
}

#[test]
fn with_no_secrets_nothing_changes() {
    let masker = masker(&[]);
    assert!(masker.is_empty());
    assert_eq!(masked(&masker, "anything"), "anything");
}

#[test]
fn no_format_shows_a_value() {
    let masker = masker(&[("N", "hunter22")]);
    let mut stream = masker.stream();
    stream.push(b"hunter2", &mut Vec::new());
    assert_eq!(stream.held(), 7);
    assert!(!format!("{masker:?} {stream:?}").contains("hunter"));
}

/// What to do when the test looks at a piece of input.
fn encoded(value: &str, how: usize) -> Vec<u8> {
    let text = match how {
        0 => value.to_owned(),
        1 => STANDARD.encode(value),
        2 => URL_SAFE_NO_PAD.encode(value),
        3 => value.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        4 => value.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        5 => value.bytes().map(|byte| format!("{byte:02x}")).collect(),
        6 => value.bytes().map(|byte| format!("{byte:02X}")).collect(),
        7 => value.replace('\\', "\\\\").replace('"', "\\\""),
        _ => value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
    };
    text.into_bytes()
}

/// Values of few different characters, so that they overlap, and none that a mask has.
fn values() -> impl Strategy<Value = Vec<String>> {
    vec("[ab\"&é]{1,12}", 1..4)
}

/// Input made of values, encodings, parts of them and what is between.
fn inputs() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    vec((0..4_usize, 0..9_usize, 0..80_usize), 0..12)
}

fn assemble(values: &[String], parts: &[(usize, usize, usize)]) -> Vec<u8> {
    let part = |(which, how, cut): &(usize, usize, usize)| {
        let mut bytes = encoded(&values[which % values.len()], *how);
        bytes.truncate(*cut);
        if which % 2 == 0 {
            bytes.push(b'.');
        }
        bytes
    };
    parts.iter().flat_map(part).collect()
}

fn named(values: &[String]) -> Arc<Masker> {
    let names = ["Q", "R", "S", "T"];
    masker(&names.into_iter().zip(values.iter().map(String::as_str)).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn the_pieces_do_not_matter(values in values(), parts in inputs(), sizes in vec(0..9_usize, 0..200)) {
        let (masker, input) = (named(&values), assemble(&values, &parts));
        let whole = in_pieces(&masker, &input, &[]);
        prop_assert_eq!(&in_pieces(&masker, &input, &sizes), &whole);
        prop_assert_eq!(&*masker.mask_header(&input), &whole[..]);
    }

    #[test]
    fn nothing_comes_out_that_is_a_value(values in values(), parts in inputs(), sizes in vec(0..9_usize, 0..200)) {
        let (masker, input) = (named(&values), assemble(&values, &parts));
        let out = in_pieces(&masker, &input, &sizes);
        for value in values.iter().filter(|value| value.len() >= Masker::SHORTEST) {
            for how in 0..9 {
                let form = encoded(value, how);
                prop_assert!(!out.windows(form.len()).any(|part| part == form), "{value} {how} {}", String::from_utf8_lossy(&out));
            }
        }
    }

    #[test]
    fn what_is_held_back_could_be_a_start(value in "[abc]{6,12}", input in "[abc]{0,60}") {
        let masker = named(std::slice::from_ref(&value));
        let (mut stream, mut out) = (masker.stream(), Vec::new());
        stream.push(input.as_bytes(), &mut out);
        let held = &input[input.len() - stream.held()..];
        let forms = [0, 1, 2, 5, 6].map(|how| String::from_utf8(encoded(&value, how)).unwrap());
        // Of an input of these letters only the value itself, or what base64 makes of it, can be the start.
        prop_assert!(held.len() < 16 && (held.is_empty() || value.starts_with(held) || forms.iter().any(|f| f.contains(held))));
        let written = String::from_utf8(out).unwrap();
        for length in 1..value.len() {
            prop_assert!(!(written.ends_with(&value[..length]) && held.is_empty() && input.ends_with(&value[..length])));
        }
    }
}
