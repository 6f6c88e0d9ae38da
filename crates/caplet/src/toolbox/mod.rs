//! `caplet.toml`, the toolbox: tools by name, with what each is granted, and stores that they share.
//!
//! In: the text of the file. Out: for each name where the tool comes from, and a fresh [`Grant`].
//!
//! What always holds: a file that is read has no key that does nothing; every error names the file, the line and the column, and shows
//! the line; the value of a variable, of a configuration key or in the URL of a server is in no error, no record and no `Debug`. Relative
//! paths and rules are taken from the folder of the file, by the name under which it was given. No tool that has a grant from a toolbox
//! reaches the file itself or a file that a value comes from, whatever it mounts, and none can write a tool that the file names by path.
//!
//! ```toml
//! [stores.work]                     # files, mounted in as many tools as name it: they see the same ones
//! store = "overlay:./repo"          # host:DIR, overlay:DIR, sqlite:FILE, memory or session; with :ro behind it to read only
//! quota = "64MiB"                   # not for host:; 1 KiB and its name counts for each entry
//!
//! [buckets.notes]                   # key-value buckets; a tool finds its own there by the name that it says itself
//! store = "sqlite:./notes.db"       # or memory, session, redis://…, rediss://…, nats://…
//! ttl = "7d"
//! quota = "10MiB"                   # not for servers, which have their own
//!
//! [tools.editor]                    # lower-case words joined by hyphens; it comes before a built-in tool of that name
//! source = "file-edit"              # a built-in tool, or a path to .wasm or .wat; left out, the built-in tool of this name
//! allow = ["write:/w/**", "kv:memory"]
//! deny = ["write:/w/.git/**"]
//! ask = ["fetch:POST https://api.example.com/**"]             # what a person is asked about, where neither of the others decides
//! mounts = { "/w" = "@work", "/docs" = "./docs:ro" }           # "@NAME" is [stores.NAME], "@NAME:ro" the same to read only
//! buckets = { memory = "@notes" }                              # "@NAME" is [buckets.NAME]; or a store itself
//! limits = { timeout = "5s", memory = "64MiB" }
//! env = { LANG = "C.UTF-8", TOKEN = { file = "./token.txt" } } # grants each, with this value
//! env-file = "./tool.env"                                      # lines of KEY=VALUE, taken as they stand
//! config = { region = "eu", retries = 3, motd = { file = "./motd.txt" } }
//! config-file = "./settings.toml"                              # a flat table of texts, numbers and booleans
//! ceiling = "manifest"                                         # or "open"
//! strict-imports = false
//! ```
//!
//! Files of values are read when a grant is made, at most 64 KiB for one value and 1 MiB for a list of them. The value of a file loses
//! one newline at its end. A line of an `env-file` is empty, a comment that starts with `#`, or `KEY=VALUE`: the value is everything
//! after the first `=`, nothing is expanded or unescaped, and quotes around all of it are refused, since they would be part of it.

mod error;
mod excerpt;
mod file;
mod raw;
mod resolve;
mod stores;
mod values;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use error::{Place, ToolboxError};
use file::File;
use resolve::Entry;

use crate::builtin::nearest_of;
use crate::error::Error;
use crate::grant::Grant;
use crate::private::Kept;
use crate::source::{Source, read_file};

/// Tools by name, read from a file. Cheap to clone.
#[derive(Clone)]
pub struct Toolbox {
    inner: Arc<Inner>,
}

struct Inner {
    file: File,
    /// In the order of the file.
    tools: Vec<Entry>,
}

impl Toolbox {
    /// The largest file that is read, in bytes: thousands of tools.
    pub const LARGEST: u64 = 1 << 20;

