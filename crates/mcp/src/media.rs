//! Images and sound in what a tool answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::ContentBlock;
use serde_json::Value;

/// Media types that clients show. Whatever can hold a script is none of them.
const IMAGES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];
const SOUNDS: &[&str] = &["audio/mpeg", "audio/wav", "audio/ogg", "audio/flac"];

/// The image or sound that a text is, if it is one as a whole: `data:TYPE;base64,DATA`.
pub(crate) fn of_text(text: &str) -> Option<ContentBlock> {
    let (media_type, data) = text.strip_prefix("data:")?.split_once(";base64,")?;
    block(media_type, data)
}

/// The image or sound that an object holds, as `media_type`, `encoding` and `content` say, and the object without it.
pub(crate) fn of_object(value: &Value) -> Option<(ContentBlock, Value)> {
    let object = value.as_object()?;
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let is_whole = object.get("next_cursor").is_none_or(Value::is_null);
    if text("encoding") != Some("base64") || !is_whole {
        return None;
    }
    let found = block(text("media_type")?, text("content")?)?;
    let mut rest = object.clone();
    rest.insert("content".to_owned(), Value::from("(beside this text)"));
    Some((found, Value::Object(rest)))
}

fn block(media_type: &str, data: &str) -> Option<ContentBlock> {
    let is_one_of = |known: &[&str]| known.contains(&media_type);
    let make: fn(String, String) -> ContentBlock = match () {
        () if is_one_of(IMAGES) => |data, media_type| ContentBlock::image(data, media_type),
        () if is_one_of(SOUNDS) => |data, media_type| ContentBlock::audio(data, media_type),
        () => return None,
    };
    // What is not base64 would make the whole answer unreadable.
    STANDARD.decode(data).ok()?;
    Some(make(data.to_owned(), media_type.to_owned()))
}
