//! Which tool a person means: a name in the toolbox, a built-in tool, or a file.
//!
//! The toolbox is the user's, with the project's over it: a project's file that is not trusted takes away, whatever the command line adds.

use std::path::{Path, PathBuf};

use caplet::{
    Caplet, Catalog, Error, Grant, LayerFiles, Layers, Lock, Notice, Pins, ProjectFile, Source, Standing, Terms,
    Toolbox, Trust,
};
use clap::Args;

use crate::failure::Failure;
use crate::host;
use crate::ui::Ui;

/// What the file is called.
pub(crate) const FILE: &str = "caplet.toml";

/// Where names of tools come from.
#[derive(Debug, Default, Args)]
pub(crate) struct ToolboxOptions {
    /// Take configured tools from this file alone [default: $XDG_CONFIG_HOME/caplet/caplet.toml, and ./caplet.toml over it]
    ///
    /// The file names tools and what each is granted, and stores that they share. A name in it comes before a built-in tool of that
    /// name. A caplet.toml in the current directory can only take away, unless you trust exactly that file: see `caplet trust`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Use only the tools of this profile of the toolbox, with what it takes from them
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// Where the user's own toolbox is, or would be.
pub(crate) fn users() -> Option<PathBuf> {
    host::config_dir().ok().map(|folder| folder.join(FILE))
}

/// Where a project's toolbox is, or would be.
pub(crate) fn projects() -> Result<PathBuf, Failure> {
    Ok(host::current_dir()?.join(FILE))
}

/// What the user trusts. Without a home, that is nothing.
pub(crate) fn trust() -> Trust {
    host::state_dir().map_or_else(|_| Trust::nothing(), Trust::at)
}

/// A toolbox that a verb changes by the user's own word. Where it was trusted before, it is trusted again as it then is.
pub(crate) struct Changing {
    path: PathBuf,
    was_trusted: bool,
    /// Whether the user made the lock beside it, or there was none.
    has_own_lock: bool,
}

impl Changing {
    /// Before the change.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let trust = trust();
        let mut changing = Self { path: path.to_owned(), was_trusted: false, has_own_lock: false };
        // What cannot be read as a project's is none, and is told of by whoever reads it.
        let Ok(Some(file)) = ProjectFile::read(path) else { return Ok(changing) };
        changing.was_trusted = trust.standing(&file)? == Standing::Trusted;
        let lock = Lock::read(&Lock::beside(path))?;
        changing.has_own_lock = lock.tools().len() == 0 || trust.lock_of(&file)? == Some(lock.digest().to_string());
        Ok(changing)
    }

    /// After it. Whether the toolbox is found by itself.
    pub(crate) fn end(self) -> Result<bool, Failure> {
        let Some(file) = ProjectFile::read(&self.path)?.filter(|_| self.was_trusted) else { return Ok(false) };
        trust().add(&file)?;
        if self.has_own_lock {
            trust().keep_lock(&file)?;
        }
        Ok(true)
    }
}

/// The toolbox, and how it came about.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) layers: Layers,
    /// The profile of it that is asked for, or all of it.
    pub(crate) toolbox: Toolbox,
}

/// A tool that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Source,
    /// What the tool is called.
    pub(crate) name: String,
    kind: Kind,
    loaded: Loaded,
}

/// Where a tool was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// In the toolbox.
    Configured,
    /// Among the built-in ones, under its own name.
    BuiltIn,
    /// In a file, which may have the name of another.
    File,
}

impl ToolboxOptions {
    /// Where the files are, or would be.
    pub(crate) fn files(&self) -> Result<LayerFiles, Failure> {
        let explicit = match &self.config {
            Some(file) => Some(host::current_dir()?.join(file)),
            None => None,
        };
        Ok(LayerFiles { user: users(), project: Some(projects()?), explicit })
    }

    /// The toolbox that is named; else the user's own, and the project's over it.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let layers = Layers::load(&self.files()?, &trust())?;
        let toolbox = match &self.profile {
            Some(profile) => layers.toolbox().profile(profile)?,
            None => layers.toolbox().clone(),
        };
        Ok(Loaded { layers, toolbox })
    }

    /// The tool that `text` means.
    pub(crate) fn find(&self, text: &str) -> Result<Found, Failure> {
        let loaded = self.load()?;
        if let Some(tool) = loaded.toolbox.tool(text) {
            let source = tool.source().clone();
            return Ok(Found { source, name: text.to_owned(), kind: Kind::Configured, loaded });
        }
        if let Some(profile) = &self.profile {
            let message = format!("the profile {profile} has no tool called {text:?}");
            let known = loaded.toolbox.names().collect::<Vec<_>>().join(", ");
            let hint = if known.is_empty() { "it has none".to_owned() } else { format!("it has: {known}") };
            return Err(Failure::new(caplet::audit::ErrorKind::UnknownTool, message).with_hint(hint));
        }
        match Source::parse(text) {
            Ok(source) => {
                let kind = if matches!(source, Source::BuiltIn(_)) { Kind::BuiltIn } else { Kind::File };
                Ok(Found { name: source.name(), source, kind, loaded })
            }
            Err(error) => Err(unknown(text, &loaded, error)),
        }
    }
}

