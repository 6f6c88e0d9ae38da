//! Links and pictures, with absolute addresses.

use url::Url;

use super::escape;
use super::inline::Mark;
use super::tree::{Element, Tree};

/// Bytes of an address that is shown; a longer one holds data, or is not meant for reading.
const MAX_ADDRESS: usize = 2_000;
/// Bytes of a picture's description.
const MAX_LABEL: usize = 500;

/// The address that relative ones are taken from: the page's own, unless it names another.
pub(crate) fn base(tree: &Tree, page: &Url) -> Url {
    let named = tree.below(super::tree::DOCUMENT).filter(|id| tree.tag(*id) == "base");
    let mut named = named.filter_map(|id| tree.element(id)?.attribute("href"));
    named
        .next()
        .and_then(|href| page.join(href).ok())
        .filter(|base| matches!(base.scheme(), "http" | "https") && base.as_str().len() <= MAX_ADDRESS)
        .unwrap_or_else(|| page.clone())
}

/// The link that an element stands for.
pub(crate) fn link(element: &Element, base: &Url) -> Option<Mark> {
    let (href, label) = match element.name() {
        "a" => (element.attribute("href")?, element.attribute("aria-label").or(element.attribute("title"))),
        name => (element.attribute("src")?, Some(name)),
    };
    let url = absolute(href, base)?;
    let label = label.map(str::trim).filter(|label| !label.is_empty() && label.len() <= MAX_LABEL);
    Some(Mark::Link { url, label: label.map(str::to_owned), local: href.trim_start().starts_with('#') })
}

/// A picture, in Markdown or as its description. A picture that says nothing and leads nowhere is left out.
pub(crate) fn image(element: &Element, base: &Url, markdown: bool) -> Option<String> {
    let pixel = |name| element.attribute(name).is_some_and(|size| matches!(size.trim(), "0" | "1" | "1px"));
    if pixel("width") || pixel("height") {
        return None;
    }
    let label: Vec<&str> = element.attribute("alt").unwrap_or_default().split_whitespace().collect();
    let label = label.join(" ");
    let label = caplet_tool_common::text::prefix(&label, MAX_LABEL);
    // Pages that load pictures late keep the address elsewhere.
    let sources = ["src", "data-src", "data-original"].into_iter().filter_map(|name| element.attribute(name));
    let url = sources.filter(|source| !source.trim().is_empty()).find_map(|source| absolute(source, base));
    match url {
        _ if !markdown => Some(label.to_owned()).filter(|label| !label.is_empty()),
        Some(url) => Some(format!("![{}]({})", label.replace(['[', ']', '|'], " "), escape::destination(&url))),
        None => Some(label.to_owned()).filter(|label| !label.is_empty()),
    }
}

/// An address as a whole, if it is one that leads somewhere.
fn absolute(address: &str, base: &Url) -> Option<String> {
    let url = base.join(address.trim()).ok()?;
    let leads = matches!(url.scheme(), "http" | "https" | "mailto" | "tel" | "ftp");
    (leads && url.as_str().len() <= MAX_ADDRESS).then(|| url.into())
}
