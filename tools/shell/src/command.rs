//! The commands that are programs elsewhere: they work on streams and files.
//!
//! One line for each in the table, one file for each kind. None of them starts a process.

mod awk;
mod bytes;
mod copy;
mod curl;
mod date;
mod expr;
mod find;
mod flags;
mod grep;
mod jq;
mod lines;
mod list;
mod make;
mod missing;
mod nested;
mod pages;
mod paths;
mod reader;
mod sed;
mod sort;
mod tail;
mod tool;
mod tr;
mod various;
mod wc;

use flags::Flags;
pub(crate) use missing::missing;
use reader::{Reader, Writer};

use crate::shell::Shell;
use crate::stop::Flow;
use crate::syntax::ast::Text;
use crate::task::Task;

/// A call of a command.
pub(crate) struct Call<'a> {
    shell: &'a mut Shell,
    name: &'a str,
    arguments: &'a [Text],
}

macro_rules! commands {
    ($($name:literal => $function:path,)*) => {
        /// The names of all commands.
        pub(crate) const NAMES: &[&str] = &[$($name),*];

        /// Begins a command; none if there is none of that name.
        pub(crate) fn start<'a>(shell: &'a mut Shell, name: &'a [u8], arguments: &'a [Text]) -> Option<Task<'a, Flow<i32>>> {
            let name = std::str::from_utf8(name).ok()?;
            let call = Call { shell, name, arguments };
            match name {
                $($name => Some(Box::pin($function(call))),)*
                _ => None,
            }
        }
    };
}

commands! {
    "awk" => awk::awk,
    "base64" => bytes::base64,
    "basename" => paths::basename,
    "bash" => nested::bash,
    "cat" => lines::cat,
    "chmod" => make::chmod,
    "cp" => copy::cp,
    "curl" => curl::curl,
    "cut" => pages::cut,
    "date" => date::date,
    "df" => various::df,
    "dirname" => paths::dirname,
    "du" => list::du,
    "egrep" => grep::grep,
    "env" => nested::env,
    "expand" => pages::expand,
    "expr" => expr::expr,
    "fgrep" => grep::grep,
    "find" => find::find,
    "fold" => pages::fold,
    "gawk" => awk::awk,
    "grep" => grep::grep,
    "head" => tail::head,
    "hostname" => various::hostname,
    "id" => various::id,
    "jq" => jq::jq,
    "ln" => make::ln,
    "ls" => list::ls,
    "mawk" => awk::awk,
    "md5sum" => bytes::digest,
    "mkdir" => make::mkdir,
    "mktemp" => make::mktemp,
    "mv" => copy::mv,
    "nl" => lines::nl,
    "nproc" => various::nproc,
    "paste" => pages::paste,
    "printenv" => nested::printenv,
    "readlink" => paths::readlink,
    "realpath" => paths::realpath,
    "rev" => lines::rev,
    "rm" => make::rm,
    "rmdir" => make::rmdir,
    "sed" => sed::sed,
    "seq" => various::seq,
    "sh" => nested::bash,
    "sha1sum" => bytes::digest,
    "sha256sum" => bytes::digest,
    "sha512sum" => bytes::digest,
    "shuf" => sort::shuf,
    "sleep" => nested::sleep,
    "sort" => sort::sort,
    "split" => pages::split,
    "stat" => list::stat,
    "sync" => various::nothing,
    "tac" => lines::tac,
    "tail" => tail::tail,
    "tee" => lines::tee,
    "timeout" => nested::timeout,
    "tool" => tool::tool,
    "touch" => make::touch,
    "tr" => tr::tr,
    "truncate" => make::truncate,
    "uname" => various::uname,
    "uniq" => sort::uniq,
    "unlink" => make::rm,
    "wc" => wc::wc,
    "which" => various::which,
    "whoami" => various::whoami,
    "xargs" => nested::xargs,
    "yes" => various::yes,
}

/// Whether there is a command of that name.
pub(crate) fn is_known(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name)
}

impl Call<'_> {
    /// Writes a message with the command's name before it.
    async fn say(&self, message: impl AsRef<str>) {
        self.shell.say(format!("{}: {}", self.name, message.as_ref())).await;
    }

    fn writer(&self) -> Writer {
        Writer::new(self.shell.stdout())
    }

    /// Opens an operand for reading, `-` being the input; none, with a message, if that fails.
    async fn open(&self, name: &[u8]) -> Option<Reader> {
        if name == b"-" {
            return Some(Reader::new(self.shell.stdin()));
        }
        match self.shell.open_to_read(name) {
            Ok(stream) => Some(Reader::new(stream)),
            Err(error) => {
                self.say(self.shell.refusal(name, &error, false)).await;
                None
            }
        }
    }
}

/// The operands, or the input where there are none.
fn or_stdin(operands: &[Text]) -> Vec<Text> {
    if operands.is_empty() { vec![b"-".to_vec()] } else { operands.to_vec() }
}
