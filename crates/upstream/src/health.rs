//! Who is up.

/// A view of node health, asked during a pick: it must answer from memory.
pub trait Health {
    /// Whether the node at this index of the balancer's list may be picked.
    fn healthy(&self, node: usize) -> bool;
}

/// The view where nothing is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllHealthy;

impl Health for AllHealthy {
    fn healthy(&self, _node: usize) -> bool {
        true
    }
}

impl<F: Fn(usize) -> bool> Health for F {
    fn healthy(&self, node: usize) -> bool {
        self(node)
    }
}
