//! What a value is, as far as printing it and writing it as JSON have to know.

use rquickjs::function::This;
use rquickjs::{Ctx, Function, Object, Persistent, Result, String as JsString, Value};

use crate::state::State;

/// Constructors and methods as they were before the program could change them.
#[derive(Clone, Debug)]
pub(crate) struct Intrinsics {
    map: Persistent<Value<'static>>,
    set: Persistent<Value<'static>>,
    date: Persistent<Value<'static>>,
    regexp: Persistent<Value<'static>>,
    dom_exception: Persistent<Value<'static>>,
    map_each: Persistent<Function<'static>>,
    set_each: Persistent<Function<'static>>,
    date_iso: Persistent<Function<'static>>,
    is_view: Persistent<Function<'static>>,
    well_formed: Persistent<Function<'static>>,
}

impl Intrinsics {
    /// Takes them from the globals of a context that nothing has run in.
    pub(crate) fn take<'js>(ctx: &Ctx<'js>) -> Result<Self> {
        let class = |name: &str| ctx.globals().get::<_, Object<'js>>(name);
        let (map, set, date, regexp) = (class("Map")?, class("Set")?, class("Date")?, class("RegExp")?);
        Ok(Self {
            map_each: method(ctx, &map, "forEach")?,
            set_each: method(ctx, &set, "forEach")?,
            date_iso: method(ctx, &date, "toISOString")?,
            map: Persistent::save(ctx, map.into_value()),
            set: Persistent::save(ctx, set.into_value()),
            date: Persistent::save(ctx, date.into_value()),
            regexp: Persistent::save(ctx, regexp.into_value()),
            dom_exception: Persistent::save(ctx, class("DOMException")?.into_value()),
            is_view: Persistent::save(ctx, class("ArrayBuffer")?.get::<_, Function<'js>>("isView")?),
            well_formed: method(ctx, &class("String")?, "toWellFormed")?,
        })
    }
}

