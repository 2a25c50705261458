//! A counted B+tree in an arena: each inner node knows how many entries lie below each child, so the
//! rank of an entry is a sum along one descent.
//!
//! ```text
//!              ┌ 40 │ 55 │ 33 ┐                rank = 40 + 55 + 24 + its place in the leaf
//!        ┌─────┘    │    └──────────┐
//!   ┌ … │ … ┐  ┌ … │ … ┐   ┌ 24 │ 9 ┐
//!                          …   │   …
//!                        [ leaf ]──▶[ leaf ]──▶   leaves are chained: pages walk along
//! ```
//!
//! Two million entries lie five levels deep. Nodes are split and settled on the way down, so each
//! change is one descent without a way back. Every node but the root is at least three eighths full, which
//! bounds the arena: its memory is taken at start, nodes come from it and go back, and it never grows.

use crate::arena::Arena;

use super::key::Key;
use super::node::{Inner, Leaf, Node, Settled, LEAST, NOBODY, WIDTH};

/// Where an insertion ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inserted {
    /// How many entries are before it.
    pub before: u32,
    /// The entry just before it; nothing where that lies in another leaf, or nowhere.
    pub neighbour: Option<Key>,
}

/// The entries of a board, in order.
pub(super) struct Tree {
    pub leaves: Arena<Leaf>,
    pub inners: Arena<Inner>,
    free_leaf: u32,
    free_inner: u32,
    /// Nodes from here on were never taken since the last clearing.
    used_leaves: u32,
    used_inners: u32,
    root: u32,
    /// Levels of inner nodes above the leaves.
    height: u32,
    len: u32,
}

impl Tree {
    /// How many leaves and inner nodes `entries` entries can ever need.
    fn nodes(entries: u32) -> (usize, usize) {
        let leaves = entries as usize / LEAST + 2;
        let (mut level, mut inners) = (leaves, 0);
        while level > 1 {
            level = level / LEAST + 1;
            inners += level + 1;
        }
        (leaves, inners)
    }

    /// Bytes of the arena for so many entries.
    pub fn bytes(entries: u32) -> u64 {
        let (leaves, inners) = Tree::nodes(entries);
        (leaves * size_of::<Leaf>() + inners * size_of::<Inner>()) as u64
    }

    /// An empty tree with room for `entries`; `None` where there is no memory for it.
    pub fn new(entries: u32) -> Option<Tree> {
        let (leaf_count, inner_count) = Tree::nodes(entries);
        let mut tree = Tree {
            leaves: Arena::new(leaf_count).ok()?,
            inners: Arena::new(inner_count).ok()?,
            free_leaf: NOBODY,
            free_inner: NOBODY,
            used_leaves: 0,
            used_inners: 0,
            root: 0,
            height: 0,
            len: 0,
        };
        tree.clear();
        Some(tree)
    }

    /// Forgets all entries, however many, in one step: all nodes count as unused again.
    pub fn clear(&mut self) {
        (self.free_leaf, self.free_inner) = (NOBODY, NOBODY);
        (self.used_leaves, self.used_inners) = (0, 0);
        (self.height, self.len) = (0, 0);
        self.root = self.take_leaf();
    }

    /// How many entries there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// How many entries are before `key`, which may be in the tree or not.
    pub fn before(&self, key: Key) -> u32 {
        let (mut node, mut before) = (self.root, 0);
        for _ in 0..self.height {
            let inner = &self.inners[node as usize];
            let at = inner.child_of(key);
            before += inner.before(at);
            node = inner.children[at];
        }
        before + self.leaves[node as usize].place(key) as u32
    }

    /// Adds an entry whose key is not in the tree. There must be room: [`Tree::len`] below the budget.
    pub fn insert(&mut self, key: Key, player: u32) -> Inserted {
        if self.width(self.root, self.height) == WIDTH {
            self.raise_root();
        }
        let (mut node, mut before) = (self.root, 0);
        for level in (0..self.height).rev() {
            let mut at = self.inners[node as usize].child_of(key);
            let child = self.inners[node as usize].children[at];
            if self.width(child, level) == WIDTH {
                self.split_child(node, at, level);
                at = self.inners[node as usize].child_of(key);
            }
            let inner = &mut self.inners[node as usize];
            before += inner.before(at);
            inner.counts[at] += 1;
            node = inner.children[at];
        }
        let leaf = &mut self.leaves[node as usize];
        let at = leaf.place(key);
        leaf.insert(at, key, player);
        self.len += 1;
        Inserted {
            before: before + at as u32,
            neighbour: at.checked_sub(1).map(|at| leaf.keys[at]),
        }
    }