/// The error that there is no such tool, with what is nearest.
fn unknown(text: &str, loaded: &Loaded, mut error: Error) -> Failure {
    if let Error::UnknownTool { suggestion, .. } = &mut error
        && let Some(near) = loaded.toolbox.nearest(text)
    {
        *suggestion = Some(near.to_owned());
    }
    let failure = Failure::from(error);
    if !loaded.layers.notices().iter().any(|notice| notice.tool.as_deref() == Some(text)) {
        return failure;
    }
    failure.with_hint(format!(
        "./{FILE} has a tool of this name and may not add one: if you trust the file as it is, `caplet trust`, or for \
         once --config ./{FILE}"
    ))
}

impl Loaded {
    /// Says what of the project's file is not applied: of one tool and of what holds for all, or of everything.
    pub(crate) fn tell(&self, ui: &mut Ui, tool: Option<&str>, notices: &[Notice]) -> std::io::Result<()> {
        let is_meant = |notice: &&Notice| match (&notice.tool, tool) {
            (Some(about), Some(tool)) => about == tool,
            (None, Some(_)) => notice.key.starts_with("defaults."),
            (_, None) => true,
        };
        let mut is_told = false;
        for notice in notices.iter().filter(is_meant) {
            ui.warning(&notice.to_string())?;
            is_told = true;
        }
        if !is_told {
            return Ok(());
        }
        match self.layers.project().map(|project| project.standing) {
            Some(Standing::Changed) => ui.help(&format!(
                "./{FILE} has changed since you trusted it: look at it, and if you trust it as it is now: caplet trust ./{FILE}"
            )),
            _ => ui.help(&format!("if you trust ./{FILE} as it is: caplet trust ./{FILE}")),
        }
    }
}

impl Found {
    /// What the toolbox grants to the tool; nothing, if the tool is not from there. What it takes from every tool is taken either way. No
    /// tool reaches a toolbox, or a place where the next call may find one.
    pub(crate) fn grant(&self) -> Result<Grant, Failure> {
        let here = host::current_dir()?;
        let toolbox = &self.loaded.toolbox;
        let built_in = (self.kind == Kind::BuiltIn).then_some(self.name.as_str());
        let mut grant = match toolbox.tool(&self.name).filter(|_| self.kind == Kind::Configured) {
            Some(tool) => tool.grant(&here)?,
            None => toolbox.unlisted(built_in, &here)?,
        };
        for place in users().iter().map(PathBuf::as_path).chain([&*here.join(FILE)]) {
            grant.keep_out_file(Path::new(place));
        }
        Ok(grant)
    }

    /// The tools that this one finds, if its policy lets it call any: those of the toolbox, as far as they are approved, each under what
    /// the toolbox grants it, and built-in ones. It is made when it is asked for.
    pub(crate) fn callees(&self, caplet: &Caplet) -> Result<Box<dyn FnOnce() -> Catalog + Send>, Failure> {
        let here = host::current_dir()?;
        let (caplet, toolbox) = (caplet.clone(), self.loaded.toolbox.clone());
        let mut terms = Terms::new(&here).environment(|name| std::env::var(name).ok());
        for place in users().into_iter().chain([here.join(FILE)]) {
            terms = terms.keep_out_file(place);
        }
        Ok(Box::new(move || {
            let terms = terms.pins(Pins::of_toolbox(&toolbox));
            Catalog::with_built_in(&terms, &caplet, &toolbox)
        }))
    }

    /// Says what of the project's file is not applied to this tool.
    pub(crate) fn tell(&self, ui: &mut Ui) -> std::io::Result<()> {
        let name = (self.kind != Kind::File).then_some(self.name.as_str());
        self.loaded.tell(ui, Some(name.unwrap_or_default()), self.loaded.layers.notices())
    }

    /// The same, and what the project would allow beyond what the user granted.
    pub(crate) fn tell_all(&self, ui: &mut Ui) -> std::io::Result<()> {
        let wider = self.loaded.layers.wider(Some(&self.name));
        let notices: Vec<Notice> = self.loaded.layers.notices().iter().cloned().chain(wider).collect();
        let name = (self.kind != Kind::File).then_some(self.name.as_str());
        self.loaded.tell(ui, Some(name.unwrap_or_default()), &notices)
    }
}
