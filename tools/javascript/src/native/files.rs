//! Files over the mounts. The host decides on each access; what it refuses comes back as an `EACCES` with the rule that would permit it.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use caplet_tool_common::{Access, GuestPath, explain, failure::is_refusal};
use rquickjs::function::Opt;
use rquickjs::{Array, Ctx, Object, Result, String as JsString, Value};

use crate::globals::add;
use crate::state::State;
use crate::{bytes, failure, kinds};

/// Bytes of a file that is read whole. The engine's heap holds little more.
const MAX_READ: u64 = 64 * 1024 * 1024;
/// Levels of a tree that `rm` and `cp` go down, as deep as a path can be.
const MAX_DEPTH: usize = 2_048;

/// Throws what the file system answered, with the properties that programs for Node.js look at.
pub(crate) fn throw<'js>(
    ctx: &Ctx<'js>,
    access: Access,
    call: &str,
    path: &GuestPath,
    error: &Error,
) -> rquickjs::Error {
    let code = code(error);
    let message = format!("{code}: {}", explain(access, path, error));
    failure::throw(ctx, &message, &[("code", code), ("syscall", call), ("path", path.as_str())])
}

fn code(error: &Error) -> &'static str {
    if is_refusal(error) {
        return "EACCES";
    }
    match error.kind() {
        ErrorKind::NotFound => "ENOENT",
        ErrorKind::AlreadyExists => "EEXIST",
        ErrorKind::NotADirectory => "ENOTDIR",
        ErrorKind::IsADirectory => "EISDIR",
        ErrorKind::DirectoryNotEmpty => "ENOTEMPTY",
        ErrorKind::ReadOnlyFilesystem => "EROFS",
        ErrorKind::StorageFull => "ENOSPC",
        ErrorKind::QuotaExceeded => "EDQUOT",
        ErrorKind::FileTooLarge => "EFBIG",
        ErrorKind::InvalidFilename => "ENAMETOOLONG",
        ErrorKind::InvalidInput => "EINVAL",
        ErrorKind::CrossesDevices => "EXDEV",
        _ => "EIO",
    }
}

/// A call of a program: where it stands and what it is about, for its errors.
struct Call<'a, 'js> {
    ctx: &'a Ctx<'js>,
    name: &'a str,
    access: Access,
}

impl Call<'_, '_> {
    fn check<T>(&self, path: &GuestPath, result: std::io::Result<T>) -> Result<T> {
        result.map_err(|error| throw(self.ctx, self.access, self.name, path, &error))
    }
}

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    add_reading(object, state)?;
    add_writing(object, state)?;
    add_trees(object, state)
}

fn path<'js>(ctx: &Ctx<'js>, state: &State, text: &str) -> Result<GuestPath> {
    GuestPath::resolve(&state.cwd, text)
        .map_err(|problem| failure::throw(ctx, &format!("EINVAL: {problem}"), &[("code", "EINVAL")]))
}

fn add_reading<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    // As text if wanted: what is not UTF-8 becomes U+FFFD.
    add(object, "read", move |ctx: Ctx<'js>, name: String, as_text: bool| {
        let at = path(&ctx, &shared, &name)?;
        let call = Call { ctx: &ctx, name: "open", access: Access::Read };
        let bytes = call.check(&at, read(&at))?;
        if !as_text {
            return bytes::to_js(&ctx, &bytes);
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Ok(JsString::from_str(ctx.clone(), &text)?.into_value())
    })?;
    let shared = Rc::clone(state);
    // `[name, type]` of each entry, by name.
    add(object, "list", move |ctx: Ctx<'js>, name: String| {
        let at = path(&ctx, &shared, &name)?;
        let call = Call { ctx: &ctx, name: "scandir", access: Access::List };
        let mut entries = call.check(&at, list(&at))?;
        entries.sort();
        Ok::<_, rquickjs::Error>(
            entries.into_iter().map(|(name, kind)| vec![name, kind.to_owned()]).collect::<Vec<_>>(),
        )
    })?;
    let shared = Rc::clone(state);
    // `[type, size, modified, accessed, created]`, times in milliseconds.
    add(object, "stat", move |ctx: Ctx<'js>, name: String, follow: bool| {
        let at = path(&ctx, &shared, &name)?;
        let call = Call { ctx: &ctx, name: if follow { "stat" } else { "lstat" }, access: Access::Read };
        let found = call.check(&at, if follow { fs::metadata(&at) } else { fs::symlink_metadata(&at) })?;
        let list = Array::new(ctx.clone())?;
        list.set(0, kind(found.file_type()))?;
        #[expect(clippy::cast_precision_loss, reason = "no file has 2^53 bytes")]
        list.set(1, found.len() as f64)?;
        for (index, time) in [(2, found.modified()), (3, found.accessed()), (4, found.created())] {
            list.set(index, time.map_or(0.0, millis))?;
        }
        Ok::<_, rquickjs::Error>(list)
    })?;
    let shared = Rc::clone(state);
    add(object, "exists", move |ctx: Ctx<'js>, name: String| {
        Ok::<_, rquickjs::Error>(fs::metadata(path(&ctx, &shared, &name)?).is_ok())
    })?;
    let shared = Rc::clone(state);
    add(object, "resolve", move |ctx: Ctx<'js>, name: String| {
        Ok::<_, rquickjs::Error>(path(&ctx, &shared, &name)?.to_string())
    })
}

fn read(path: &GuestPath) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?;
    if size.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_READ + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_READ) {
        return Err(Error::new(ErrorKind::FileTooLarge, "larger than the 64 MiB that can be read whole"));
    }
    Ok(bytes)
}

