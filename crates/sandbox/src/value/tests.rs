//! Laws of the conversion, over generated types and documents.

use caplet_component::{Case, Field, Name, Signature, Type};
use proptest::prelude::*;
use serde_json::{Value, json};
use wasmtime::component::Val;

use super::{OutputError, decode, encode};

/// Types of at most three levels, over few names so that they collide.
fn any_type() -> impl Strategy<Value = Type> {
    let scalar = prop::sample::select(vec![
        Type::Bool,
        Type::S8,
        Type::U8,
        Type::S32,
        Type::U32,
        Type::S64,
        Type::U64,
        Type::F32,
        Type::F64,
        Type::Char,
        Type::String,
        Type::Bytes,
    ]);
    let names = prop::sample::subsequence(vec!["a", "b-c", "d"], 1..=3);
    let values = names.clone().prop_map(|names| names.into_iter().map(Name::value).collect::<Vec<_>>());
    let leaf = prop_oneof![4 => scalar, 1 => values.clone().prop_map(Type::Enum), 1 => values.prop_map(Type::Flags)];
    leaf.prop_recursive(3, 24, 3, move |inner| {
        let field = |(name, ty): (&str, Type)| Field { name: Name::key(name), ty, description: None };
        let case = |(name, ty): (&str, Option<Type>)| Case { name: Name::key(name), ty, description: None };
        let payload = prop::option::of(inner.clone());
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Type::List),
            boxed.clone().prop_map(Type::Option),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Type::Tuple),
            (names.clone(), prop::collection::vec(inner, 3))
                .prop_map(move |(names, types)| Type::Record(names.into_iter().zip(types).map(field).collect())),
            (names.clone(), prop::collection::vec(payload, 3))
                .prop_map(move |(names, types)| Type::Variant(names.into_iter().zip(types).map(case).collect())),
            (prop::option::of(boxed.clone()), prop::option::of(boxed)).prop_map(|(ok, err)| Type::Result { ok, err }),
        ]
    })
}

