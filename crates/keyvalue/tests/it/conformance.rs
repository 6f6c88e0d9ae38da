//! Values go in, come out, and go away.

use caplet_keyvalue::Error;

use crate::world::{Kind, World, on_every_store};

on_every_store!(values_are_bytes, deleted_is_as_never_set, handles_see_each_other, the_largest_value_fits_every_way_in);

async fn values_are_bytes(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    bucket.open().await.unwrap();
    assert_eq!(bucket.get("k").await, Ok(None));
    assert_eq!(bucket.exists("k").await, Ok(false));
    let every_byte: Vec<u8> = (0..=255).collect();
    for value in
        [&b"text"[..], b"", b"\0", b"\xff\xfe", b"\r\n$-1\r\n", &every_byte, &vec![b'x'; 1 << 20], b"short again"]
    {
        bucket.set("k", value).await.unwrap();
        assert_eq!(bucket.get("k").await.unwrap().as_deref(), Some(value));
        assert_eq!(bucket.exists("k").await, Ok(true));
        assert_eq!(bucket.look("k").await.unwrap().value.as_deref(), Some(value));
    }
    assert_eq!(bucket.keys().await, ["k"]);
}

async fn deleted_is_as_never_set(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    bucket.delete("k").await.unwrap();
    for _again in 0..2 {
        bucket.set("k", "v").await.unwrap();
        bucket.set("other", "o").await.unwrap();
        bucket.delete("k").await.unwrap();
        bucket.delete("k").await.unwrap();
        assert_eq!(bucket.get("k").await, Ok(None));
        assert_eq!(bucket.exists("k").await, Ok(false));
        assert_eq!(bucket.look("k").await.unwrap().value, None);
        assert_eq!(bucket.keys().await, ["other"]);
    }
}

async fn handles_see_each_other(kind: Kind) {
    let world = World::new(kind);
    let (one, other) = (world.bucket("b"), world.bucket("b"));
    for round in 0..20 {
        let value = format!("{round}");
        one.set("k", &value).await.unwrap();
        assert_eq!(other.text("k").await, Some(value));
        assert_eq!(other.increment("n", 1).await, Ok(2 * round + 1));
        assert_eq!(one.increment("n", 1).await, Ok(2 * round + 2));
        other.delete("k").await.unwrap();
        assert_eq!(one.get("k").await, Ok(None));
    }
}

async fn the_largest_value_fits_every_way_in(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    let largest = vec![7; 1 << 20];
    let seen = bucket.look("k").await.unwrap();
    assert_eq!(bucket.swap("k", &seen, &largest).await, Ok(true));
    assert_eq!(bucket.get("k").await.unwrap(), Some(largest));
    assert_eq!(bucket.increment("k", 1).await, Err(Error::NotANumber));
}
