//! The catalog of a toolbox whose files change while it is offered.
//!
//! In: how the catalog is made, and from which files. Out: the catalog that holds now, and word of each new one.
//!
//! What always holds: calls in flight keep the offers that they began with; where the files make no catalog, the last one that was made
//! stays, and the problem is told; nobody but the thread of the watch waits for files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use caplet_audit::ErrorInfo;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

use crate::caplet::Caplet;
use crate::catalog::Catalog;
use crate::error::Error;
use crate::layers::{LayerFiles, Layers};
use crate::lock::{Lock, Pins};
use crate::private::links_to;
use crate::source::Source;
use crate::terms::Terms;
use crate::trust::Trust;

/// How long it must be quiet before files are read again: editors and compilers write in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// How long files are left alone at most while something is written again and again.
const LONGEST: Duration = Duration::from_secs(1);

/// How often files are looked at where the system does not tell of all changes: it has no more watches, or a folder is not there.
const POLL: Duration = Duration::from_secs(1);

/// How often they are looked at where it does: a folder may have been replaced, and not every file system tells.
const SELDOM: Duration = Duration::from_secs(30);

/// What is offered now. Of a file that cannot be understood the last catalog stays; of one that is gone nothing does.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// The catalog: the last one that could be made.
    pub catalog: Catalog,
    /// Why the files as they are now make none.
    pub problem: Option<ErrorInfo>,
}

/// What the system says of a file, and tells a changed one by; nothing where there is none.
type Identity = Option<[i64; 7]>;

/// The files that a catalog was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    known: BTreeMap<PathBuf, Identity>,
    is_gone: bool,
}

impl Files {
    /// One more file. To be said before it is read: what changes from here on is noticed.
    pub fn add(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        let identity = identify(&path);
        self.known.entry(path).or_insert(identity);
    }

    /// What a catalog was made from is not there any more, so that nothing is to be offered; a file that only cannot be understood at the
    /// moment is no reason for that.
    pub fn are_gone(&mut self) {
        self.is_gone = true;
    }

    /// Whether one of them is another than it was.
    fn have_changed(&self) -> bool {
        self.known.iter().any(|(path, identity)| identify(path) != *identity)
    }

    /// Where a change would be told: each file, each link on the way to it, and what they lead to.
    fn places(&self) -> BTreeSet<PathBuf> {
        let places = |path: &PathBuf| {
            let real = fs::canonicalize(path).ok();
            [path.clone()].into_iter().chain(links_to(path)).chain(real)
        };
        self.known.keys().flat_map(places).collect()
    }
}

fn identify(path: &Path) -> Identity {
    let found = fs::metadata(path).ok()?;
    let [device, inode, size] = [found.dev(), found.ino(), found.size()].map(u64::cast_signed);
    Some([device, inode, size, found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()])
}

/// Makes a catalog, and names the files that it is made from, also where it fails.
type Load = Box<dyn Fn(&mut Files) -> Result<Catalog, Error> + Send + Sync>;

/// A catalog that is made again when its files change. Cheap to clone; the watch ends with the last clone.
#[derive(Clone, Debug)]
pub struct Watched {
    inner: Arc<Inner>,
    _thread: Arc<Ends>,
}

struct Inner {
    load: Load,
    sender: watch::Sender<Snapshot>,
    /// Held while a catalog is made.
    files: Mutex<Files>,
}

/// Ends the watch when it goes.
#[derive(Debug)]
struct Ends(mpsc::Sender<Word>);

/// What the thread of the watch hears.
enum Word {
    Changed,
    End,
}

impl Drop for Ends {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.send(Word::End);
    }
}

impl Watched {
    /// Makes the first catalog with `load`, and another one whenever a file changes that it named.
    ///
    /// # Errors
    ///
    /// When the first one cannot be made, or there is no thread for the watch.
    pub fn new(load: impl Fn(&mut Files) -> Result<Catalog, Error> + Send + Sync + 'static) -> Result<Self, Error> {
        let mut files = Files::default();
        let catalog = load(&mut files)?;
        let sender = watch::Sender::new(Snapshot { catalog, problem: None });
        let inner = Arc::new(Inner { load: Box::new(load), sender, files: Mutex::new(files) });
        let (words, heard) = mpsc::channel();
        let (watched, told) = (Arc::downgrade(&inner), words.clone());
        let thread = thread::Builder::new().name("caplet-watch".to_owned());
        thread
            .spawn(move || watch(&watched, told, &heard))
            .map_err(|error| Error::Host(format!("files cannot be watched: {error}")))?;
        Ok(Self { inner, _thread: Arc::new(Ends(words)) })
    }

    /// The catalog of the toolbox at `path` alone and of its lock, on `terms`.
    ///
    /// # Errors
    ///
    /// When the toolbox cannot be read, and as for [`Watched::new`].
    pub fn of_toolbox(caplet: Caplet, path: impl Into<PathBuf>, terms: Terms) -> Result<Self, Error> {
        let places = LayerFiles { explicit: Some(path.into()), ..LayerFiles::default() };
        Self::of_layers(caplet, places, Trust::nothing(), None, terms)
    }

