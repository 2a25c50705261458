//! The largest part of a network in which every node reaches every other.
//!
//! A map cut out of a larger one has islands, and one-way streets that lead out and never back. A
//! player on those could get stuck, so only the largest strongly connected part is kept (Kosaraju:
//! order the nodes by when a depth-first walk leaves them, then walk the reversed arcs in that order).
//! The walks use a stack of their own: a city is deeper than the thread's stack.

use super::build::RawArc;

/// One flag per node: whether it belongs to the largest part. Of two equally large parts, the one
/// with the first node in this order wins.
pub(super) fn largest_part(nodes: usize, arcs: &[RawArc]) -> Vec<bool> {
    let forward = Neighbours::new(nodes, arcs.iter().map(|arc| (arc.from, arc.to)));
    let backward = Neighbours::new(nodes, arcs.iter().map(|arc| (arc.to, arc.from)));

    let part_of = parts(&backward, leaving_order(&forward).into_iter().rev());
    let mut sizes = vec![0_u32; nodes];
    for &part in &part_of {
        sizes[part as usize] += 1;
    }
    let largest = part_of.iter().copied().reduce(|best, part| {
        if sizes[part as usize] > sizes[best as usize] {
            part
        } else {
            best
        }
    });
    part_of.iter().map(|&part| Some(part) == largest).collect()
}

/// Bare adjacency: who is reached from where.
struct Neighbours {
    first: Vec<u32>,
    to: Vec<u32>,
}

impl Neighbours {
    fn new(nodes: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Neighbours {
        let mut first = vec![0_u32; nodes + 1];
        for (from, _) in pairs.clone() {
            first[from as usize + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let mut next = first.clone();
        let mut to = vec![0; first[nodes] as usize];
        for (from, reached) in pairs {
            to[next[from as usize] as usize] = reached;
            next[from as usize] += 1;
        }
        Neighbours { first, to }
    }
}

/// Nodes in the order in which a depth-first walk leaves them for good.
fn leaving_order(graph: &Neighbours) -> Vec<u32> {
    let nodes = graph.first.len() - 1;
    let mut next = graph.first[..nodes].to_vec();
    let mut seen = vec![false; nodes];
    let mut order = Vec::with_capacity(nodes);
    let mut stack = Vec::new();
    for start in 0..nodes as u32 {
        if std::mem::replace(&mut seen[start as usize], true) {
            continue;
        }
        stack.push(start);
        while let Some(&node) = stack.last() {
            let cursor = &mut next[node as usize];
            if *cursor == graph.first[node as usize + 1] {
                order.push(node);
                stack.pop();
                continue;
            }
            let reached = graph.to[*cursor as usize];
            *cursor += 1;
            if !std::mem::replace(&mut seen[reached as usize], true) {
                stack.push(reached);
            }
        }
    }
    order
}

/// For each node the first node of its part, walking `graph` from the nodes in the order given.
fn parts(graph: &Neighbours, order: impl Iterator<Item = u32>) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let mut part_of = vec![NONE; graph.first.len() - 1];
    let mut stack = Vec::new();
    for start in order {
        if part_of[start as usize] != NONE {
            continue;
        }
        part_of[start as usize] = start;
        stack.push(start);
        while let Some(node) = stack.pop() {
            let own = graph.first[node as usize]..graph.first[node as usize + 1];
            for &reached in &graph.to[own.start as usize..own.end as usize] {
                if part_of[reached as usize] == NONE {
                    part_of[reached as usize] = start;
                    stack.push(reached);
                }
            }
        }
    }
    part_of
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(nodes: usize, arcs: &[(u32, u32)]) -> Vec<u32> {
        let arcs: Vec<RawArc> = arcs
            .iter()
            .map(|&(from, to)| RawArc {
                from,
                to,
                length_dm: 1,
                speed_kmh: 0,
            })
            .collect();
        let flags = largest_part(nodes, &arcs);
        (0..nodes as u32)
            .filter(|&node| flags[node as usize])
            .collect()
    }

    #[test]
    fn islands_and_dead_ends_are_left_out() {
        // A ring of three, a one-way street out of it, and an island of two.
        let arcs = [(0, 1), (1, 2), (2, 0), (2, 3), (4, 5), (5, 4)];
        assert_eq!(kept(6, &arcs), [0, 1, 2]);
    }

    #[test]
    fn of_equal_parts_the_first_wins() {
        assert_eq!(kept(4, &[(2, 3), (3, 2), (0, 1), (1, 0)]), [0, 1]);
    }

    #[test]
    fn a_long_street_does_not_exhaust_the_stack() {
        let arcs: Vec<_> = (0..200_000)
            .flat_map(|n| [(n, n + 1), (n + 1, n)])
            .collect();
        assert_eq!(kept(200_001, &arcs).len(), 200_001);
    }

    #[test]
    fn nothing_has_no_part() {
        assert!(kept(0, &[]).is_empty());
    }
}
