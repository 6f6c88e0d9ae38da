//! The commands that are programs elsewhere: they work on streams and files.
//!
//! One line for each in the table, one file for each kind. None of them starts a process.

mod awk;
mod bytes;
mod compare;
mod copy;
mod curl;
mod date;
mod dd;
mod diff;
mod dump;
mod expr;
mod find;
mod flags;
mod grep;
mod gzip;
mod jq;
mod lines;
mod list;
mod make;
mod missing;
mod nested;
mod pages;
mod patch;
mod paths;
mod reader;
mod sed;
mod sort;
mod table;
mod tail;
mod tar;
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
    "arch" => various::arch,
    "awk" => awk::awk,
    "base32" => bytes::base32,
    "base64" => bytes::base64,
    "basename" => paths::basename,
    "bash" => nested::bash,
    "cat" => lines::cat,
    "chmod" => make::chmod,
    "cmp" => compare::cmp,
    "column" => table::column,
    "comm" => compare::comm,
    "cp" => copy::cp,
    "curl" => curl::curl,
    "cut" => pages::cut,
    "date" => date::date,
    "dd" => dd::dd,
    "df" => various::df,
    "diff" => diff::diff,
    "dirname" => paths::dirname,
    "du" => list::du,
    "egrep" => grep::grep,
    "env" => nested::env,
    "expand" => pages::expand,
    "expr" => expr::expr,
    "factor" => table::factor,
    "fgrep" => grep::grep,
    "find" => find::find,
    "fold" => pages::fold,
    "gawk" => awk::awk,
    "grep" => grep::grep,
    "gunzip" => gzip::gzip,
    "gzip" => gzip::gzip,
    "hd" => dump::hexdump,
    "head" => tail::head,
    "hexdump" => dump::hexdump,
    "hostname" => various::hostname,
    "id" => various::id,
    "install" => copy::install,
    "join" => compare::join,
    "jq" => jq::jq,
    "link" => make::link,
    "ln" => make::ln,
    "ls" => list::ls,
    "mawk" => awk::awk,
    "md5sum" => bytes::digest,
    "mkdir" => make::mkdir,
    "mktemp" => make::mktemp,
    "mv" => copy::mv,
    "nl" => lines::nl,
    "nproc" => various::nproc,
    "od" => dump::od,
    "paste" => pages::paste,
    "patch" => patch::patch,
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
    "sha224sum" => bytes::digest,
    "sha256sum" => bytes::digest,
    "sha384sum" => bytes::digest,
    "sha512sum" => bytes::digest,
    "shuf" => sort::shuf,
    "sleep" => nested::sleep,
    "sort" => sort::sort,
    "split" => pages::split,
    "stat" => list::stat,
    "sync" => various::nothing,
    "tac" => lines::tac,
    "tail" => tail::tail,
    "tar" => tar::tar,
    "tee" => lines::tee,
    "timeout" => nested::timeout,
    "tool" => tool::tool,
    "touch" => make::touch,
    "tr" => tr::tr,
    "truncate" => make::truncate,
    "tty" => various::tty,
    "uname" => various::uname,
    "unexpand" => table::unexpand,
    "uniq" => sort::uniq,
    "unlink" => make::rm,
    "wc" => wc::wc,
    "which" => various::which,
    "whoami" => various::whoami,
    "xargs" => nested::xargs,
    "xxd" => dump::xxd,
    "yes" => various::yes,
    "zcat" => gzip::gzip,
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
