//! Numbers: the same text is one in every store, and what is none stays as it is.

use caplet_keyvalue::Error;

use crate::world::{Kind, World, on_every_store};

on_every_store!(sums_are_exact, what_is_no_number_stays, a_number_is_its_text);

const NONE: Result<i64, Error> = Err(Error::NotANumber);

async fn sums_are_exact(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    let cases: &[(Option<&str>, i64, Result<i64, Error>)] = &[
        (None, 1, Ok(1)),
        (None, 0, Ok(0)),
        (None, i64::MIN, Ok(i64::MIN)),
        (None, i64::MAX, Ok(i64::MAX)),
        (Some("0"), -1, Ok(-1)),
        (Some("-1"), 1, Ok(0)),
        (Some("41"), 1, Ok(42)),
        // Not exact as floating point.
        (Some("9007199254740993"), 2, Ok(9_007_199_254_740_995)),
        (Some("9223372036854775806"), 1, Ok(i64::MAX)),
        (Some("9223372036854775807"), 0, Ok(i64::MAX)),
        (Some("-9223372036854775808"), 0, Ok(i64::MIN)),
        (Some("-9223372036854775808"), i64::MAX, Ok(-1)),
        (Some("9223372036854775807"), i64::MIN, Ok(-1)),
        (Some("9223372036854775807"), 1, NONE),
        (Some("-9223372036854775808"), -1, NONE),
        (Some("-1"), i64::MIN, NONE),
        (Some("9223372036854775808"), -1, NONE),
        (Some("-9223372036854775809"), 1, NONE),
    ];
    for (before, delta, sum) in cases {
        bucket.delete("n").await.unwrap();
        if let Some(before) = before {
            bucket.set("n", before).await.unwrap();
        }
        assert_eq!(bucket.increment("n", *delta).await, *sum, "{before:?} + {delta}");
        let after = sum.as_ref().map_or_else(|_none| before.map(str::to_owned), |sum| Some(sum.to_string()));
        assert_eq!(bucket.text("n").await, after, "{before:?} + {delta}");
    }
}

async fn what_is_no_number_stays(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    let long = "1".repeat(100);
    let values: &[&[u8]] = &[
        b"",
        b" ",
        b"x",
        b"1x",
        b" 1",
        b"1 ",
        b"1\n",
        b"+1",
        b"01",
        b"-0",
        b"--1",
        b"-",
        b"1.0",
        b"1e3",
        b"0x10",
        b"1_000",
        b"\xff",
        b"1\0",
        "١".as_bytes(),
        long.as_bytes(),
        b"\x01\0\0\0\0\0\0\0",
    ];
    for value in values {
        bucket.set("n", value).await.unwrap();
        let seen = bucket.look("n").await.unwrap();
        for delta in [0, 1, -1, i64::MAX] {
            assert_eq!(bucket.increment("n", delta).await, NONE, "{value:?}");
        }
        // Not so much as touched.
        assert_eq!(bucket.look("n").await.unwrap(), seen, "{value:?}");
    }
}

async fn a_number_is_its_text(kind: Kind) {
    let world = World::new(kind);
    let bucket = world.bucket("b");
    assert_eq!(bucket.increment("n", 7).await, Ok(7));
    assert_eq!(bucket.text("n").await.as_deref(), Some("7"));
    bucket.set("n", "12").await.unwrap();
    assert_eq!(bucket.increment("n", -13).await, Ok(-1));
    let seen = bucket.look("n").await.unwrap();
    assert_eq!(seen.value.as_deref(), Some(&b"-1"[..]));
    assert_eq!(bucket.swap("n", &seen, "100").await, Ok(true));
    assert_eq!(bucket.increment("n", 1).await, Ok(101));
    assert_eq!(bucket.keys().await, ["n"]);
}
