//! `caplet.toml`, the toolbox: tools by name, with what each is granted, and stores that they share.
//!
//! In: the text of the file, or of several that lie over each other. Out: for each name where the tool comes from, and a fresh [`Grant`].
//!
//! What always holds: a project's file that the user does not trust can only narrow; see the module `project`. A file that is read has no key that does nothing; every error names the file, the line and the column, and shows
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
//! title = "Editor"                                             # what people see, and what an agent reads, in place of the author's
//! description = "Edits files of this project."
//! hidden = false                                               # whether agents are offered it
//! session = false                                              # whether the calls of one client share an instance
//!
//! [tools.editor.functions.edit]     # one function, as the component calls it: how it is shown, and what is taken from it
//! name = "edit_file"                # what an agent calls it; also title, description and hidden
//! allow = ["write:/w/src/**"]       # at most this of what the tool may do; left out, all of it
//! deny = ["write:/w/src/generated/**"]
//!
//! [defaults]                        # for every tool, also those of other layers and built-in ones
//! deny = ["read:/w/.env"]
//! limits = { memory = "128MiB" }    # where a tool sets none
//! strict-imports = false
//!
//! [profiles.careful]                # a smaller toolbox out of this one
//! tools = ["editor"]                # left out, all tools of the file
//! deny = ["write:/**"]
//! limits = { timeout = "2s" }       # no limit is higher
//! ```
//!
//! Files of values are read when a grant is made, at most 64 KiB for one value and 1 MiB for a list of them. The value of a file loses
//! one newline at its end. A line of an `env-file` is empty, a comment that starts with `#`, or `KEY=VALUE`: the value is everything
//! after the first `=`, nothing is expanded or unescaped, and quotes around all of it are refused, since they would be part of it.

mod configured;
mod defaults;
mod error;
mod excerpt;
mod file;
mod function;
mod notice;
mod project;
mod project_file;
mod project_tool;
mod raw;
mod resolve;
mod schema;
mod stores;
mod values;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use caplet_policy::Limits;
use serde_json::Value;

pub use configured::Configured;
use defaults::Profile;
pub use error::{Place, ToolboxError};
use file::File;
pub use function::Shown;
pub use notice::Notice;
use project::Narrowing;
pub use project_file::ProjectFile;
use resolve::{Sheet, TrustedSheet};

use crate::builtin::nearest_of;
use crate::error::Error;
use crate::grant::Grant;
use crate::lock::Lock;
use crate::private::Kept;
use crate::source::read_file;

/// Tools by name, read from files. Cheap to clone.
#[derive(Clone, Default)]
pub struct Toolbox {
    inner: Arc<Inner>,
    /// Which tools there are, by the file and the place in it.
    seen: Arc<[(usize, usize)]>,
    profile: Option<Arc<str>>,
}

#[derive(Default)]
struct Inner {
    /// Files whose word is the user's own. A name means what the first of them says.
    sheets: Vec<Arc<Sheet>>,
    /// What a file that is not trusted takes away.
    project: Option<Narrowing>,
}

impl Toolbox {
    /// The largest file that is read, in bytes: thousands of tools.
    pub const LARGEST: u64 = 1 << 20;

