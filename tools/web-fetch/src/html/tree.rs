//! The document tree: nodes in one vector, so that a tree of any shape is walked and dropped without recursion.
//!
//! Only what a reader needs is kept: elements with the attributes that [`KEPT`] lists, and text outside of scripts and styles.

use std::num::NonZeroU32;
use std::rc::Rc;

use html5ever::{LocalName, QualName, ns};

/// A node's place in the tree's vector, counted from 1: a link that may be missing takes no more than one that is there.
pub(crate) type Id = NonZeroU32;

/// The document node.
pub(crate) const DOCUMENT: Id = NonZeroU32::MIN;

/// Where in a vector what belongs to a node is.
pub(crate) fn index(id: Id) -> usize {
    id.get() as usize - 1
}

/// Attributes that are read here or by the tree builder, in order.
pub(crate) const KEPT: [&str; 37] = [
    "alt",
    "alttext",
    "aria-hidden",
    "aria-label",
    "charset",
    "checked",
    "class",
    "color",
    "colspan",
    "content",
    "data-lang",
    "data-language",
    "data-original",
    "data-src",
    "encoding",
    "face",
    "height",
    "hidden",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "open",
    "property",
    "rel",
    "reversed",
    "role",
    "rowspan",
    "size",
    "src",
    "start",
    "style",
    "title",
    "type",
    "value",
    "width",
];

/// What a node is.
#[derive(Debug)]
pub(crate) enum Data {
    /// The document, a comment, or anything else without content of its own.
    Other,
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
}

/// An element.
#[derive(Debug)]
pub(crate) struct Element {
    pub(super) name: Rc<QualName>,
    pub(super) attributes: Vec<(LocalName, Box<str>)>,
}

impl Element {
    /// Its name, in lower case.
    pub(crate) fn name(&self) -> &str {
        &self.name.local
    }

    /// Whether it is an element of HTML, as opposed to SVG or MathML.
    pub(crate) fn is_html(&self) -> bool {
        self.name.ns == ns!(html)
    }

    /// The value of an attribute of [`KEPT`].
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    /// Whether an attribute has this value, whatever the case.
    pub(crate) fn says(&self, name: &str, value: &str) -> bool {
        self.attribute(name).is_some_and(|found| found.trim().eq_ignore_ascii_case(value))
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: Option<Id>,
    pub(super) previous: Option<Id>,
    pub(super) next: Option<Id>,
    pub(super) first: Option<Id>,
    pub(super) last: Option<Id>,
    pub(super) depth: u32,
    pub(super) data: Data,
}

/// The tree, finished.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(super) nodes: Vec<Node>,
}

impl Tree {
    fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(index(id))
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn parent(&self, id: Id) -> Option<Id> {
        self.node(id)?.parent
    }

    pub(crate) fn next(&self, id: Id) -> Option<Id> {
        self.node(id)?.next
    }

    pub(crate) fn first(&self, id: Id) -> Option<Id> {
        self.node(id)?.first
    }

    pub(crate) fn data(&self, id: Id) -> &Data {
        self.node(id).map_or(&Data::Other, |node| &node.data)
    }

    pub(crate) fn element(&self, id: Id) -> Option<&Element> {
        match self.data(id) {
            Data::Element(element) => Some(element),
            Data::Other | Data::Text(_) => None,
        }
    }

    /// The name of an HTML element; empty for all else.
    pub(crate) fn tag(&self, id: Id) -> &str {
        self.element(id).filter(|element| element.is_html()).map_or("", Element::name)
    }

    pub(crate) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(self.first(id), |at| self.next(*at))
    }

    /// The nodes above, the nearest first.
    pub(crate) fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(self.parent(id), |at| self.parent(*at))
    }

    /// The node after `id` in the order of the document, within `root`; not a node inside `id` unless `inside`.
    pub(crate) fn following(&self, root: Id, id: Id, inside: bool) -> Option<Id> {
        if inside && let Some(child) = self.first(id) {
            return Some(child);
        }
        let mut at = id;
        while at != root {
            if let Some(next) = self.next(at) {
                return Some(next);
            }
            at = self.parent(at)?;
        }
        None
    }

    /// All nodes below `root`, in the order of the document.
    pub(crate) fn below(&self, root: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(self.following(root, root, true), move |at| self.following(root, *at, true))
    }
}