    /// Reads the file at `path`. Files that it names are not read before they are needed.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no regular file or larger than [`Toolbox::LARGEST`]; and as for [`Toolbox::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (path, folder) = file::place(path.as_ref())?;
        let bytes = read_file(&path, Self::LARGEST).map_err(|error| {
            let reason = match error {
                Error::Unreadable { reason, .. } => reason,
                other => other.to_string(),
            };
            ToolboxError::whole(&path, format!("it cannot be read: {reason}"), None)
        })?;
        let text = String::from_utf8(bytes).map_err(|error| ToolboxError::not_text(&path, &error))?;
        Self::resolve(File { path, folder, text: text.into() })
    }

    /// Understands `text` as the file at `path`. Nothing is read.
    ///
    /// # Errors
    ///
    /// When the text is not TOML, has a key that is not known, or says something that makes no sense; with the place.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        let (path, folder) = file::place(path.as_ref())?;
        Self::resolve(File { path, folder, text: text.into() })
    }

    fn resolve(file: File) -> Result<Self, Error> {
        let tools = resolve::tools(&file)?;
        Ok(Self { inner: Arc::new(Inner { file, tools }) })
    }

    /// Where the file is: an absolute path, by the name under which it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.file.path
    }

    /// The tools, in the order of the file.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = Configured<'_>> {
        self.inner.tools.iter().map(|entry| Configured { toolbox: self, entry })
    }

    /// The names of the tools, in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inner.tools.iter().map(|entry| entry.name.as_str())
    }

    /// The tool called `name`, if the toolbox has one.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<Configured<'_>> {
        self.tools().find(|tool| tool.name() == name)
    }

    /// The name that is nearest to `name`, if one is near, for an error that there is no such tool.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest_of(name, self.names())
    }

    /// What is kept from tools.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let own = Kept::with_links("the toolbox", &self.inner.file.path, false);
        own.chain(self.inner.tools.iter().flat_map(Entry::kept))
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text has values that may be secrets.
        let names: Vec<&str> = self.names().collect();
        f.debug_struct("Toolbox").field("path", &self.path()).field("tools", &names).finish_non_exhaustive()
    }
}

/// A tool of a toolbox.
#[derive(Clone, Copy)]
pub struct Configured<'t> {
    toolbox: &'t Toolbox,
    entry: &'t Entry,
}

impl<'t> Configured<'t> {
    /// Its name in the toolbox.
    #[must_use]
    pub fn name(&self) -> &'t str {
        &self.entry.name
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> &'t Source {
        &self.entry.source
    }

    /// A fresh grant of what the file gives to the tool. The guest's current directory is `cwd`, and so is the place of relative rules
    /// and mounts that are added; those of the file stay where they are.
    ///
    /// # Errors
    ///
    /// When a file with a value cannot be read, a store has no place, or `cwd` cannot be a guest's current directory.
    pub fn grant(&self, cwd: impl AsRef<Path>) -> Result<Grant, Error> {
        let Inner { file, tools: _ } = &*self.toolbox.inner;
        let Entry { name, source: _, allow, deny, ask, mounts, buckets, limits, values, ceiling, strict_imports } =
            self.entry;
        let mut grant = Grant::new(cwd)?;
        for rule in allow {
            grant.allow_rule(rule.clone(), &file.folder);
        }
        for rule in deny {
            grant.deny_rule(rule.clone());
        }
        for rule in ask {
            // Read as one that asks.
            let _asked = grant.ask_rule(rule.clone(), &file.folder);
        }
        grant.written_in(&file.path, name);
        for (mount, span) in mounts {
            stores::must_have_a_place(mount, span).map_err(|fault| file.error(fault))?;
            grant.mount_request(mount.clone())?;
        }
        for (bucket, span) in buckets {
            stores::bucket_must_have_a_place(bucket, span).map_err(|fault| file.error(fault))?;
            grant.bucket_request(bucket.clone())?;
        }
        grant.set = limits.clone();
        grant.values = values.rules().map_err(|fault| file.error(fault))?;
        grant.ceiling(*ceiling).strict_imports(*strict_imports).keep_out(self.toolbox);
        Ok(grant)
    }
}

impl fmt::Debug for Configured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("name", &self.name()).field("toolbox", &self.toolbox.path()).finish()
    }
}
