//! Where boxes stand: in columns by their distance from an end of the lab, so that a chain of
//! routers is a row.

use std::collections::VecDeque;

use super::Topology;

/// Where a box stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The part of the lab; parts are not joined, and stand below each other.
    pub(super) part: usize,
    /// The column, from the left.
    pub(super) column: usize,
}

/// The place of each box. Boxes of one column stand below each other in the order of the lab.
pub(super) fn places(topology: &Topology) -> Vec<Place> {
    let neighbours = neighbours(topology);
    let mut places: Vec<Option<Place>> = vec![None; neighbours.len()];
    let mut part = 0;
    for first in 0..neighbours.len() {
        if places[first].is_some() {
            continue;
        }
        for (node, column) in distances(end(first, &neighbours), &neighbours) {
            places[node] = Some(Place { part, column });
        }
        part += 1;
    }
    places.into_iter().map(Option::unwrap_or_default).collect()
}

/// An end of the part that a box is in: a box farthest from a farthest one, the first by name.
fn end(first: usize, neighbours: &[Vec<usize>]) -> usize {
    let farthest = |from| {
        let reached = distances(from, neighbours);
        let most = reached.last().map_or(0, |(_, distance)| *distance);
        reached.into_iter().filter(|(_, distance)| *distance == most).map(|(node, _)| node).min()
    };
    let far = farthest(first).unwrap_or(first);
    // The other end may come first by name: a reader expects ns1 on the left.
    far.min(farthest(far).unwrap_or(far))
}

/// Who is joined to whom: by cables, and by the rest only where a box has no cable.
fn neighbours(topology: &Topology) -> Vec<Vec<usize>> {
    let mut neighbours = vec![Vec::new(); topology.boxes.len()];
    let mut join = |from: usize, to: usize| {
        if from != to {
            neighbours[from].push(to);
            neighbours[to].push(from);
        }
    };
    let (cables, others): (Vec<_>, Vec<_>) = topology.edges.iter().partition(|edge| edge.cable());
    for edge in &cables {
        join(edge.from, edge.to);
    }
    let wired = |node: usize| cables.iter().any(|edge| edge.from == node || edge.to == node);
    for edge in others {
        if !wired(edge.from) || !wired(edge.to) {
            join(edge.from, edge.to);
        }
    }
    neighbours
}

/// Boxes that can be reached, nearest first, with their distance.
fn distances(start: usize, neighbours: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let mut seen = vec![false; neighbours.len()];
    seen[start] = true;
    let mut queue = VecDeque::from([(start, 0)]);
    let mut reached = Vec::new();
    while let Some((node, distance)) = queue.pop_front() {
        reached.push((node, distance));
        for &next in &neighbours[node] {
            if !std::mem::replace(&mut seen[next], true) {
                queue.push_back((next, distance + 1));
            }
        }
    }
    reached
}
