//! Which files are searched: the glob and the type.

use caplet_tool_common::GuestPath;
use caplet_tool_common::glob::Glob;
use caplet_tool_common::text::join_or;
use ignore::types::{Types, TypesBuilder};

use crate::Request;

/// The two filters; both must let a file through.
#[derive(Debug)]
pub(crate) struct Filter {
    glob: Option<NameGlob>,
    types: Option<Types>,
}

#[derive(Debug)]
struct NameGlob {
    glob: Glob,
    on_whole_path: bool,
    negated: bool,
}

impl Filter {
    pub(crate) fn new(request: &Request) -> Result<Self, String> {
        let glob = request.glob.as_deref().map(parse_glob).transpose()?;
        let types = request.file_type.as_deref().map(parse_type).transpose()?;
        Ok(Self { glob, types })
    }

    /// `below` is the path below the root of the search.
    pub(crate) fn wants(&self, path: &GuestPath, below: &str) -> bool {
        let by_glob = self
            .glob
            .as_ref()
            .is_none_or(|glob| glob.glob.matches(if glob.on_whole_path { below } else { path.name() }) != glob.negated);
        by_glob && self.types.as_ref().is_none_or(|types| types.matched(path, false).is_whitelist())
    }
}

fn parse_glob(text: &str) -> Result<NameGlob, String> {
    let (negated, body) = text.strip_prefix('!').map_or((false, text), |body| (true, body));
    let body = body.strip_prefix("./").unwrap_or(body);
    if body.is_empty() {
        return Err("glob is empty: leave it out to search all files.".to_owned());
    }
    if body.starts_with('/') || body.split('/').any(|part| part == "..") {
        return Err("glob is taken below path: it cannot start with `/` or contain `..`; put the directory into path."
            .to_owned());
    }
    let glob = Glob::parse(body).map_err(|reason| format!("glob is no valid glob: {reason}."))?;
    Ok(NameGlob { glob, on_whole_path: body.contains('/'), negated })
}

/// Finds a type by its name, or by an extension of its files.
fn parse_type(name: &str) -> Result<Types, String> {
    let mut builder = TypesBuilder::new();
    builder.add_defaults();
    let all = builder.definitions();
    let extension = format!("*.{name}");
    let known = all.iter().find(|definition| definition.name() == name);
    let found = known.or_else(|| all.iter().find(|definition| definition.globs().contains(&extension)));
    let Some(found) = found else {
        let alike: Vec<String> = all
            .iter()
            .map(|definition| definition.name())
            .filter(|known| alike(known, name))
            .map(str::to_owned)
            .collect();
        let help = if alike.is_empty() {
            "did you mean one like rust, py, js, ts, go, java, c, cpp, md, json, yaml or toml, or a glob".to_owned()
        } else {
            format!("did you mean {}", join_or(&alike))
        };
        return Err(format!("type `{name}` is not known: {help}?"));
    };
    let name = found.name().to_owned();
    builder.select(&name).build().map_err(|error| format!("type `{name}` cannot be used: {error}."))
}

fn alike(known: &str, name: &str) -> bool {
    name.len() > 1 && known != "all" && (known.starts_with(name) || name.starts_with(known) && known.len() > 1)
}