fn method<'js>(ctx: &Ctx<'js>, class: &Object<'js>, name: &str) -> Result<Persistent<Function<'static>>> {
    let prototype: Object<'js> = class.get("prototype")?;
    Ok(Persistent::save(ctx, prototype.get::<_, Function<'js>>(name)?))
}

/// What an object is.
pub(crate) enum Kind<'js> {
    Array(rquickjs::Array<'js>),
    Map(Vec<(Value<'js>, Value<'js>)>),
    Set(Vec<Value<'js>>),
    /// ISO 8601; `None` if it is no valid date.
    Date(Option<String>),
    RegExp(String),
    Error,
    /// With its name.
    Function(String),
    Promise,
    /// An `ArrayBuffer` or a `DataView`.
    Bytes(Vec<u8>),
    /// A typed array with its length.
    Typed(usize),
    Object,
}

/// Looks at an object without letting what it throws out.
pub(crate) fn of<'js>(ctx: &Ctx<'js>, state: &State, object: &Object<'js>) -> Kind<'js> {
    let kind = classify(ctx, state, object);
    kind.unwrap_or_else(|_| {
        drop(ctx.catch());
        Kind::Object
    })
}

fn classify<'js>(ctx: &Ctx<'js>, state: &State, object: &Object<'js>) -> Result<Kind<'js>> {
    let value = object.as_value();
    if value.is_proxy() {
        return Ok(if value.is_function() { Kind::Function(String::new()) } else { Kind::Object });
    }
    if let Some(array) = value.clone().into_array() {
        return Ok(Kind::Array(array));
    }
    if value.is_function() {
        return Ok(Kind::Function(
            object.get::<_, rquickjs::Coerced<String>>("name").map(|name| name.0).unwrap_or_default(),
        ));
    }
    if value.is_promise() {
        return Ok(Kind::Promise);
    }
    if is_error(ctx, state, value) {
        return Ok(Kind::Error);
    }
    let Some(intrinsics) = state.intrinsics.borrow().clone() else { return Ok(Kind::Object) };
    let is = |class: &Persistent<Value<'static>>| {
        Ok::<_, rquickjs::Error>(object.is_instance_of(class.clone().restore(ctx)?))
    };
    if is(&intrinsics.map)? {
        return Ok(Kind::Map(pairs(ctx, &intrinsics, object)?));
    }
    if is(&intrinsics.set)? {
        return Ok(Kind::Set(pairs_of(ctx, intrinsics.set_each, object)?.into_iter().map(|(_, item)| item).collect()));
    }
    if is(&intrinsics.date)? {
        let iso: Result<String> = intrinsics.date_iso.restore(ctx)?.call((This(object.clone()),));
        if iso.is_err() {
            drop(ctx.catch());
        }
        return Ok(Kind::Date(iso.ok()));
    }
    if is(&intrinsics.regexp)? {
        let (source, flags): (String, String) = (object.get("source")?, object.get("flags")?);
        return Ok(Kind::RegExp(format!("/{source}/{flags}")));
    }
    if let Some(length) = typed_length(&intrinsics, ctx, object)? {
        return Ok(Kind::Typed(length));
    }
    let is_bytes = rquickjs::ArrayBuffer::from_object(object.clone()).is_some()
        || intrinsics.is_view.restore(ctx)?.call::<_, bool>((object.clone(),))?;
    Ok(match is_bytes.then(|| crate::bytes::from_js(value)).flatten() {
        Some(bytes) => Kind::Bytes(bytes),
        None => Kind::Object,
    })
}

/// Whether a value is an error or a `DOMException`, which the engine does not count as one.
pub(crate) fn is_error<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>) -> bool {
    if value.is_error() {
        return true;
    }
    let Some(object) = value.as_object().filter(|_| !value.is_proxy()) else { return false };
    let class = state.intrinsics.borrow().as_ref().map(|intrinsics| intrinsics.dom_exception.clone());
    class.is_some_and(|class| class.restore(ctx).is_ok_and(|class| object.is_instance_of(class)))
}

/// The length of a typed array.
fn typed_length<'js>(intrinsics: &Intrinsics, ctx: &Ctx<'js>, object: &Object<'js>) -> Result<Option<usize>> {
    if !intrinsics.is_view.clone().restore(ctx)?.call::<_, bool>((object.clone(),))? {
        return Ok(None);
    }
    let length = object.get::<_, Value<'js>>("length")?.as_int();
    Ok(length.and_then(|length| usize::try_from(length).ok()))
}

fn pairs<'js>(ctx: &Ctx<'js>, intrinsics: &Intrinsics, map: &Object<'js>) -> Result<Vec<(Value<'js>, Value<'js>)>> {
    pairs_of(ctx, intrinsics.map_each.clone(), map)
}

/// What `forEach` gives, key first.
fn pairs_of<'js>(
    ctx: &Ctx<'js>,
    each: Persistent<Function<'static>>,
    object: &Object<'js>,
) -> Result<Vec<(Value<'js>, Value<'js>)>> {
    let list = rquickjs::Array::new(ctx.clone())?;
    let target = list.clone();
    let collect = Function::new(ctx.clone(), move |value: Value<'js>, key: Value<'js>| {
        let at = target.len();
        target.set(at, key)?;
        target.set(at + 1, value)
    })?;
    each.restore(ctx)?.call::<_, ()>((This(object.clone()), collect))?;
    let mut pairs = Vec::new();
    for at in (0..list.len()).step_by(2) {
        pairs.push((list.get(at)?, list.get(at + 1)?));
    }
    Ok(pairs)
}

/// The text of a string; a half of a surrogate pair becomes U+FFFD.
pub(crate) fn text<'js>(ctx: &Ctx<'js>, state: &State, string: &JsString<'js>) -> Result<String> {
    match string.to_string() {
        Ok(text) => Ok(text),
        Err(rquickjs::Error::Utf8(_)) => {
            let Some(intrinsics) = state.intrinsics.borrow().clone() else { return Ok(String::new()) };
            let whole: JsString<'js> = intrinsics.well_formed.restore(ctx)?.call((This(string.clone()),))?;
            whole.to_string()
        }
        Err(error) => Err(error),
    }
}
