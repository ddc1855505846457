//! Where boxes stand: in columns by their distance from an end of the lab, so that a chain of
//! routers is a row.

use std::collections::VecDeque;

use super::Topology;

/// A column and a row for each box, both from 0.
pub(super) fn places(topology: &Topology) -> Vec<(usize, usize)> {
    let neighbours = neighbours(topology);
    let count = neighbours.len();
    let mut columns: Vec<Option<usize>> = vec![None; count];
    let mut rows_taken = 0;
    let mut places = vec![(0, 0); count];
    for first in 0..count {
        if columns[first].is_some() {
            continue;
        }
        // The far end of a part is a good place to begin drawing it.
        let end = distances(first, &neighbours).last().map_or(first, |(node, _)| *node);
        let part = distances(end, &neighbours);
        let mut heights: Vec<usize> = Vec::new();
        for (node, column) in part {
            columns[node] = Some(column);
            heights.resize(heights.len().max(column + 1), 0);
            places[node] = (column, rows_taken + heights[column]);
            heights[column] += 1;
        }
        rows_taken += heights.into_iter().max().unwrap_or_default();
    }
    places
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
