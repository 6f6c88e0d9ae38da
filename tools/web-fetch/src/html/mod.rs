//! HTML in, Markdown or text out.
//!
//! Everything takes time in proportion to the page's length and uses no recursion, whatever the page is; what comes out is bounded.

mod boilerplate;
mod escape;
mod inline;
mod links;
mod list;
mod parse;
mod sink;
mod table;
mod tree;
mod visible;
mod walk;
mod writer;

use url::Url;

use tree::{DOCUMENT, Data, Id, Tree};
use walk::Walk;
use writer::Writer;

/// Bytes of a page's title.
const MAX_TITLE: usize = 500;

/// How a page is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// As Markdown; else as text.
    pub(crate) markdown: bool,
    /// Only the content.
    pub(crate) main: bool,
    /// Bytes of what comes out, at most.
    pub(crate) max: usize,
}

/// A page as a reader sees it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    /// What a reader should know about it.
    pub(crate) notices: Vec<String>,
}

/// Reads a page that lies at `page`.
pub(crate) fn read(html: &str, page: &Url, style: Style) -> Read {
    let parsed = parse::parse(html);
    let tree = &parsed.tree;
    let base = links::base(tree, page);
    let mut notices = Vec::new();
    let content = if style.main { boilerplate::find(tree) } else { None };
    if style.main && content.is_none() {
        notices.push("No main content was found in the page: this is all of it.".to_owned());
    }
    let (root, boilerplate) = content.as_ref().map_or((DOCUMENT, None), |(root, left_out)| (*root, Some(left_out)));
    let writer = Writer::new(style.markdown, style.max);
    let (text, cut) = Walk::new(tree, &base, boilerplate, writer).run(root);
    if cut || parsed.cut {
        notices.push("The page is too large to be read whole: its end is left out.".to_owned());
    }
    if text.len() < 200 && scripts(tree) > 0 && html.len() > 2_000 {
        notices.push(
            "The page has almost no text of its own: it is probably built by scripts, which web-fetch does not run. \
             Look for an API or another address with the same content."
                .to_owned(),
        );
    }
    Read { title: title(tree), text, notices }
}

fn scripts(tree: &Tree) -> usize {
    tree.below(DOCUMENT).filter(|id| tree.tag(*id) == "script").count()
}

/// What the page calls itself: its `title`, or what it tells those who link to it.
fn title(tree: &Tree) -> Option<String> {
    let of_title = tree.below(DOCUMENT).find(|id| tree.tag(*id) == "title").map(|id| own_text(tree, id));
    let shared = || {
        let meta = tree.below(DOCUMENT).filter_map(|id| tree.element(id)).filter(|element| element.name() == "meta");
        meta.filter(|element| element.says("property", "og:title")).find_map(|element| element.attribute("content"))
    };
    let text = of_title.filter(|text| !text.trim().is_empty()).or_else(|| shared().map(str::to_owned))?;
    let text: Vec<&str> = text.split_whitespace().collect();
    let text = text.join(" ");
    Some(caplet_tool_common::text::prefix(&text, MAX_TITLE).to_owned()).filter(|text| !text.is_empty())
}

fn own_text(tree: &Tree, id: Id) -> String {
    let texts = tree.children(id).filter_map(|child| match tree.data(child) {
        Data::Text(text) => Some(text.as_str()),
        Data::Other | Data::Element(_) => None,
    });
    texts.collect()
}
