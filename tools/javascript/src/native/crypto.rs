//! Digests and random bytes.

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Object, Result, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::bytes;
use crate::globals::add;
use crate::state::State;

/// The most bytes that one request gives, as in browsers.
const MAX_RANDOM: u32 = 65_536;

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    add(object, "digest", |ctx: Ctx<'js>, name: String, data: Value<'js>| {
        let Some(data) = bytes::from_js(&data) else {
            return Err(Exception::throw_type(&ctx, "the data is neither an ArrayBuffer nor a view of one"));
        };
        match digest(&name, &data) {
            Some(digest) => bytes::to_js(&ctx, &digest),
            None => Err(Exception::throw_dom(
                &ctx,
                "NotSupportedError",
                "there are the digests SHA-1, SHA-256, SHA-384 and SHA-512",
            )),
        }
    })?;
    let shared = Rc::clone(state);
    add(object, "random", move |ctx: Ctx<'js>, count: u32| {
        if count > MAX_RANDOM {
            return Err(Exception::throw_dom(&ctx, "QuotaExceededError", "at most 65536 random bytes at a time"));
        }
        let random = shared.host.borrow_mut().random(usize::try_from(count).unwrap_or(0));
        bytes::to_js(&ctx, &random)
    })
}

fn digest(name: &str, data: &[u8]) -> Option<Vec<u8>> {
    Some(match name.to_ascii_uppercase().replace('-', "").as_str() {
        "SHA1" => Sha1::digest(data).to_vec(),
        "SHA256" => Sha256::digest(data).to_vec(),
        "SHA384" => Sha384::digest(data).to_vec(),
        "SHA512" => Sha512::digest(data).to_vec(),
        _ => return None,
    })
}