    /// Takes out an entry that is in the tree; returns how many were before it.
    pub fn remove(&mut self, key: Key) -> u32 {
        let (mut node, mut before) = (self.root, 0);
        for level in (0..self.height).rev() {
            let mut at = self.inners[node as usize].child_of(key);
            let child = self.inners[node as usize].children[at];
            if self.width(child, level) <= LEAST {
                self.settle_child(node, at, level);
                at = self.inners[node as usize].child_of(key);
            }
            let inner = &mut self.inners[node as usize];
            before += inner.before(at);
            inner.counts[at] -= 1;
            node = inner.children[at];
        }
        let leaf = &mut self.leaves[node as usize];
        let at = leaf.place(key);
        debug_assert_eq!(
            leaf.keys[at], key,
            "the table of scores and the tree disagree"
        );
        leaf.remove(at);
        self.len -= 1;
        self.lower_root();
        before + at as u32
    }

    /// Gives an entry that is in the tree a new key, if that belongs into the same leaf: one descent
    /// instead of two, which is what most small changes of a score need. Returns how many were before
    /// it, and where it is now; nothing where the leaf is another one.
    pub fn shift(&mut self, old: Key, new: Key) -> Option<(u32, Inserted)> {
        let (mut node, mut before) = (self.root, 0);
        for _ in 0..self.height {
            let inner = &self.inners[node as usize];
            let at = inner.child_of(old);
            if at != inner.child_of(new) {
                return None;
            }
            before += inner.before(at);
            node = inner.children[at];
        }
        let leaf = &mut self.leaves[node as usize];
        let (from, to) = leaf.shift(old, new);
        let inserted = Inserted {
            before: before + to as u32,
            neighbour: to.checked_sub(1).map(|at| leaf.keys[at]),
        };
        Some((before + from as u32, inserted))
    }

    /// The entries from the one with `before` others before it on.
    pub fn from(&self, before: u32) -> impl Iterator<Item = (Key, u32)> + '_ {
        let (mut node, mut left) = (self.root, before.min(self.len));
        for _ in 0..self.height {
            let inner = &self.inners[node as usize];
            let mut at = 0;
            while at + 1 < inner.len() && left >= inner.counts[at] {
                left -= inner.counts[at];
                at += 1;
            }
            node = inner.children[at];
        }
        let mut at = left as usize;
        std::iter::from_fn(move || loop {
            let leaf = self.leaves.get(node as usize)?;
            if at < leaf.len() {
                at += 1;
                return Some((leaf.keys[at - 1], leaf.players[at - 1]));
            }
            (node, at) = (leaf.next, 0);
        })
    }

    /// Entries or children of a node that lies on `level`; leaves are on level 0.
    fn width(&self, node: u32, level: u32) -> usize {
        match level {
            0 => self.leaves[node as usize].len(),
            _ => self.inners[node as usize].len(),
        }
    }

    /// Puts a new root above the old one, which is then a child like any other.
    fn raise_root(&mut self) {
        let root = self.take_inner();
        self.inners[root as usize].insert(0, Key::ZERO, self.root, self.len);
        self.root = root;
        self.height += 1;
    }

    /// Drops roots that have only one child.
    fn lower_root(&mut self) {
        while self.height > 0 && self.inners[self.root as usize].len() == 1 {
            let old = self.root;
            self.root = self.inners[old as usize].children[0];
            self.height -= 1;
            self.free_inner(old);
        }
    }

    /// Splits the full child `at` of an inner node, which has room.
    fn split_child(&mut self, node: u32, at: usize, level: u32) {
        let child = self.inners[node as usize].children[at];
        let (right, low, count) = if level == 0 {
            let right = self.take_leaf();
            let (old, new) = two(&mut self.leaves, child, right);
            (right, old.split(new, right), new.len)
        } else {
            let right = self.take_inner();
            let (old, new) = two(&mut self.inners, child, right);
            (right, old.split(new), new.total())
        };
        let inner = &mut self.inners[node as usize];
        inner.counts[at] -= count;
        inner.insert(at + 1, low, right, count);
    }

    /// Brings the child `at` above the least width, with the help of a neighbour.
    fn settle_child(&mut self, node: u32, at: usize, level: u32) {
        let inner = &self.inners[node as usize];
        let left_at = if at + 1 < inner.len() { at } else { at - 1 };
        let (left, right) = (inner.children[left_at], inner.children[left_at + 1]);
        let (low, both) = (
            inner.keys[left_at + 1],
            inner.counts[left_at] + inner.counts[left_at + 1],
        );
        let (settled, right_count) = if level == 0 {
            let (left, right) = two(&mut self.leaves, left, right);
            (left.settle(right), right.len)
        } else {
            let (left, right) = two(&mut self.inners, left, right);
            (left.settle(right, low), right.total())
        };
        let inner = &mut self.inners[node as usize];
        inner.counts[left_at] = both - right_count;
        match settled {
            Settled::Shared(low) => {
                (inner.keys[left_at + 1], inner.counts[left_at + 1]) = (low, right_count);
            }
            Settled::Merged => {
                inner.remove(left_at + 1);
                match level {
                    0 => self.free_leaf(right),
                    _ => self.free_inner(right),
                }
            }
        }
    }

    fn take_leaf(&mut self) -> u32 {
        let number = match self.free_leaf {
            NOBODY => {
                self.used_leaves += 1;
                self.used_leaves - 1
            }
            free => free,
        };
        let leaf = &mut self.leaves[number as usize];
        if number == self.free_leaf {
            self.free_leaf = leaf.next;
        }
        (leaf.len, leaf.next) = (0, NOBODY);
        number
    }

    fn take_inner(&mut self) -> u32 {
        let number = match self.free_inner {
            NOBODY => {
                self.used_inners += 1;
                self.used_inners - 1
            }
            free => free,
        };
        let inner = &mut self.inners[number as usize];
        if number == self.free_inner {
            self.free_inner = inner.children[0];
        }
        inner.len = 0;
        number
    }

    fn free_leaf(&mut self, number: u32) {
        let leaf = &mut self.leaves[number as usize];
        (leaf.len, leaf.next) = (0, self.free_leaf);
        self.free_leaf = number;
    }

    fn free_inner(&mut self, number: u32) {
        let inner = &mut self.inners[number as usize];
        (inner.len, inner.children[0]) = (0, self.free_inner);
        self.free_inner = number;
    }
}

