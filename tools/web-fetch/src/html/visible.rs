//! What of a page is seen: scripts, form fields and hidden elements are not.

use super::tree::{Element, Id, Tree};

/// Elements of HTML that hold no text of the page.
const UNSEEN: [&str; 34] = [
    "applet", "area", "base", "canvas", "col", "colgroup", "datalist", "embed", "frame", "frameset", "head", "iframe",
    "input", "link", "map", "meta", "meter", "noembed", "noframes", "noscript", "object", "optgroup", "option",
    "param", "progress", "script", "select", "source", "style", "template", "textarea", "title", "track", "wbr",
];

/// Whether this node and all below it is left out.
pub(crate) fn is_unseen(tree: &Tree, id: Id) -> bool {
    let Some(element) = tree.element(id) else { return false };
    if !element.is_html() {
        // Of what is drawn only formulas can be read.
        return element.name() != "math";
    }
    UNSEEN.binary_search(&element.name()).is_ok() || is_hidden(element)
}

fn is_hidden(element: &Element) -> bool {
    // `until-found` is shown when a reader looks for it.
    let hidden = element.attribute("hidden").is_some() && !element.says("hidden", "until-found");
    hidden
        || element.says("aria-hidden", "true")
        || (element.name() == "dialog" && element.attribute("open").is_none())
        || element.attribute("style").is_some_and(hides)
}

fn hides(style: &str) -> bool {
    style.split(';').any(|declaration| {
        let Some((property, value)) = declaration.split_once(':') else { return false };
        let value = value.trim().trim_end_matches("!important").trim_end();
        match property.trim() {
            property if property.eq_ignore_ascii_case("display") => value.eq_ignore_ascii_case("none"),
            property if property.eq_ignore_ascii_case("visibility") => value.eq_ignore_ascii_case("hidden"),
            _ => false,
        }
    })
}

/// The language of a block of code, as its page names it; empty if it does not.
pub(crate) fn language(tree: &Tree, pre: Id) -> String {
    let inside = tree.children(pre).find(|child| tree.tag(*child) == "code");
    let around = tree.ancestors(pre).take(2).filter(|id| matches!(tree.tag(*id), "div" | "figure"));
    let named = inside.into_iter().chain([pre]).chain(around);
    named.filter_map(|id| named_language(tree.element(id)?)).next().unwrap_or_default()
}

fn named_language(element: &Element) -> Option<String> {
    let given = ["data-lang", "data-language"].into_iter().find_map(|name| element.attribute(name));
    let class = element.attribute("class").unwrap_or_default();
    let prefixes = ["language-", "lang-", "highlight-source-", "highlight-", "brush:"];
    let of_class =
        class.split_whitespace().find_map(|word| prefixes.iter().find_map(|prefix| word.strip_prefix(prefix)));
    let language = given.or(of_class)?.trim().to_ascii_lowercase();
    let plain = matches!(language.as_str(), "no" | "none" | "text" | "plain" | "plaintext" | "default" | "notranslate");
    let sound =
        language.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'#' | b'_' | b'.'));
    (!plain && sound && !language.is_empty() && language.len() <= 32).then_some(language)
}

/// A task's box in a list, the one form field that is read.
pub(crate) fn is_checkbox(element: &Element) -> bool {
    element.name() == "input" && element.says("type", "checkbox")
}

/// Whether an element of this name stands on lines of its own, and has no other meaning here.
pub(crate) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "body"
            | "caption"
            | "center"
            | "details"
            | "dialog"
            | "div"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "footer"
            | "form"
            | "header"
            | "hgroup"
            | "html"
            | "legend"
            | "main"
            | "nav"
            | "search"
            | "section"
            | "summary"
            | "tbody"
            | "tfoot"
            | "thead"
            | "tr"
    )
}