fn list(path: &GuestPath) -> std::io::Result<Vec<(String, &'static str)>> {
    fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), kind(entry.file_type()?)))
        })
        .collect()
}

fn kind(kind: fs::FileType) -> &'static str {
    if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "link"
    } else if kind.is_file() {
        "file"
    } else {
        "other"
    }
}

fn millis(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}

fn add_writing<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    // `flag` is one of Node.js: `w`, `a`, `wx`, `ax`.
    add(object, "write", move |ctx: Ctx<'js>, name: String, data: Value<'js>, flag: String| {
        let at = path(&ctx, &shared, &name)?;
        let data = match data.as_string() {
            Some(text) => kinds::text(&ctx, &shared, text)?.into_bytes(),
            None => bytes::from_js(&data).unwrap_or_default(),
        };
        let mut options = OpenOptions::new();
        match flag.as_str() {
            "w" => options.write(true).create(true).truncate(true),
            "wx" | "xw" => options.write(true).create_new(true),
            "a" => options.append(true).create(true),
            "ax" | "xa" => options.append(true).create_new(true),
            _ => {
                let message = format!("the flag '{flag}' is not one of 'w', 'a', 'wx' and 'ax'");
                return Err(rquickjs::Exception::throw_type(&ctx, &message));
            }
        };
        let call = Call { ctx: &ctx, name: "open", access: Access::Write };
        call.check(&at, options.open(&at).and_then(|mut file| file.write_all(&data)))
    })?;
    let shared = Rc::clone(state);
    add(object, "mkdir", move |ctx: Ctx<'js>, name: String, recursive: bool| {
        let at = path(&ctx, &shared, &name)?;
        let call = Call { ctx: &ctx, name: "mkdir", access: Access::Write };
        call.check(&at, if recursive { fs::create_dir_all(&at) } else { fs::create_dir(&at) })
    })?;
    let shared = Rc::clone(state);
    add(object, "rename", move |ctx: Ctx<'js>, from: String, to: String| {
        let (from, to) = (path(&ctx, &shared, &from)?, path(&ctx, &shared, &to)?);
        let call = Call { ctx: &ctx, name: "rename", access: Access::Write };
        // Which of the two was refused or is missing is not told; the one that is there was not missing.
        let result = fs::rename(&from, &to);
        let subject = if fs::symlink_metadata(&from).is_ok() { &to } else { &from };
        call.check(subject, result)
    })
}

fn add_trees<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    // What: `file`, `directory`, or `tree` for whatever it is.
    add(object, "remove", move |ctx: Ctx<'js>, name: String, what: String, force: Opt<bool>| {
        let at = path(&ctx, &shared, &name)?;
        let result = match what.as_str() {
            "file" => fs::remove_file(&at).map_err(|error| (at.clone(), error)),
            "directory" => fs::remove_dir(&at).map_err(|error| (at.clone(), error)),
            _ => remove_tree(&at, MAX_DEPTH),
        };
        match result {
            Err((_, error)) if force.0 == Some(true) && error.kind() == ErrorKind::NotFound => Ok(()),
            Err((at, error)) => Err(throw(&ctx, Access::Write, "rm", &at, &error)),
            Ok(()) => Ok(()),
        }
    })?;
    let shared = Rc::clone(state);
    add(object, "copy", move |ctx: Ctx<'js>, from: String, to: String, recursive: bool, exclusive: bool| {
        let (from, to) = (path(&ctx, &shared, &from)?, path(&ctx, &shared, &to)?);
        let depth = if recursive { MAX_DEPTH } else { 0 };
        copy(&from, &to, depth, exclusive).map_err(|(access, at, error)| throw(&ctx, access, "copyfile", &at, &error))
    })
}

fn remove_tree(path: &GuestPath, depth: usize) -> std::result::Result<(), (GuestPath, Error)> {
    let failed = |error| (path.clone(), error);
    if !fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        return fs::remove_file(path).map_err(failed);
    }
    if depth == 0 {
        return Err(failed(ErrorKind::InvalidFilename.into()));
    }
    for (name, _) in list(path).map_err(failed)? {
        remove_tree(&path.child(&name), depth - 1)?;
    }
    fs::remove_dir(path).map_err(failed)
}

fn copy(
    from: &GuestPath,
    to: &GuestPath,
    depth: usize,
    exclusive: bool,
) -> std::result::Result<(), (Access, GuestPath, Error)> {
    let reading = |error| (Access::Read, from.clone(), error);
    let writing = |error| (Access::Write, to.clone(), error);
    if fs::metadata(from).map_err(reading)?.is_dir() {
        if depth == 0 {
            return Err(reading(ErrorKind::IsADirectory.into()));
        }
        if to.below(from).is_some() {
            return Err(writing(Error::new(ErrorKind::InvalidInput, "a directory cannot be copied into itself")));
        }
        fs::create_dir_all(to).map_err(writing)?;
        for (name, _) in list(from).map_err(reading)? {
            copy(&from.child(&name), &to.child(&name), depth - 1, exclusive)?;
        }
        return Ok(());
    }
    let mut source = File::open(from).map_err(reading)?;
    let mut options = OpenOptions::new();
    options.write(true);
    if exclusive {
        options.create_new(true)
    } else {
        options.create(true).truncate(true)
    };
    let mut target = options.open(to).map_err(writing)?;
    std::io::copy(&mut source, &mut target).map_err(writing)?;
    Ok(())
}
