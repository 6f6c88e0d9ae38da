//! Lists and what stands before their items.

use super::tree::Element;

/// A list that is being read.
#[derive(Debug)]
pub(crate) struct List {
    /// The number of the next item, if they are numbered.
    next: Option<i64>,
    step: i64,
    began: bool,
}

impl List {
    pub(crate) fn new(element: &Element) -> Self {
        let numbered = element.name() == "ol";
        let step = if element.attribute("reversed").is_some() { -1 } else { 1 };
        Self { next: numbered.then(|| number(element, "start").unwrap_or(1)), step, began: false }
    }

    /// What stands before the next item, and whether there was one before it.
    pub(crate) fn item(&mut self, element: &Element) -> (String, bool) {
        let began = std::mem::replace(&mut self.began, true);
        let Some(next) = &mut self.next else { return ("- ".to_owned(), began) };
        let number = number(element, "value").unwrap_or(*next);
        *next = number.saturating_add(self.step);
        (format!("{number}. "), began)
    }
}

fn number(element: &Element, name: &str) -> Option<i64> {
    element.attribute(name)?.trim().parse().ok()
}
