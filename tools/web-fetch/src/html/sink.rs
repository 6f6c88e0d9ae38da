//! How html5ever builds the [`Tree`]: the tree builder's side of it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::{Attribute, LocalName, Namespace, QualName};

use super::tree::{DOCUMENT, Data, Element, Id, Node, Tree, index};

/// Elements whose text nobody reads.
const WITHOUT_TEXT: [&str; 7] = ["script", "style", "noscript", "iframe", "noembed", "noframes", "textarea"];

/// Names that are shared; HTML has about 110.
const MAX_NAMES: usize = 128;

/// The tree while html5ever builds it.
#[derive(Debug)]
pub(crate) struct Sink {
    nodes: RefCell<Vec<Node>>,
    last_depth: Cell<u32>,
    /// Names in use, so that elements of one name share it.
    names: RefCell<Vec<Rc<QualName>>>,
}

impl Sink {
    pub(crate) fn new() -> Self {
        let sink = Self { nodes: RefCell::new(Vec::new()), last_depth: Cell::new(0), names: RefCell::default() };
        sink.create(Data::Other);
        sink
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// How deep the element lies that was put into the tree last.
    pub(crate) fn last_depth(&self) -> u32 {
        self.last_depth.get()
    }

    fn shared(&self, name: QualName) -> Rc<QualName> {
        let mut names = self.names.borrow_mut();
        if let Some(known) = names.iter().find(|known| ***known == name) {
            return Rc::clone(known);
        }
        let name = Rc::new(name);
        if names.len() < MAX_NAMES {
            names.push(Rc::clone(&name));
        }
        name
    }

    fn create(&self, data: Data) -> Id {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { parent: None, previous: None, next: None, first: None, last: None, depth: 0, data });
        // The parser stops long before ids run out.
        u32::try_from(nodes.len()).ok().and_then(Id::new).unwrap_or(Id::MAX)
    }

    fn read<T>(&self, id: Id, read: impl FnOnce(&Node) -> Option<T>) -> Option<T> {
        self.nodes.borrow().get(index(id)).and_then(read)
    }

    fn change(&self, id: Option<Id>, change: impl FnOnce(&mut Node)) {
        if let Some(id) = id
            && let Some(node) = self.nodes.borrow_mut().get_mut(index(id))
        {
            change(node);
        }
    }

    fn detach(&self, id: Id) {
        let Some((parent, previous, next)) = self.read(id, |node| Some((node.parent?, node.previous, node.next)))
        else {
            return;
        };
        match previous {
            Some(_) => self.change(previous, |node| node.next = next),
            None => self.change(Some(parent), |node| node.first = next),
        }
        match next {
            Some(_) => self.change(next, |node| node.previous = previous),
            None => self.change(Some(parent), |node| node.last = previous),
        }
        self.change(Some(id), |node| (node.parent, node.previous, node.next) = (None, None, None));
    }

    /// Puts a node into `parent`, before `next` or else at its end.
    fn attach(&self, parent: Id, id: Id, next: Option<Id>) {
        self.detach(id);
        let depth = self.read(parent, |node| Some(node.depth)).unwrap_or(0).saturating_add(1);
        let previous = match next {
            Some(next) => self.read(next, |node| node.previous),
            None => self.read(parent, |node| node.last),
        };
        self.change(Some(id), |node| {
            (node.parent, node.previous, node.next, node.depth) = (Some(parent), previous, next, depth);
        });
        match previous {
            Some(_) => self.change(previous, |node| node.next = Some(id)),
            None => self.change(Some(parent), |node| node.first = Some(id)),
        }
        match next {
            Some(_) => self.change(next, |node| node.previous = Some(id)),
            None => self.change(Some(parent), |node| node.last = Some(id)),
        }
        self.last_depth.set(depth);
    }

    fn insert(&self, parent: Id, what: NodeOrText<Handle>, next: Option<Id>) {
        let text = match what {
            NodeOrText::AppendNode(node) => return self.attach(parent, node.id, next),
            NodeOrText::AppendText(text) => text,
        };
        let unread = |node: &Node| match &node.data {
            Data::Element(element) => Some(WITHOUT_TEXT.contains(&element.name())),
            Data::Other | Data::Text(_) => None,
        };
        if self.read(parent, unread) == Some(true) {
            return;
        }
        let previous = match next {
            Some(next) => self.read(next, |node| node.previous),
            None => self.read(parent, |node| node.last),
        };
        let mut merged = false;
        self.change(previous, |node| {
            if let Data::Text(before) = &mut node.data {
                before.push_str(&text);
                merged = true;
            }
        });
        if !merged {
            let depth = self.last_depth.get();
            let id = self.create(Data::Text(text.to_string()));
            self.attach(parent, id, next);
            // Only elements count.
            self.last_depth.set(depth);
        }
    }
}

/// A node as html5ever holds it: with its name, which the rules of HTML ask for more often than for anything else.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    id: Id,
    name: Rc<QualName>,
}

impl Handle {
    /// A node that is no element.
    fn nameless(id: Id) -> Self {
        Self { id, name: Rc::new(QualName::new(None, Namespace::default(), LocalName::default())) }
    }
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Tree;
    type ElemName<'a> = &'a QualName;

    fn finish(self) -> Tree {
        Tree { nodes: self.nodes.into_inner() }
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        Handle::nameless(DOCUMENT)
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> &'a QualName {
        &target.name
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Handle {
        let attributes = attributes.into_iter().map(|known| (known.name.local, Box::from(&*known.value))).collect();
        let name = self.shared(name);
        Handle { id: self.create(Data::Element(Element { name: Rc::clone(&name), attributes })), name }
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        Handle::nameless(self.create(Data::Other))
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        Handle::nameless(self.create(Data::Other))
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.insert(parent.id, child, None);
    }

    fn append_based_on_parent_node(&self, element: &Handle, previous: &Handle, child: NodeOrText<Handle>) {
        match self.read(element.id, |node| node.parent) {
            Some(parent) => self.insert(parent, child, Some(element.id)),
            None => self.insert(previous.id, child, None),
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Handle) -> Handle {
        // What is in a template is never shown, so it may lie below the template itself.
        target.clone()
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        one.id == other.id
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, new: NodeOrText<Handle>) {
        if let Some(parent) = self.read(sibling.id, |node| node.parent) {
            self.insert(parent, new, Some(sibling.id));
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, attributes: Vec<Attribute>) {
        self.change(Some(target.id), |node| {
            let Data::Element(element) = &mut node.data else { return };
            for known in attributes {
                if element.attribute(&known.name.local).is_none() {
                    element.attributes.push((known.name.local, Box::from(&*known.value)));
                }
            }
        });
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.id);
    }

    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        while let Some(child) = self.read(node.id, |node| node.first) {
            self.attach(new_parent.id, child, None);
        }
    }
}