/// Documents that have nothing to do with any type.
fn noise() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.0),
        json!(0.5),
        json!(-0.0),
        json!(255),
        json!(256),
        json!(-129),
        json!(4_294_967_295_u64),
        json!(1e10),
        json!(9_223_372_036_854_775_807_i64),
        json!(u64::MAX),
        json!(1e19),
        json!(1e20),
        json!(1e39),
        json!(""),
        json!("a"),
        json!("b-c"),
        json!("b_c"),
        json!("aGk="),
        json!("aGl="),
        json!("aGk"),
        json!("12"),
        json!("-12"),
        json!("+1"),
        json!("1\n"),
        json!("é"),
        json!("NaN"),
        json!([]),
        json!({}),
    ]);
    leaf.prop_recursive(2, 12, 3, |inner| {
        let key = prop::sample::select(vec!["a", "b_c", "b-c", "d", "some", "ok", "err", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..3)
                .prop_map(|entries| entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

/// Documents of the type, with noise in their place or in a place within them now and then.
fn near(ty: &Type) -> BoxedStrategy<Value> {
    let good: BoxedStrategy<Value> = match ty {
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Type::S8 => any::<i8>().prop_map(Value::from).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::from).boxed(),
        Type::S16 => any::<i16>().prop_map(Value::from).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::from).boxed(),
        Type::S32 => any::<i32>().prop_map(Value::from).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::from).boxed(),
        Type::S64 => {
            prop_oneof![any::<i64>().prop_map(Value::from), any::<i64>().prop_map(|n| json!(n.to_string()))].boxed()
        }
        Type::U64 => {
            prop_oneof![any::<u64>().prop_map(Value::from), any::<u64>().prop_map(|n| json!(n.to_string()))].boxed()
        }
        Type::F32 => any::<f32>().prop_map(Value::from).boxed(),
        Type::F64 => any::<f64>().prop_map(Value::from).boxed(),
        Type::Char => any::<char>().prop_map(|c| json!(c.to_string())).boxed(),
        Type::String => "\\PC{0,4}".prop_map(Value::from).boxed(),
        Type::Bytes => prop::sample::select(vec!["", "aA==", "aGk=", "aGkh"]).prop_map(Value::from).boxed(),
        Type::List(item) => prop::collection::vec(near(item), 0..3).prop_map(Value::Array).boxed(),
        Type::Tuple(types) => types.iter().map(near).collect::<Vec<_>>().prop_map(Value::Array).boxed(),
        Type::Record(fields) => record(fields),
        Type::Variant(cases) => {
            let cases: Vec<BoxedStrategy<Value>> = cases.iter().map(case).collect();
            prop::strategy::Union::new(cases).boxed()
        }
        Type::Enum(names) => prop::sample::select(names.clone()).prop_map(|name| Value::from(name.json)).boxed(),
        Type::Flags(names) => prop::sample::subsequence(names.clone(), 0..=names.len())
            .prop_map(|names| names.into_iter().map(|name| name.json).collect())
            .boxed(),
        Type::Option(inner) if inner.is_nullable() => {
            prop_oneof![Just(Value::Null), near(inner).prop_map(|value| json!({"some": value}))].boxed()
        }
        Type::Option(inner) => prop_oneof![Just(Value::Null), near(inner)].boxed(),
        Type::Result { ok, err } => {
            let side = |ty: &Option<Box<Type>>| ty.as_deref().map_or_else(|| Just(Value::Null).boxed(), near);
            prop_oneof![
                side(ok).prop_map(|value| json!({"ok": value})),
                side(err).prop_map(|value| json!({"err": value}))
            ]
            .boxed()
        }
        other => panic!("the tests do not know {other:?}"),
    };
    prop_oneof![9 => good, 1 => noise()].boxed()
}

fn record(fields: &[Field]) -> BoxedStrategy<Value> {
    let values: Vec<_> = fields
        .iter()
        .map(|field| (Just(field.name.json.clone()), prop::bool::weighted(0.9), near(&field.ty)))
        .collect();
    values
        .prop_map(|entries| {
            entries.into_iter().filter(|(_, present, _)| *present).map(|(key, _, value)| (key, value)).collect()
        })
        .boxed()
}

fn case(case: &Case) -> BoxedStrategy<Value> {
    let key = case.name.json.clone();
    match &case.ty {
        Some(ty) => near(ty).prop_map(move |value| json!({ key.clone(): value })).boxed(),
        None => prop::sample::select(vec![json!(key), json!({ key: null })]).boxed(),
    }
}

fn typed_document() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let document = near(&ty);
        (Just(ty), document)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The schema that an agent sees and the conversion that a call makes agree on every document.
    #[test]
    fn the_schema_accepts_what_converts((ty, document) in typed_document()) {
        let validator = caplet_testkit::schema(&ty.schema()).unwrap();
        let converted = encode::value(&ty, &document);
        prop_assert_eq!(validator.is_valid(&document), converted.is_ok(), "{:?} {}", ty, document);
    }

    /// What converts comes back as a document of the same type, and converts to the same value again.
    #[test]
    fn values_come_back((ty, document) in typed_document()) {
        if let Ok(value) = encode::value(&ty, &document) {
            let back = decode::output(&ty, &value, u64::MAX).unwrap();
            prop_assert!(caplet_testkit::schema(&ty.schema()).unwrap().is_valid(&back), "{:?} {}", ty, back);
            let again = encode::value(&ty, &back).unwrap();
            // Not-a-number differs from itself, so values are compared as they are written.
            prop_assert_eq!(format!("{value:?}"), format!("{again:?}"));
        }
    }

    /// A document that is written out is not much larger than the room that it was given.
    #[test]
    fn output_is_bounded((ty, document) in typed_document(), room in 0_u64..200) {
        if let Ok(value) = encode::value(&ty, &document) {
            match decode::output(&ty, &value, room) {
                // Escapes can make a character six bytes, and a number has up to 25 digits.
                Ok(back) => prop_assert!(back.to_string().len() as u64 <= room * 13 + 25),
                Err(error) => prop_assert_eq!(error, OutputError::TooLarge),
            }
        }
    }
}

