//! `getopts`

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, misused};
use crate::syntax::ast::Text;

pub(super) async fn getopts(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let [letters, name, given @ ..] = arguments else { return misused("usage: getopts optstring name [arg ...]") };
    let all: Vec<Text> = if given.is_empty() { shell.arguments.to_vec() } else { given.to_vec() };
    let quiet = letters.first() == Some(&b':') || shell.value(b"OPTERR").is_some_and(|text| text == b"0");
    let silent = letters.first() == Some(&b':');
    let mut index: usize = shell.value(b"OPTIND").and_then(|text| text.to_str().ok()?.parse().ok()).unwrap_or(1).max(1);
    let place = shell.letter.max(1);
    shell.unset(b"OPTARG")?;
    let current = all.get(index - 1).cloned().unwrap_or_default();
    if !current.starts_with(b"-") || current == b"-" || current == b"--" {
        index += usize::from(current == b"--");
        return finish(shell, name, b"?", index, 0, 1);
    }
    let letter = current.get(place).copied().unwrap_or(b'?');
    let mut next = place + 1;
    if next >= current.len() {
        index += 1;
        next = 0;
    }
    let known = letters.iter().position(|known| *known == letter && letter != b':');
    let Some(known) = known else {
        if silent {
            shell.set(b"OPTARG", vec![letter]);
        } else if !quiet {
            shell.say(format!("{}: illegal option -- {}", shell.name.to_str_lossy(), char::from(letter))).await;
        }
        return finish(shell, name, b"?", index, next, 0);
    };
    if letters.get(known + 1) == Some(&b':') {
        let value = if next > 0 {
            let value = current.get(next..).unwrap_or_default().to_vec();
            index += 1;
            Some(value)
        } else {
            let value = all.get(index - 1).cloned();
            index += 1;
            value
        };
        match value {
            Some(value) => shell.set(b"OPTARG", value),
            None if silent => {
                shell.set(b"OPTARG", vec![letter]);
                return finish(shell, name, b":", index - 1, 0, 0);
            }
            None => {
                shell
                    .say(format!(
                        "{}: option requires an argument -- {}",
                        shell.name.to_str_lossy(),
                        char::from(letter)
                    ))
                    .await;
                return finish(shell, name, b"?", index - 1, 0, 0);
            }
        }
        next = 0;
    }
    finish(shell, name, &[letter], index, next, 0)
}

fn finish(shell: &mut Shell, name: &[u8], value: &[u8], index: usize, letter: usize, status: i32) -> Flow<i32> {
    shell.set(b"OPTIND", index.to_string());
    shell.letter = letter;
    shell.assign(name, value.to_vec(), false)?;
    Ok(status)
}