    /// Reads the file at `path`, as the user's own word. Files that it names are not read before they are needed.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no regular file or larger than [`Toolbox::LARGEST`]; and as for [`Toolbox::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (path, folder) = file::place(path.as_ref())?;
        let bytes = read_file(&path, Self::LARGEST).map_err(|error| ToolboxError::unreadable(&path, error))?;
        let text = String::from_utf8(bytes).map_err(|error| ToolboxError::not_text(&path, &error))?;
        Self::of(File { path, folder, text: text.into() })
    }

    /// Understands `text` as the file at `path`, as the user's own word. Nothing is read.
    ///
    /// # Errors
    ///
    /// When the text is not TOML, has a key that is not known, or says something that makes no sense; with the place.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        let (path, folder) = file::place(path.as_ref())?;
        Self::of(File { path, folder, text: text.into() })
    }

    /// JSON Schema of the file, for editors.
    #[must_use]
    pub fn schema() -> Value {
        schema::toolbox()
    }

    fn of(file: File) -> Result<Self, Error> {
        Ok(Self::new(vec![Arc::new(Sheet::new(file)?)], None))
    }

    fn new(sheets: Vec<Arc<Sheet>>, project: Option<Narrowing>) -> Self {
        let mut names = HashSet::new();
        let mut seen = Vec::new();
        for (at, sheet) in sheets.iter().enumerate() {
            // Names are unique within a file.
            seen.extend(
                (0..).zip(&sheet.tools).filter(|(_, tool)| names.insert(&tool.name)).map(|(tool, _)| (at, tool)),
            );
        }
        let seen = seen.into();
        Self { inner: Arc::new(Inner { sheets, project }), seen, profile: None }
    }

    /// These tools, with those of `project` before them, as the user's own word.
    ///
    /// `lock` is the digest of the lock beside it that the user made.
    pub(crate) fn under_trusted(&self, project: &ProjectFile, lock: Option<String>) -> Result<Self, Error> {
        let own = Arc::new(Sheet { trusted: Some(TrustedSheet { lock }), ..Sheet::new(project.file())? });
        Ok(Self::new([own].into_iter().chain(self.inner.sheets.iter().cloned()).collect(), None))
    }

    /// These tools, without what `project` takes away; and what it says beyond that.
    pub(crate) fn under_untrusted(&self, project: &ProjectFile) -> Result<(Self, Vec<Notice>), Error> {
        let (narrowing, notices) = Narrowing::new(project.file(), self)?;
        Ok((Self::new(self.inner.sheets.clone(), Some(narrowing)), notices))
    }

    /// The smaller toolbox that is called `name`: the tools that it has, with less. A file that has no such profile has no tool in it.
    ///
    /// # Errors
    ///
    /// When no file of the user's has such a profile.
    pub fn profile(&self, name: &str) -> Result<Self, Error> {
        if !self.has_profile(name) {
            let known = self.profiles();
            let hint = match nearest_of(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None if known.is_empty() => format!("write a table [profiles.{name}] in your toolbox"),
                None => format!("there are: {}", Vec::from_iter(known).join(", ")),
            };
            return Err(Error::grant("--profile", name, "there is no such profile", Some(hint)));
        }
        let is_in = |(sheet, tool): &&(usize, usize)| {
            let sheet = self.inner.sheets.get(*sheet);
            let tool = sheet.and_then(|sheet| sheet.tools.get(*tool));
            let profile = sheet.and_then(|sheet| sheet.profiles.get(name));
            let left_out =
                |tool: &str| self.inner.project.as_ref().is_some_and(|project| project.leaves_out(name, tool));
            profile.zip(tool).is_some_and(|(profile, tool)| profile.has(&tool.name) && !left_out(&tool.name))
        };
        let seen = self.seen.iter().filter(is_in).copied().collect();
        Ok(Self { inner: Arc::clone(&self.inner), seen, profile: Some(name.into()) })
    }

    /// The names of the profiles that there are, each once.
    #[must_use]
    pub fn profiles(&self) -> BTreeSet<&str> {
        self.inner.sheets.iter().flat_map(|sheet| sheet.profiles.keys()).map(String::as_str).collect()
    }

    /// The name of the profile that this is, if it is one.
    #[must_use]
    pub fn profile_name(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// What the files say for every tool, also for those of other files and built-in ones: line by line, for a person who is to decide
    /// about it. Values are not shown, since they may be secrets.
    #[must_use]
    pub fn says_of_all(&self) -> Vec<String> {
        self.inner.sheets.iter().flat_map(|sheet| sheet.defaults.lines()).collect()
    }

    /// What the files say of the profile called `name`, as [`Toolbox::says_of_all`].
    #[must_use]
    pub fn says_of_profile(&self, name: &str) -> Vec<String> {
        self.inner.sheets.iter().filter_map(|sheet| sheet.profiles.get(name)).flat_map(Profile::lines).collect()
    }

    fn has_profile(&self, name: &str) -> bool {
        self.inner.sheets.iter().any(|sheet| sheet.profiles.contains_key(name))
    }

    /// The nearest file whose word is the user's own: beside it is what belongs to this toolbox.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.sheets.first().map(|sheet| &*sheet.file.path)
    }

    /// The files that this was read from: absolute paths, by the names under which they were given, the nearest to the call first.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let Inner { sheets, project } = &*self.inner;
        let project = project.iter().map(Narrowing::file);
        project.chain(sheets.iter().map(|sheet| &sheet.file)).map(|file| &*file.path)
    }

    /// The lock beside `file`, which is one of this toolbox. What the lock of a project says counts only if it is as the user made it:
    /// with somebody else's, a changed tool would come with its own approval.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn lock(&self, file: &Path) -> Result<Lock, Error> {
        let lock = Lock::read(&Lock::beside(file))?;
        let sheet = self.inner.sheets.iter().find(|sheet| *sheet.file.path == *file);
        Ok(match sheet.and_then(|sheet| sheet.trusted.as_ref()) {
            Some(trusted) if trusted.lock != Some(lock.digest().to_string()) => Lock::default(),
            _ => lock,
        })
    }

    /// The tools, in the order of the files.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = Configured<'_>> {
        self.seen.iter().map(|(sheet, tool)| {
            let sheet = &*self.inner.sheets[*sheet];
            Configured::new(self, sheet, &sheet.tools[*tool])
        })
    }

    /// The names of the tools, in the order of the files.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tools().map(|tool| tool.name())
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

    /// A grant of nothing, for a tool that the toolbox does not have, which what the toolbox takes from every tool holds for as well. What
    /// a project takes from the built-in tool called `built_in` holds for that one.
    ///
    /// # Errors
    ///
    /// When `cwd` cannot be a guest's current directory.
    pub fn unlisted(&self, built_in: Option<&str>, cwd: impl AsRef<Path>) -> Result<Grant, Error> {
        let mut grant = Grant::new(cwd)?;
        self.take_from(&mut grant, built_in);
        Ok(grant)
    }

    /// What is taken from every tool, and what a project takes from the one called `name`.
    fn take_from(&self, grant: &mut Grant, name: Option<&str>) {
        let Inner { sheets, project } = &*self.inner;
        for sheet in sheets {
            grant.deny_rules(&sheet.defaults.deny);
            grant.strict_imports |= sheet.defaults.strict_imports;
            grant.set = grant.set.or(&sheet.defaults.limits);
        }
        project.iter().for_each(|project| project.apply(grant, name, self.profile_name()));
        grant.keep_out(self);
    }

    /// The limits of a tool that sets none.
    fn default_limits(&self) -> Limits {
        let sets = self.inner.sheets.iter().map(|sheet| &sheet.defaults.limits);
        // The nearest comes last.
        sets.rev().fold(Limits::default(), |limits, set| limits.overridden_by(set))
    }

    /// What a project that is not trusted would allow beyond what the user granted, of the tool called `name`, or of all.
    pub(crate) fn wider(&self, name: Option<&str>) -> Vec<Notice> {
        let tools = self.tools().filter(|tool| name.is_none_or(|name| name == tool.name()));
        self.inner.project.as_ref().map(|project| project.wider(tools)).unwrap_or_default()
    }

    /// What is kept from tools.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let Inner { sheets, project } = &*self.inner;
        sheets.iter().flat_map(|sheet| sheet.kept()).chain(project.iter().flat_map(Narrowing::kept))
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text has values that may be secrets.
        let (files, names): (Vec<&Path>, Vec<&str>) = (self.files().collect(), self.names().collect());
        f.debug_struct("Toolbox")
            .field("files", &files)
            .field("tools", &names)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
