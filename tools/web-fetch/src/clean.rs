//! Characters that a reader does not see but a terminal or a model may obey: taken out, and counted.

/// Takes out what is invisible. Gives how many characters could have been there to deceive.
pub(crate) fn clean(text: &mut String) -> usize {
    let mut deceiving = 0;
    if text.chars().any(|char| class(char) != Class::Seen) {
        text.retain(|char| {
            let class = class(char);
            deceiving += usize::from(class == Class::Deceiving);
            class == Class::Seen
        });
    }
    deceiving
}

/// A short text of a server, such as a header's value, without them.
pub(crate) fn cleaned(text: &str) -> String {
    text.chars().filter(|char| class(*char) == Class::Seen).collect()
}

/// Whether there is nothing to see in a word.
pub(crate) fn is_blank(word: &str) -> bool {
    word.chars().all(|char| class(char) == Class::Idle)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Seen,
    /// Says where a word may be broken, and the like.
    Idle,
    /// Moves a cursor, turns text around, or hides text.
    Deceiving,
}

fn class(char: char) -> Class {
    match char {
        '\n' | '\t' => Class::Seen,
        '\r' | '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => Class::Idle,
        // Controls, bidirectional embeddings and isolates, invisible operators, interlinear annotations, tags.
        _ if char.is_control() => Class::Deceiving,
        '\u{202a}'..='\u{202e}' | '\u{2061}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => {
            Class::Deceiving
        }
        _ => Class::Seen,
    }
}
