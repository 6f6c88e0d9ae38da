//! Bytes between the engine and Rust: always copied, so that nothing of the engine's is held.
#![expect(unsafe_code, reason = "the engine's buffers can be read by pointer only")]

use rquickjs::{ArrayBuffer, Ctx, Object, Result, TypedArray, Value};

/// Makes a `Uint8Array`.
pub(crate) fn to_js<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>> {
    Ok(TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_value())
}

/// The bytes of an `ArrayBuffer`, or of a typed array or `DataView` over one; `None` if it is none of them or is detached.
pub(crate) fn from_js(value: &Value<'_>) -> Option<Vec<u8>> {
    let object = value.as_object()?;
    if let Some(buffer) = ArrayBuffer::from_object(object.clone()) {
        return copy(&buffer);
    }
    view(object)
}

fn view(object: &Object<'_>) -> Option<Vec<u8>> {
    let buffer = ArrayBuffer::from_object(object.get::<_, Object<'_>>("buffer").ok()?)?;
    let offset = object.get::<_, f64>("byteOffset").ok()?;
    let length = object.get::<_, f64>("byteLength").ok()?;
    let all = copy(&buffer)?;
    let from = whole(offset)?;
    Some(all.get(from..from.checked_add(whole(length)?)?)?.to_vec())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number below 2^32")]
fn whole(number: f64) -> Option<usize> {
    (number.fract() == 0.0 && (0.0..4_294_967_296.0).contains(&number)).then_some(number as usize)
}

fn copy(buffer: &ArrayBuffer<'_>) -> Option<Vec<u8>> {
    // SAFETY: the bytes are copied before anything else of the engine runs, so the buffer can be neither detached nor freed meanwhile.
    unsafe { buffer.as_bytes() }.map(<[u8]>::to_vec)
}
