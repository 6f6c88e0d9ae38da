//! What a line says: a message, or what is wrong with it.

use caplet::audit::text::{shortened, visible_line};
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ClientResult, ErrorData, JsonRpcMessage, RequestId,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a line says.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Box<ClientJsonRpcMessage>),
    Batch(Vec<Value>),
    /// To be answered with an error, under the id of the message where it has one.
    Refused {
        id: Option<RequestId>,
        error: ErrorData,
    },
    /// To be passed over.
    Nothing,
}

impl Incoming {
    fn invalid(id: Option<RequestId>, reason: &'static str) -> Self {
        Self::Refused { id, error: ErrorData::invalid_request(reason, None) }
    }
}

/// Reads a line.
pub(crate) fn read(line: &[u8]) -> Incoming {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Incoming::Nothing;
    }
    let unreadable = |reason: String| Incoming::Refused { id: None, error: ErrorData::parse_error(reason, None) };
    let Ok(text) = std::str::from_utf8(line) else {
        return unreadable("the message is not UTF-8".to_owned());
    };
    match caplet::parse_arguments(text) {
        Ok(Value::Array(items)) => Incoming::Batch(items),
        Ok(value) => message(value),
        Err(caplet::Error::Arguments(reason)) => {
            unreadable(format!("the message is not valid JSON: {}", visible_line(&shortened(&reason, 200))))
        }
        Err(_) => unreadable("the message is not valid JSON".to_owned()),
    }
}

/// Reads a message that is JSON.
pub(crate) fn message(value: Value) -> Incoming {
    let Value::Object(mut object) = value else {
        return Incoming::invalid(None, "a message is an object");
    };
    let version = object.remove("jsonrpc");
    let (has_id, id) = match object.remove("id") {
        None => (false, None),
        Some(id) => (true, request_id(id)),
    };
    if version.as_ref().and_then(Value::as_str) != Some("2.0") {
        return Incoming::invalid(id, "`jsonrpc` must be \"2.0\"");
    }
    let is_answer = object.contains_key("result") || object.contains_key("error");
    match (object.get("method"), has_id, id) {
        (Some(_), _, id) if is_answer => {
            Incoming::invalid(id, "a message has a method, a result or an error, and one of them")
        }
        (Some(Value::String(_)), true, Some(id)) => request(object, id),
        (Some(Value::String(_)), true, None) => Incoming::invalid(None, "an id is a string or an integer of 64 bits"),
        (Some(Value::String(_)), false, _) => notification(object),
        (Some(_), _, id) => Incoming::invalid(id, "`method` must be a string"),
        (None, true, Some(id)) if is_answer => answer(object, id),
        // The answer to a message that could not be read has no id, and is for nobody.
        (None, _, _) if object.contains_key("error") => Incoming::Nothing,
        (None, _, id) => Incoming::invalid(id, "a message has a method, a result or an error"),
    }
}

fn request_id(id: Value) -> Option<RequestId> {
    match id {
        Value::Number(number) => number.as_i64().map(RequestId::Number),
        Value::String(text) => Some(RequestId::String(text.into())),
        _ => None,
    }
}

fn request(mut object: Map<String, Value>, id: RequestId) -> Incoming {
    match object.get("params") {
        None | Some(Value::Object(_)) => {}
        Some(Value::Null) => {
            object.remove("params");
        }
        Some(_) => {
            let error = ErrorData::invalid_params("`params` must be an object", None);
            return Incoming::Refused { id: Some(id), error };
        }
    }
    match parse::<ClientRequest>(object) {
        Some(request) => Incoming::Message(Box::new(JsonRpcMessage::request(request, id))),
        None => Incoming::Refused { id: Some(id), error: ErrorData::invalid_params("the parameters are wrong", None) },
    }
}

fn notification(object: Map<String, Value>) -> Incoming {
    // There is nobody to tell what is wrong with it.
    let notification = parse::<ClientNotification>(object);
    notification.map_or(Incoming::Nothing, |notification| {
        Incoming::Message(Box::new(JsonRpcMessage::notification(notification)))
    })
}

fn answer(mut object: Map<String, Value>, id: RequestId) -> Incoming {
    let message = match (object.remove("result"), object.remove("error")) {
        (Some(result), None) => {
            serde_json::from_value::<ClientResult>(result).ok().map(|result| JsonRpcMessage::response(result, id))
        }
        (None, Some(error)) => {
            serde_json::from_value::<ErrorData>(error).ok().map(|error| JsonRpcMessage::error(error, Some(id)))
        }
        _ => None,
    };
    message.map_or(Incoming::Nothing, |message| Incoming::Message(Box::new(message)))
}

fn parse<T: DeserializeOwned>(object: Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(object)).ok()
}
