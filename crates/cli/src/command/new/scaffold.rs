//! A folder that is made whole or not at all.
//!
//! What always holds: no file is written over, no link is followed to write; and unless [`Scaffold::keep`] is called, all that was made
//! is removed again, and nothing else.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;

use crate::failure::Failure;

/// What a folder may hold and still count as empty: `git init` comes before the tool, for some.
const NOTHING: &str = ".git";

/// The files and folders that were made so far, in their order.
#[derive(Debug)]
pub(super) struct Scaffold {
    root: PathBuf,
    made: Vec<Made>,
}

#[derive(Debug)]
enum Made {
    File(PathBuf),
    Folder(PathBuf),
}

impl Scaffold {
    /// Begins in `root`, which is made if it is not there, with the folders above it.
    pub(super) fn begin(root: &Path) -> Result<Self, Failure> {
        match fs::read_dir(root) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(|error| failed(root, &error))?.file_name();
                    if name != NOTHING {
                        return Err(occupied(root, &name.to_string_lossy()));
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Failure::new(ErrorKind::InvalidArgs, format!("{} is not a folder", root.display()))
                    .with_hint("name a folder that is not there yet, or an empty one"));
            }
            Err(error) => return Err(failed(root, &error)),
        }
        let mut scaffold = Self { root: root.to_owned(), made: Vec::new() };
        scaffold.folder(root)?;
        Ok(scaffold)
    }

    /// Writes the file `path` below the root, with the folders that lead to it.
    pub(super) fn write(&mut self, path: &str, text: &str) -> Result<(), Failure> {
        let path = self.root.join(path);
        if let Some(folder) = path.parent() {
            self.folder(folder)?;
        }
        let mut file = File::create_new(&path).map_err(|error| failed(&path, &error))?;
        self.made.push(Made::File(path.clone()));
        file.write_all(text.as_bytes()).map_err(|error| failed(&path, &error))
    }

    /// Lets everything stay.
    pub(super) fn keep(mut self) {
        self.made.clear();
    }

    /// Makes `folder` where it is missing, and those above it.
    fn folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
        for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir(folder).map_err(|error| failed(folder, &error))?;
            self.made.push(Made::Folder(folder.to_owned()));
        }
        Ok(())
    }
}

impl Drop for Scaffold {
    fn drop(&mut self) {
        for made in self.made.drain(..).rev() {
            // What somebody else put there since then keeps its folder.
            let _ = match made {
                Made::File(path) => fs::remove_file(path),
                Made::Folder(path) => fs::remove_dir(path),
            };
        }
    }
}

fn occupied(root: &Path, name: &str) -> Failure {
    let message = format!("{} is not empty: it has {name:?}, and nothing is written over", root.display());
    Failure::new(ErrorKind::InvalidArgs, message).with_hint("name a folder that is not there yet, or an empty one")
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ErrorKind::Host, format!("cannot write {}: {error}", path.display()))
}
