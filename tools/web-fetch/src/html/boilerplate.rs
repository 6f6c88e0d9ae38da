//! What of a page is its content, and what stands around it on every page of a site.
//!
//! A page that marks its content (`main`, `article`) is believed. Of others the element is taken in which most of the text stands in
//! paragraphs and not in links. All is counted in two passes over the nodes.

use super::tree::{DOCUMENT, Data, Element, Id, Tree, index};
use super::visible::is_unseen;

/// Bytes of text that a marked element needs to be believed.
const MIN_TEXT: u32 = 200;
/// Bytes of text from which on a paragraph counts.
const MIN_PARAGRAPH: u32 = 25;

/// Nodes of a header that are looked at for the page's title.
const MAX_HEADER: usize = 500;

/// Words in `class` and `id` of what is no content.
const WORDS: [&str; 36] = [
    "ad",
    "ads",
    "adsbygoogle",
    "advert",
    "advertisement",
    "advertising",
    "banner",
    "breadcrumb",
    "breadcrumbs",
    "catlinks",
    "comments",
    "consent",
    "cookie",
    "cookies",
    "disqus",
    "editsection",
    "footer",
    "gdpr",
    "masthead",
    "menu",
    "modal",
    "nav",
    "navbar",
    "navbox",
    "navigation",
    "newsletter",
    "outbrain",
    "pagination",
    "popup",
    "promo",
    "related",
    "share",
    "sidebar",
    "social",
    "sponsored",
    "taboola",
];

/// How much text a node holds, in bytes without white space, and how much of it in links.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    text: u32,
    links: u32,
}

/// The nodes that are left out.
#[derive(Debug)]
pub(crate) struct Boilerplate {
    /// By node.
    skipped: Vec<bool>,
}

impl Boilerplate {
    pub(crate) fn holds(&self, id: Id) -> bool {
        self.skipped.get(index(id)).copied().unwrap_or(false)
    }
}

/// The element that holds the content, and what to leave out in it. `None` if the page has no content to speak of.
pub(crate) fn find(tree: &Tree) -> Option<(Id, Boilerplate)> {
    let weights = weigh(tree);
    let weight = |id: Id| weights.get(index(id)).copied().unwrap_or_default();
    let all = weight(DOCUMENT).text;
    let root = marked(tree, &weight, all).or_else(|| best(tree, &weight)).unwrap_or(DOCUMENT);
    let content = weight(root).text;
    let mut skipped = vec![false; tree.len()];
    for id in tree.below(root) {
        let Some(element) = tree.element(id).filter(|element| element.is_html()) else { continue };
        // What holds most of the text is content, whatever it is called.
        if weight(id).text <= content / 2
            && is_boilerplate(tree, id, element)
            && let Some(skipped) = skipped.get_mut(index(id))
        {
            *skipped = true;
        }
    }
    (content > 0).then_some((root, Boilerplate { skipped }))
}

/// Counts bottom up: a node is complete when the walk leaves it.
fn weigh(tree: &Tree) -> Vec<Weight> {
    let mut weights = vec![Weight::default(); tree.len()];
    let mut at = DOCUMENT;
    loop {
        let unseen = is_unseen(tree, at);
        if let Data::Text(text) = tree.data(at)
            && let Some(weight) = weights.get_mut(index(at))
        {
            let bytes = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).count();
            weight.text = u32::try_from(bytes).unwrap_or(u32::MAX);
        }
        if let Some(child) = tree.first(at).filter(|_| !unseen) {
            at = child;
            continue;
        }
        loop {
            let Some(parent) = tree.parent(at) else { return weights };
            add(tree, &mut weights, at, parent);
            if let Some(next) = tree.next(at) {
                at = next;
                break;
            }
            at = parent;
        }
    }
}

fn add(tree: &Tree, weights: &mut [Weight], id: Id, parent: Id) {
    let Some(mut weight) = weights.get(index(id)).copied() else { return };
    if tree.tag(id) == "a" {
        weight.links = weight.text;
    }
    if let Some(above) = weights.get_mut(index(parent)) {
        above.text = above.text.saturating_add(weight.text);
        above.links = above.links.saturating_add(weight.links);
    }
}

/// The element that the page itself calls its content.
fn marked(tree: &Tree, weight: &impl Fn(Id) -> Weight, all: u32) -> Option<Id> {
    let enough = |id: &Id| weight(*id).text >= MIN_TEXT.min(all / 4).max(1);
    let is_main =
        |id: &Id| tree.tag(*id) == "main" || tree.element(*id).is_some_and(|element| element.says("role", "main"));
    let heaviest = |ids: &mut dyn Iterator<Item = Id>| ids.max_by_key(|id| weight(*id).text);
    if let Some(main) = heaviest(&mut tree.below(DOCUMENT).filter(is_main).filter(enough)) {
        return Some(main);
    }
    let article = heaviest(&mut tree.below(DOCUMENT).filter(|id| tree.tag(*id) == "article").filter(enough))?;
    // One article among many is a teaser.
    (weight(article).text >= all / 3).then_some(article)
}

/// The element that most of the paragraphs stand in: each counts for its parent, and by half for the one above.
fn best(tree: &Tree, weight: &impl Fn(Id) -> Weight) -> Option<Id> {
    let mut scores = vec![0_u64; tree.len()];
    for id in tree.below(DOCUMENT) {
        let held = weight(id);
        if !matches!(tree.tag(id), "p" | "pre" | "blockquote" | "ul" | "ol" | "dl" | "table")
            || held.text < MIN_PARAGRAPH
        {
            continue;
        }
        let plain = u64::from(held.text.saturating_sub(held.links.saturating_mul(2)));
        for (above, share) in tree.ancestors(id).zip([plain, plain / 2]) {
            if let Some(score) = scores.get_mut(index(above)) {
                *score = score.saturating_add(share);
            }
        }
    }
    let best = tree.below(DOCUMENT).max_by_key(|id| scores.get(index(*id)))?;
    scores.get(index(best)).filter(|score| **score >= u64::from(MIN_TEXT)).map(|_| best)
}

fn is_boilerplate(tree: &Tree, id: Id, element: &Element) -> bool {
    let of_page = matches!(element.name(), "nav" | "aside" | "footer" | "dialog" | "menu" | "button" | "search");
    // A header inside an article has its title.
    let header =
        || element.name() == "header" && !tree.below(id).take(MAX_HEADER).any(|inside| tree.tag(inside) == "h1");
    let role = element.attribute("role").map(str::trim).unwrap_or_default();
    let by_role =
        matches!(role, "navigation" | "banner" | "contentinfo" | "complementary" | "search" | "dialog" | "alertdialog");
    let sectioning = matches!(element.name(), "div" | "section" | "ul" | "ol" | "span" | "table" | "form" | "header");
    of_page || by_role || header() || (sectioning && is_named_so(element))
}

fn is_named_so(element: &Element) -> bool {
    let names = ["class", "id"].into_iter().filter_map(|name| element.attribute(name));
    names.flat_map(str::split_whitespace).any(|name| {
        let mut words = name.split(['-', '_']).map(str::to_ascii_lowercase);
        // `has-sidebar` and the like say something about the page, not about the element.
        let first = name.split(['-', '_']).next().unwrap_or_default();
        !matches!(first, "has" | "with" | "no" | "without" | "is")
            && words.any(|word| WORDS.binary_search(&&*word).is_ok())
    })
}
