//! The cases of Unicode for international names: what becomes of each in requests, and that rules read it likewise.

use caplet_policy::{GuestPath, Host, Rule};

use super::{corpus, op, permits, policy};

/// Findings about what browsers allow (UTS #46 without `CheckHyphens`, `UseSTD3ASCIIRules` and `VerifyDnsLength`). All others are
/// failures.
const ALLOWED: &[&str] = &["V2", "V3", "V4", "U1", "A4_1", "A4_2"];

/// What changes what a URL is, or is no character.
fn is_part_of_a_name(source: &str) -> bool {
    !source.is_empty() && !source.contains(['/', '?', '#', ':', '@', '\\', '[', ']', '%', '<', '>', '^', '|'])
}

/// One line: the source, its form in Unicode and in ASCII, and why these are none.
struct Case {
    source: String,
    unicode: String,
    ascii: String,
    findings: Vec<String>,
}

fn case(line: &str) -> Option<Case> {
    let columns: Vec<&str> = line.split('#').next()?.split(';').map(str::trim).collect();
    let [source, unicode, unicode_status, ascii, ascii_status, ..] = columns[..] else { return None };
    let or = |own: &str, other: &str| if own.is_empty() { other.to_owned() } else { own.to_owned() };
    let source = unescaped(source)?;
    let unicode = unescaped(&or(unicode, &source))?;
    let status = or(ascii_status, unicode_status);
    let findings = status.trim_matches(['[', ']']).split(',').map(str::trim).filter(|code| !code.is_empty());
    let findings = findings.map(str::to_owned).collect();
    Some(Case { ascii: unescaped(&or(ascii, &unicode))?, source, unicode, findings })
}

impl Case {
    fn is_wrong(&self) -> bool {
        self.findings.iter().any(|code| !ALLOWED.contains(&code.as_str()))
    }

    /// Whether all that is wrong is a character that Unicode has not given out yet, in the plane kept for ideographs, which the
    /// parser takes.
    fn is_of_the_future(&self) -> bool {
        let has_other = self.findings.iter().any(|code| code != "V7" && !ALLOWED.contains(&code.as_str()));
        !has_other && self.unicode.chars().any(|c| ('\u{30000}'..='\u{3fffd}').contains(&c))
    }
}

/// The text behind `\uXXXX` and `\x{XXXX}`; none where half of a pair stands alone.
fn unescaped(text: &str) -> Option<String> {
    if text == "\"\"" {
        return Some(String::new());
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let (digits, after) = match escape.strip_prefix("x{") {
            Some(braced) => braced.split_once('}')?,
            None => escape.strip_prefix('u')?.split_at_checked(4)?,
        };
        plain.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

#[test]
fn international_names() {
    let Some(text) = corpus("IdnaTestV2.txt") else { return };
    let cases: Vec<Case> = text.lines().filter(|line| !line.starts_with('#')).filter_map(case).collect();
    assert!(cases.len() >= 6000, "{}", cases.len());
    let (mut taken, mut refused, mut stricter, mut ruled, mut future) = (0, 0, 0, 0, 0);
    for case in cases.iter().filter(|case| is_part_of_a_name(&case.source)) {
        let source = &case.source;
        let op = op(&format!("http://{source}/"));
        let is_wrong = case.is_wrong();
        let Some(op) = op else {
            if is_wrong {
                refused += 1;
            } else {
                stricter += 1;
            }
            continue;
        };
        if is_wrong && case.is_of_the_future() {
            future += 1;
            continue;
        }
        assert!(!is_wrong, "{source:?} became {}, though it is wrong: {:?}", op.url(), case.findings);
        if let Host::Name(name) = op.host() {
            let expected = case.ascii.to_ascii_lowercase();
            assert_eq!(&**name, expected.strip_suffix('.').unwrap_or(&expected), "{source:?}");
            // Who writes it into a rule opens this name and no other.
            if let Ok(rule) = Rule::parse_grant(&format!("fetch:http://{source}/**"), &GuestPath::root()) {
                assert_eq!(rule.to_string(), format!("fetch:http://{name}/**"), "{source:?}");
                assert!(permits(&policy(&[&rule.to_string()]), op), "{source:?}");
                ruled += 1;
            }
        }
        taken += 1;
    }
    assert!(
        taken >= 600 && refused >= 5000 && stricter <= 120 && ruled >= 600 && future <= 10,
        "of {}: {taken} {refused} {stricter} {ruled} {future}",
        cases.len()
    );
}
