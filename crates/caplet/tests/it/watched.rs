//! A catalog whose files change.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use caplet::{CallContext, Caplet, LayerFiles, Lock, Pin, Snapshot, Source, Terms, Trust, Watched};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;

use crate::tools::{Folder, sums};

/// How long a change may take to be noticed where the machine is busy. It is usually less than a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    folder: Folder,
    watched: Watched,
    heard: Receiver<Snapshot>,
}

impl World {
    /// A toolbox with the tool `sums`, which adds.
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("caplet.toml", "[tools.sums]\nsource = \"./sums.wasm\"\n");
        folder.write("sums.wasm", sums("add", "i32.add", ""));
        Self::watch(folder)
    }

    fn watch(folder: Folder) -> Self {
        let caplet = Caplet::builder().build().unwrap();
        pin(&folder);
        let watched = Watched::of_toolbox(caplet, folder.path("caplet.toml"), Terms::new(folder.root())).unwrap();
        let heard = watched.subscribe();
        Self { folder, watched, heard }
    }

    /// Waits until a snapshot is as `wanted` says.
    async fn until(&mut self, wanted: impl Fn(&Snapshot) -> bool) {
        let seen = tokio::time::timeout(PATIENCE, self.heard.wait_for(|now| wanted(now))).await;
        assert!(seen.is_ok(), "{:?}", self.watched.now());
    }
}

/// Pins the file as it is.
fn pin(folder: &Folder) {
    let source = Source::Path(folder.path("sums.wasm"));
    let pin = Pin::of("sums", Caplet::builder().build().unwrap().load(&source).unwrap().component());
    Lock::update(&folder.path("caplet.lock"), |lock| lock.set("sums", pin)).unwrap();
}

async fn call(snapshot: &Snapshot) -> Value {
    let offer = snapshot.catalog.offer("sums").unwrap().clone();
    offer.call(json!({"a": 5, "b": 3}), &CallContext::new(), std::future::pending()).await.output
}

fn is_offered(now: &Snapshot) -> bool {
    now.catalog.offer("sums").is_some()
}

#[tokio::test]
async fn what_is_offered_follows_the_files() {
    let mut world = World::new();
    let first = world.watched.now();
    assert_eq!(call(&first).await, json!(8));
    // The tool's file.
    world.folder.write("sums.wasm", sums("add", "i32.sub", ""));
    world.until(|now| !is_offered(now)).await;
    assert!(world.watched.now().catalog.hidden()[0].needs_approval());
    assert_eq!(call(&first).await, json!(8), "a call goes on with what it began with");
    // The lock.
    pin(&world.folder);
    world.until(is_offered).await;
    assert_eq!(call(&world.watched.now()).await, json!(2));
    // The toolbox, written in place.
    fs::write(world.folder.path("caplet.toml"), "[tools.file-read]\n").unwrap();
    world.until(|now| now.catalog.offer("file-read").is_some() && !is_offered(now)).await;
    // A file that was not named before.
    world.folder.write("caplet.toml", "[tools.sums]\nsource = \"./other/sums.wasm\"\n");
    world.until(|now| now.catalog.offers().len() == 0).await;
    world.folder.write("other/sums.wasm", sums("add", "i32.sub", ""));
    world.until(is_offered).await;
}

#[tokio::test]
async fn a_broken_toolbox_keeps_the_last_catalog_and_is_told() {
    let mut world = World::new();
    world.folder.write("caplet.toml", "[tools.sums\n");
    world.until(|now| now.problem.is_some()).await;
    let now = world.watched.now();
    assert!(is_offered(&now) && now.problem.as_ref().unwrap().message.contains("caplet.toml"), "{now:?}");
    assert_eq!(call(&now).await, json!(8));
    fs::remove_file(world.folder.path("caplet.toml")).unwrap();
    world.until(|now| now.problem.as_ref().is_some_and(|problem| problem.message.contains("no such file"))).await;
    // Who takes it away takes away what it gave.
    assert_eq!(world.watched.now().catalog.offers().len(), 0);
    world.folder.write("caplet.toml", "[tools.sums]\nsource = \"./sums.wasm\"\n");
    world.until(|now| now.problem.is_none()).await;
    // A lock that broke is no reason to go on as before.
    world.folder.write("caplet.lock", "version = 9\n");
    world.until(|now| !is_offered(now)).await;
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_noticed() {
    let folder = Folder::new();
    for (name, tool) in [("one", "[tools.sums]\nsource = \"./sums.wasm\"\n"), ("two", "[tools.file-read]\n")] {
        folder.write(&format!("{name}/caplet.toml"), tool);
    }
    folder.write("sums.wasm", sums("add", "i32.add", ""));
    // As configuration is mounted in containers: the file is a link through a link that is replaced.
    symlink("one", folder.path("data")).unwrap();
    symlink("data/caplet.toml", folder.path("caplet.toml")).unwrap();
    let mut world = World::watch(folder);
    assert!(is_offered(&world.watched.now()));
    symlink("two", world.folder.path("new")).unwrap();
    fs::rename(world.folder.path("new"), world.folder.path("data")).unwrap();
    world.until(|now| now.catalog.offer("file-read").is_some()).await;
}

#[test]
fn it_can_be_made_again_by_hand() {
    let world = World::new();
    let first = world.watched.now();
    world.watched.reload().unwrap();
    assert!(first.catalog.looks_like(&world.watched.now().catalog));
    world.folder.write("caplet.toml", "nonsense");
    assert!(world.watched.reload().is_err());
    world.folder.write("caplet.toml", "");
    world.watched.reload().unwrap();
    assert_eq!(world.watched.now().catalog.offers().len(), 0);
    assert!(is_offered(&first));
}

#[test]
fn without_a_first_catalog_there_is_no_watch() {
    let folder = Folder::new();
    let caplet = Caplet::builder().build().unwrap();
    assert!(Watched::of_toolbox(caplet, folder.path("caplet.toml"), Terms::new(folder.root())).is_err());
}

#[tokio::test]
async fn a_profile_that_is_removed_offers_nothing_any_more() {
    let with = |more: &str| format!("[tools.sums]\nsource = \"./sums.wasm\"\n{more}");
    let folder = Folder::new();
    folder.write("sums.wasm", sums("add", "i32.add", ""));
    folder.write("caplet.toml", with("[profiles.small]\ntools = [\"sums\"]\n"));
    pin(&folder);
    let files = LayerFiles { explicit: Some(folder.path("caplet.toml")), ..LayerFiles::default() };
    let (caplet, terms) = (Caplet::builder().build().unwrap(), Terms::new(folder.root()));
    let none = Watched::of_layers(caplet.clone(), files.clone(), Trust::nothing(), Some("other".into()), terms.clone());
    assert!(none.is_err(), "there never was one");
    let watched = Watched::of_layers(caplet, files, Trust::nothing(), Some("small".into()), terms).unwrap();
    assert!(is_offered(&watched.now()));
    folder.write("caplet.toml", with(""));
    assert!(watched.reload().is_err());
    let now = watched.now();
    assert!(now.catalog.offers().len() == 0 && now.problem.is_some(), "{now:?}");
    folder.write("caplet.toml", with("[profiles.small]\ntools = [\"sums\"]\n"));
    watched.reload().unwrap();
    assert!(is_offered(&watched.now()));
}