/// Two different nodes at once.
fn two<T>(nodes: &mut [T], first: u32, second: u32) -> (&mut T, &mut T) {
    let (first, second) = (first as usize, second as usize);
    if first < second {
        let (low, high) = nodes.split_at_mut(second);
        (&mut low[first], &mut high[0])
    } else {
        let (low, high) = nodes.split_at_mut(first);
        (&mut high[0], &mut low[second])
    }
}

#[cfg(test)]
impl Tree {
    /// Checks the laws of the tree: order, widths, counts, and that no node is lost.
    pub fn check(&self) {
        let (mut leaves, mut inners) = (0, 0);
        let entries = self.check_node(
            self.root,
            self.height,
            (Key::ZERO, None),
            &mut leaves,
            &mut inners,
        );
        assert_eq!(entries, self.len);
        let (mut free, mut free_leaves) = (self.free_leaf, 0);
        while free != NOBODY {
            (free, free_leaves) = (self.leaves[free as usize].next, free_leaves + 1);
        }
        let (mut free, mut free_inners) = (self.free_inner, 0);
        while free != NOBODY {
            (free, free_inners) = (self.inners[free as usize].children[0], free_inners + 1);
        }
        assert_eq!(
            (leaves + free_leaves, inners + free_inners),
            (self.used_leaves, self.used_inners)
        );
    }

    fn check_node(
        &self,
        node: u32,
        level: u32,
        (low, high): (Key, Option<Key>),
        leaves: &mut u32,
        inners: &mut u32,
    ) -> u32 {
        let is_root = node == self.root && level == self.height;
        assert!(is_root || self.width(node, level) >= LEAST);
        if level == 0 {
            *leaves += 1;
            let keys = &self.leaves[node as usize].keys[..self.width(node, 0)];
            assert!(keys.is_sorted());
            assert!(keys
                .iter()
                .all(|key| *key >= low && high.is_none_or(|high| *key < high)));
            return keys.len() as u32;
        }
        *inners += 1;
        let inner = &self.inners[node as usize];
        assert!(inner.len() >= 2);
        for at in 0..inner.len() {
            let own_low = if at == 0 { low } else { inner.keys[at] };
            let own_high = (at + 1 < inner.len()).then(|| inner.keys[at + 1]).or(high);
            let range = (own_low, own_high);
            let entries = self.check_node(inner.children[at], level - 1, range, leaves, inners);
            assert_eq!(entries, inner.counts[at]);
        }
        inner.total()
    }
}
