//! `URL` as the WHATWG describes it, by the `url` crate.

use rquickjs::{Object, Result};
use url::{Url, quirks};

use crate::globals::add;

pub(crate) fn add_to(object: &Object<'_>) -> Result<()> {
    // The parts of a URL, or null if it is none.
    add(object, "parse", |text: String, base: Option<String>| parse(&text, base.as_deref()).map(|url| parts(&url)))?;
    // The parts after one of them was set; what cannot be set stays.
    add(object, "set", |href: String, part: String, value: String| {
        let mut url = Url::parse(&href).ok()?;
        set(&mut url, &part, &value);
        Some(parts(&url))
    })?;
    // Pairs of a query, decoded; and back.
    add(object, "query", |text: String| {
        url::form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| vec![name.into_owned(), value.into_owned()])
            .collect::<Vec<_>>()
    })?;
    add(object, "toQuery", |pairs: Vec<Vec<String>>| {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        for pair in &pairs {
            if let [name, value] = pair.as_slice() {
                out.append_pair(name, value);
            }
        }
        out.finish()
    })
}

fn parse(text: &str, base: Option<&str>) -> Option<Url> {
    match base {
        Some(base) => Url::parse(base).ok()?.join(text).ok(),
        None => Url::parse(text).ok(),
    }
}

/// In the order that `js/url.js` has them.
fn parts(url: &Url) -> Vec<String> {
    let own = str::to_owned;
    vec![
        own(quirks::href(url)),
        quirks::origin(url),
        own(quirks::protocol(url)),
        own(quirks::username(url)),
        own(quirks::password(url)),
        own(quirks::host(url)),
        own(quirks::hostname(url)),
        own(quirks::port(url)),
        own(quirks::pathname(url)),
        own(quirks::search(url)),
        own(quirks::hash(url)),
    ]
}

fn set(url: &mut Url, part: &str, value: &str) {
    // What is not acceptable is left as it was, as the standard says.
    match part {
        "protocol" => drop(quirks::set_protocol(url, value)),
        "username" => drop(quirks::set_username(url, value)),
        "password" => drop(quirks::set_password(url, value)),
        "host" => drop(quirks::set_host(url, value)),
        "hostname" => drop(quirks::set_hostname(url, value)),
        "port" => drop(quirks::set_port(url, value)),
        "pathname" => quirks::set_pathname(url, value),
        "search" => quirks::set_search(url, value),
        "hash" => quirks::set_hash(url, value),
        _ => {}
    }
}
