//! The two kinds of node of the counted tree, and what neighbours do with each other.
//!
//! ```text
//!  inner   keys     │ – │ k1 │ k2 │ …      child i holds keys from k(i) on and below k(i + 1)
//!          children │ c0│ c1 │ c2 │ …
//!          counts   │ n0│ n1 │ n2 │ …      entries below each child: what makes ranks cheap
//!  leaf    keys     │ a │ b  │ c  │ …      in order
//!          players  │ p │ q  │ r  │ …      next: the leaf behind this one
//! ```
//!
//! `keys[0]` of an inner node is never compared: the first child takes whatever is below `keys[1]`.

use bytemuck::Zeroable;

use super::key::Key;

/// The most entries of a leaf, and children of an inner node.
pub(super) const WIDTH: usize = 64;
/// The fewest that a node keeps, unless it is the root.
pub(super) const LEAST: usize = WIDTH * 3 / 8;
/// Neighbours with so many together become one node; one more, and they share evenly.
const MERGE: usize = WIDTH * 7 / 8;
/// No node.
pub(super) const NOBODY: u32 = u32::MAX;

/// A node that holds entries.
#[derive(Clone, Copy, Zeroable)]
pub(super) struct Leaf {
    pub keys: [Key; WIDTH],
    pub players: [u32; WIDTH],
    pub len: u32,
    /// The leaf behind this one; of a free leaf, the next free one.
    pub next: u32,
}

/// A node that holds nodes.
#[derive(Clone, Copy, Zeroable)]
pub(super) struct Inner {
    pub keys: [Key; WIDTH],
    pub children: [u32; WIDTH],
    pub counts: [u32; WIDTH],
    pub len: u32,
}

/// What became of two neighbours.
pub(super) enum Settled {
    /// The right one is empty now.
    Merged,
    /// Both live; the right one begins with this key.
    Shared(Key),
}

/// What leaves and inner nodes have in common.
pub(super) trait Node: Sized {
    /// A node without entries or children.
    const EMPTY: Self;

    /// How many entries or children it has.
    fn len(&self) -> usize;

    /// Moves what it has from `at` on to the end of `other`.
    fn pour(&mut self, at: usize, other: &mut Self);
}

impl Node for Leaf {
    const EMPTY: Leaf = Leaf {
        keys: [Key::ZERO; WIDTH],
        players: [0; WIDTH],
        len: 0,
        next: NOBODY,
    };

    fn len(&self) -> usize {
        self.len as usize
    }

    fn pour(&mut self, at: usize, other: &mut Leaf) {
        let (len, room) = (self.len(), other.len());
        let count = len - at;
        other.keys[room..room + count].copy_from_slice(&self.keys[at..len]);
        other.players[room..room + count].copy_from_slice(&self.players[at..len]);
        other.len += count as u32;
        self.len -= count as u32;
    }
}

impl Node for Inner {
    const EMPTY: Inner = Inner {
        keys: [Key::ZERO; WIDTH],
        children: [NOBODY; WIDTH],
        counts: [0; WIDTH],
        len: 0,
    };

    fn len(&self) -> usize {
        self.len as usize
    }

    fn pour(&mut self, at: usize, other: &mut Inner) {
        let (len, room) = (self.len(), other.len());
        let count = len - at;
        other.keys[room..room + count].copy_from_slice(&self.keys[at..len]);
        other.children[room..room + count].copy_from_slice(&self.children[at..len]);
        other.counts[room..room + count].copy_from_slice(&self.counts[at..len]);
        other.len += count as u32;
        self.len -= count as u32;
    }
}

/// Makes two neighbours one, or lets them share evenly; says whether they are one now, and the right
/// one is empty.
fn even_out<N: Node>(left: &mut N, right: &mut N) -> bool {
    let all = left.len() + right.len();
    if all <= MERGE {
        right.pour(0, left);
        return true;
    }
    let half = all / 2;
    let mut tail = N::EMPTY;
    if left.len() > half {
        left.pour(half, &mut tail);
        right.pour(0, &mut tail);
    } else {
        right.pour(half - left.len(), &mut tail);
        right.pour(0, left);
    }
    *right = tail;
    false
}

