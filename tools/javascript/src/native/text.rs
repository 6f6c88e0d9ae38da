//! Text and bytes.

use std::rc::Rc;

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use rquickjs::{Ctx, Object, Result, String as JsString, Value};

use crate::globals::add;
use crate::state::State;
use crate::{bytes, kinds};

/// Takes what browsers and Node.js take: padding or none.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    add(object, "encode", move |ctx: Ctx<'js>, text: JsString<'js>| {
        let text = kinds::text(&ctx, &shared, &text)?;
        bytes::to_js(&ctx, text.as_bytes())
    })?;
    // The text, or null where `fatal` is wanted and the bytes are not what the encoding says.
    add(object, "decode", |ctx: Ctx<'js>, data: Value<'js>, encoding: String, fatal: bool, keep_bom: bool| {
        let data = bytes::from_js(&data).unwrap_or_default();
        match decode(&data, &encoding, fatal) {
            Some(text) => {
                let shown = if keep_bom { &text } else { text.strip_prefix('\u{feff}').unwrap_or(&text) };
                Ok::<_, rquickjs::Error>(JsString::from_str(ctx.clone(), shown)?.into_value())
            }
            None => Ok(Value::new_null(ctx.clone())),
        }
    })?;
    add(object, "toBase64", |data: Value<'js>| STANDARD.encode(bytes::from_js(&data).unwrap_or_default()))?;
    // The bytes, or null if the text is no base64.
    add(object, "fromBase64", |ctx: Ctx<'js>, text: String| match LENIENT.decode(text) {
        Ok(bytes) => bytes::to_js(&ctx, &bytes),
        Err(_) => Ok(Value::new_null(ctx.clone())),
    })
}

fn decode(data: &[u8], encoding: &str, fatal: bool) -> Option<String> {
    let pairs = |from: fn([u8; 2]) -> u16| {
        let mut units: Vec<u16> = data.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
        if data.len() % 2 == 1 {
            // A half of a unit cannot be read; half of a pair stands for it.
            units.push(0xd800);
        }
        let text: std::result::Result<String, _> = char::decode_utf16(units.iter().copied()).collect();
        text.ok().or_else(|| (!fatal).then(|| String::from_utf16_lossy(&units)))
    };
    match encoding {
        "utf-16le" => pairs(u16::from_le_bytes),
        "utf-16be" => pairs(u16::from_be_bytes),
        "latin1" => Some(data.iter().copied().map(char::from).collect()),
        _ if fatal => std::str::from_utf8(data).ok().map(str::to_owned),
        _ => Some(String::from_utf8_lossy(data).into_owned()),
    }
}
