//! What agents call functions: names of the letters that every client takes, and which of them are too much alike.
//!
//! What always holds: a name depends on the tool and the function alone, never on what else there is or in which order it stands.

/// Bytes of a name: what the strictest of the common clients take.
pub(crate) const LONGEST: usize = 64;

/// What the names of the host's own tools start with. No other tool may be called so.
pub(crate) const RESERVED: &str = "caplet_";

/// What an agent calls `function` of `tool`, which has `functions` of them: the tool's own name, where there is one.
pub(crate) fn of_function(tool: &str, function: &str, functions: usize) -> String {
    match functions {
        1 => sanitised(tool),
        _ => format!("{}_{}", sanitised(tool), sanitised(function)),
    }
}

/// `text` with `_` for every character that some client does not take. A function that shares its name with others in its component has
/// an interface's name before it, with `.`, `/`, `:` or `@`.
fn sanitised(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    text.chars().map(plain).collect()
}

/// What two names have in common that a reader takes for each other: `file-read`, `file_read` and `File_Read`.
pub(crate) fn likeness(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Letters, digits, `_` and `-`, at most 64 of them.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(is_plain)
}

/// Why no tool may have this name, whatever the others are called.
pub(crate) fn refusal(name: &str) -> Option<String> {
    if likeness(name).starts_with(RESERVED) {
        return Some("such names are kept for Caplet's own tools".to_owned());
    }
    (name.is_empty() || name.len() > LONGEST).then(|| format!("clients take names of 1 to {LONGEST} characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_the_letters_that_clients_take() {
        let cases = [
            (("notes", "put", 5), "notes_put"),
            (("notes", "put", 1), "notes"),
            (("db", "a:b/c@1.0.0.get", 2), "db_a_b_c_1_0_0_get"),
            (("db", "sp\u{430}ce\u{202e}", 2), "db_sp_ce_"),
        ];
        for ((tool, function, functions), expected) in cases {
            assert_eq!(of_function(tool, function, functions), expected);
        }
    }

    #[test]
    fn some_names_are_nobodys() {
        for name in ["caplet_limits", "caplet-limits", "CAPLET_x", "", &"x".repeat(65)] {
            assert!(refusal(name).is_some(), "{name}");
        }
        for name in ["caplet", "capletx", "my_caplet_tool", &"x".repeat(64)] {
            assert_eq!(refusal(name), None, "{name}");
        }
        assert_eq!(likeness("file-read"), likeness("File_Read"));
        assert_ne!(likeness("file-read"), likeness("fileread"));
    }
}
