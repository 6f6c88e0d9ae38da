//! What holds of every store.

mod links;
mod paths;
mod read_only;
mod rights;
mod verbs;

use crate::world::World;

fn tree(world: &World) {
    world.add(&[
        ("pub/file", "public"),
        ("pub/deep/er/file", "deeper"),
        ("secret/file", "secret"),
        ("secret/inner/file", "secret"),
        ("top", "top"),
    ]);
}

const PUBLIC: [&str; 2] = ["write:/w/**", "!read:/w/secret/**"];