fn parameters(fields: &[(&str, Type)]) -> Signature {
    let field = |(name, ty): &(&str, Type)| Field { name: Name::key(name), ty: ty.clone(), description: None };
    Signature { parameters: fields.iter().map(field).collect(), result: None }
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    let edit = Type::Record(
        parameters(&[("old-string", Type::String), ("replace-all", Type::Option(Box::new(Type::Bool)))]).parameters,
    );
    let signature = parameters(&[
        ("path", Type::String),
        ("edits", Type::List(Box::new(edit))),
        ("limit", Type::Option(Box::new(Type::U8))),
    ]);
    let cases = [
        (json!([]), "the arguments: expected an object with \"path\", \"edits\", \"limit\", found an array of 0 items"),
        (json!({}), "the argument \"/path\": expected a string, found nothing: it is required"),
        (json!({"path": 7, "edits": []}), "the argument \"/path\": expected a string, found the number 7"),
        (
            json!({"paht": "x", "edits": []}),
            "the arguments: expected an object with \"path\", \"edits\", \"limit\", found the unknown key \"paht\"",
        ),
        (
            json!({"path": "x", "edits": [{"old_string": "a"}, {"old_string": null}]}),
            "the argument \"/edits/1/old_string\": expected a string, found null",
        ),
        (
            json!({"path": "x", "edits": [], "limit": 256}),
            "the argument \"/limit\": expected an integer from 0 to 255, found the number 256",
        ),
        (
            json!({"path": "x", "edits": [], "limit": -1}),
            "the argument \"/limit\": expected an integer from 0 to 255, found the number -1",
        ),
    ];
    for (document, expected) in cases {
        let error = encode::parameters(&signature.parameters, &document).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn keys_in_a_pointer_are_escaped() {
    let error = encode::ArgumentError::new("x", "y").at("a/b~c").at("d");
    assert_eq!(error.pointer(), "/d/a~1b~0c");
}

#[test]
fn long_integers_that_are_strings_keep_every_digit() {
    let cases = [
        (Type::U64, json!("18446744073709551615"), Some(Val::U64(u64::MAX))),
        (Type::U64, json!("18446744073709551616"), None),
        (Type::U64, json!("-1"), None),
        (Type::S64, json!("-9223372036854775808"), Some(Val::S64(i64::MIN))),
        (Type::S64, json!("9223372036854775808"), None),
        (Type::S64, json!(""), None),
        (Type::S64, json!("-"), None),
        (Type::S64, json!("1e3"), None),
        (Type::U32, json!("1"), None),
    ];
    for (ty, document, expected) in cases {
        assert_eq!(encode::value(&ty, &document).ok(), expected, "{ty:?} {document}");
    }
}

#[test]
fn a_deeply_nested_document_costs_no_stack() {
    let mut document = json!(null);
    for _ in 0..100 {
        document = json!([document]);
    }
    for ty in [Type::List(Box::new(Type::U8)), Type::Option(Box::new(Type::Option(Box::new(Type::Bool)))), Type::Bytes]
    {
        assert!(encode::value(&ty, &document).is_err());
    }
}

#[test]
fn output_stops_at_its_limit_before_it_is_built() {
    let list = Val::List(vec![Val::String("x".repeat(100)); 1_000]);
    let ty = Type::List(Box::new(Type::String));
    assert_eq!(decode::output(&ty, &list, 1_000), Err(OutputError::TooLarge));
    assert!(decode::output(&ty, &list, 200_000).is_ok());
    assert!(matches!(decode::output(&ty, &Val::Bool(true), 1_000), Err(OutputError::Invalid(_))));
}