impl Leaf {
    /// How many entries are before `key`.
    #[inline]
    pub fn place(&self, key: Key) -> usize {
        self.keys[..self.len()].partition_point(|other| *other < key)
    }

    #[inline]
    pub fn insert(&mut self, at: usize, key: Key, player: u32) {
        let len = self.len();
        self.keys.copy_within(at..len, at + 1);
        self.players.copy_within(at..len, at + 1);
        (self.keys[at], self.players[at]) = (key, player);
        self.len += 1;
    }

    #[inline]
    pub fn remove(&mut self, at: usize) {
        let len = self.len();
        self.keys.copy_within(at + 1..len, at);
        self.players.copy_within(at + 1..len, at);
        self.len -= 1;
    }

    /// Gives the entry with the key `old` another one; returns where it was and where it is.
    pub fn shift(&mut self, old: Key, new: Key) -> (usize, usize) {
        let (from, to) = (self.place(old), self.place(new));
        let player = self.players[from];
        let to = if from < to {
            self.keys.copy_within(from + 1..to, from);
            self.players.copy_within(from + 1..to, from);
            to - 1
        } else {
            self.keys.copy_within(to..from, to + 1);
            self.players.copy_within(to..from, to + 1);
            to
        };
        (self.keys[to], self.players[to]) = (new, player);
        (from, to)
    }

    /// Cuts the upper half off into `right`, which must be empty; returns its first key.
    pub fn split(&mut self, right: &mut Leaf, right_number: u32) -> Key {
        self.pour(self.len() / 2, right);
        right.next = self.next;
        self.next = right_number;
        right.keys[0]
    }

    /// Makes two neighbours one, or lets them share evenly.
    pub fn settle(&mut self, right: &mut Leaf) -> Settled {
        let behind = right.next;
        if even_out(self, right) {
            self.next = behind;
            return Settled::Merged;
        }
        right.next = behind;
        Settled::Shared(right.keys[0])
    }
}

impl Inner {
    /// Which child `key` belongs to.
    #[inline]
    pub fn child_of(&self, key: Key) -> usize {
        self.keys[1..self.len()].partition_point(|low| *low <= key)
    }

    /// Entries below the children before `at`.
    #[inline]
    pub fn before(&self, at: usize) -> u32 {
        self.counts[..at].iter().sum()
    }

    /// Entries below the node.
    pub fn total(&self) -> u32 {
        self.before(self.len())
    }

    pub fn insert(&mut self, at: usize, key: Key, child: u32, count: u32) {
        let len = self.len();
        self.keys.copy_within(at..len, at + 1);
        self.children.copy_within(at..len, at + 1);
        self.counts.copy_within(at..len, at + 1);
        (self.keys[at], self.children[at], self.counts[at]) = (key, child, count);
        self.len += 1;
    }

    pub fn remove(&mut self, at: usize) {
        let len = self.len();
        self.keys.copy_within(at + 1..len, at);
        self.children.copy_within(at + 1..len, at);
        self.counts.copy_within(at + 1..len, at);
        self.len -= 1;
    }

    /// Cuts the upper half off into `right`, which must be empty; returns where it begins.
    pub fn split(&mut self, right: &mut Inner) -> Key {
        self.pour(self.len() / 2, right);
        right.keys[0]
    }

    /// As [`Leaf::settle`]; `low` is where the right one begins.
    pub fn settle(&mut self, right: &mut Inner, low: Key) -> Settled {
        right.keys[0] = low;
        match even_out(self, right) {
            true => Settled::Merged,
            false => Settled::Shared(right.keys[0]),
        }
    }
}
