//! Hostile guests and fakes for the tests of the other crates.

pub mod cases;