    /// The catalog of the toolboxes at `places`, which lie over each other as `trust` says, and of their locks; of `profile`, or all of
    /// it.
    ///
    /// # Errors
    ///
    /// When they cannot be read or have no such profile, and as for [`Watched::new`].
    pub fn of_layers(
        caplet: Caplet,
        places: LayerFiles,
        trust: Trust,
        profile: Option<String>,
        terms: Terms,
    ) -> Result<Self, Error> {
        Self::new(move |files| {
            for place in places.places() {
                files.add(place);
                files.add(Lock::beside(place));
            }
            if let Some(list) = trust.path() {
                files.add(list);
            }
            if places.explicit.as_ref().is_some_and(|file| !file.exists()) {
                files.are_gone();
            }
            let whole = Layers::load(&places, &trust)?.into_toolbox();
            if profile.as_ref().is_some_and(|profile| !whole.profiles().contains(profile.as_str())) {
                files.are_gone();
            }
            for tool in whole.tools() {
                if let Source::Path(path) = tool.source() {
                    files.add(path);
                }
            }
            let toolbox = profile.as_ref().map_or_else(|| Ok(whole.clone()), |profile| whole.profile(profile))?;
            let terms = terms.clone().pins(Pins::of_toolbox(&toolbox));
            Ok(Catalog::on(&terms, &caplet, &toolbox))
        })
    }

    /// What is offered now.
    #[must_use]
    pub fn now(&self) -> Snapshot {
        self.inner.sender.borrow().clone()
    }

    /// Word of each new catalog and of each problem. An agent may see the same in the new one: see [`Catalog::looks_like`].
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.inner.sender.subscribe()
    }

    /// Makes the catalog again now, and waits for it: not for an asynchronous thread.
    ///
    /// # Errors
    ///
    /// When it cannot be made; the last one stays.
    pub fn reload(&self) -> Result<(), Error> {
        self.inner.reload(true)
    }
}

impl Inner {
    /// Makes the catalog again, if a file has changed or if it is to be in any case.
    fn reload(&self, in_any_case: bool) -> Result<(), Error> {
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !in_any_case && !known.have_changed() {
            return Ok(());
        }
        let mut files = Files::default();
        let made = (self.load)(&mut files);
        let is_gone = files.is_gone;
        *known = files;
        match made {
            Err(error) if is_gone => {
                let problem = Some(error.info());
                self.sender.send_replace(Snapshot { catalog: Catalog::default(), problem });
                Err(error)
            }
            Ok(catalog) => {
                self.sender.send_replace(Snapshot { catalog, problem: None });
                Ok(())
            }
            Err(error) => {
                self.sender.send_modify(|now| now.problem = Some(error.info()));
                Err(error)
            }
        }
    }

    /// Finds out what clients will ask for, so that they do not wait for it.
    fn look_ahead(&self) {
        let catalog = self.sender.borrow().catalog.clone();
        for offer in catalog.offers() {
            let _ = offer.annotations();
        }
    }

    fn have_files_changed(&self) -> bool {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).have_changed()
    }

    fn places(&self) -> BTreeSet<PathBuf> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).places()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("now", &*self.sender.borrow()).finish_non_exhaustive()
    }
}

/// The thread of the watch.
fn watch(inner: &Weak<Inner>, words: mpsc::Sender<Word>, heard: &mpsc::Receiver<Word>) {
    let places = Arc::new(Mutex::new(BTreeSet::new()));
    let mut watcher = watcher(words, Arc::clone(&places));
    let mut in_any_case = false;
    loop {
        let Some(inner) = inner.upgrade() else { return };
        // What is wrong is in the snapshot.
        let _ = inner.reload(in_any_case);
        let mut is_told = follow(watcher.as_mut(), &inner, &places);
        // What changed before it was watched was told by nobody.
        if inner.have_files_changed() {
            let _ = inner.reload(false);
            is_told = follow(watcher.as_mut(), &inner, &places);
        }
        inner.look_ahead();
        drop(inner);
        in_any_case = match heard.recv_timeout(if is_told { SELDOM } else { POLL }) {
            Ok(Word::Changed) => match settle(heard) {
                Some(()) => true,
                None => return,
            },
            Err(RecvTimeoutError::Timeout) => false,
            Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}

/// Waits until it is quiet; nothing if the watch is to end.
fn settle(heard: &mpsc::Receiver<Word>) -> Option<()> {
    let began = Instant::now();
    loop {
        match heard.recv_timeout(QUIET) {
            Ok(Word::Changed) if began.elapsed() < LONGEST => {}
            Ok(Word::Changed) | Err(RecvTimeoutError::Timeout) => return Some(()),
            Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Tells of changes at `places`; nothing where the system has no more of its kind.
fn watcher(words: mpsc::Sender<Word>, places: Arc<Mutex<BTreeSet<PathBuf>>>) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<Event>| {
        let is_meant = match &event {
            Ok(event) if is_read(event.kind) => false,
            Ok(event) if event.need_rescan() => true,
            Ok(event) => {
                let places = places.lock().unwrap_or_else(PoisonError::into_inner);
                event.paths.iter().any(|path| places.contains(path))
            }
            Err(_) => true,
        };
        if is_meant {
            // The thread may have ended.
            let _ = words.send(Word::Changed);
        }
    };
    notify::recommended_watcher(tell).ok()
}

/// Whether somebody only looked at it, as this thread does.
fn is_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Watches the folders of the files as they are now. Whether the system tells of all changes there.
fn follow(watcher: Option<&mut RecommendedWatcher>, inner: &Inner, places: &Mutex<BTreeSet<PathBuf>>) -> bool {
    let now = inner.places();
    let folders: BTreeSet<PathBuf> = now.iter().filter_map(|place| place.parent()).map(Path::to_owned).collect();
    *places.lock().unwrap_or_else(PoisonError::into_inner) = now;
    let Some(watcher) = watcher else { return false };
    // A folder that was replaced is another one, so each is named again; one that is watched already is not watched twice.
    folders.iter().map(|folder| watcher.watch(folder, RecursiveMode::NonRecursive)).filter(Result::is_err).count() == 0
}
