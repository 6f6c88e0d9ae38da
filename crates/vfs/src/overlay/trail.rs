//! Going through a tree of any depth: without recursion, which would need as much of the stack, and without holding every directory
//! on the way, which would need as many of the host's handles.

/// How many directories on the way are held. Going back further walks down again from the top.
const HELD: usize = 64;

/// Where a walk is, and what it knows of the directories on the way.
#[derive(Debug)]
pub(super) struct Trail<L> {
    top: L,
    way: Vec<(String, Option<L>)>,
}

impl<L: Clone> Trail<L> {
    pub(super) fn new(top: L) -> Self {
        Self { top, way: Vec::new() }
    }

    /// Goes to `name` in the directory that is `depth` names below the top and on the way already. `step` finds a name in a
    /// directory, the same one each time.
    pub(super) fn go<E>(
        &mut self,
        depth: usize,
        name: &str,
        step: impl Fn(&L, &str, &str) -> Result<L, E>,
    ) -> Result<L, E> {
        self.way.truncate(depth);
        self.way.push((name.to_owned(), None));
        let known = self.way.iter().rposition(|(_, level)| level.is_some());
        let mut here = known.and_then(|at| self.way.get(at)?.1.clone()).unwrap_or_else(|| self.top.clone());
        let mut path = self.path(known.map_or(0, |at| at + 1));
        for at in known.map_or(0, |at| at + 1)..self.way.len() {
            let Some((name, level)) = self.way.get_mut(at) else { break };
            here = step(&here, &path, name)?;
            path = super::names::join(&path, name);
            *level = Some(here.clone());
        }
        let far = self.way.len().saturating_sub(HELD);
        self.way.iter_mut().take(far).for_each(|(_, level)| *level = None);
        Ok(here)
    }

    /// The names down to `depth` below the top.
    pub(super) fn path(&self, depth: usize) -> String {
        let names: Vec<&str> = self.way.iter().take(depth).map(|(name, _)| name.as_str()).collect();
        names.join("/")
    }
}
