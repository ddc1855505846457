//! SVG, drawn here: boxes in columns, cables from interface to interface, tunnels dashed.

use std::{cmp::Ordering, collections::BTreeMap, fmt::Write as _};

use super::{Box, Edge, Topology, escape, layout};

const MARGIN: usize = 24;
const LINE: usize = 18;
const PAD: usize = 12;
/// Between columns.
const GAP_X: usize = 110;
/// Between boxes of a column, and above all: room for what arches over them.
const GAP_Y: usize = 48;
/// Width of a character of the 13-pixel monospace font.
const CHARACTER: usize = 8;

/// What is no cable is drawn dashed.
const DASHED: &str = " stroke-dasharray=\"6 4\"";

/// A point on the page, in pixels.
type Point = (usize, usize);

/// A box on the page, in pixels.
#[derive(Debug, Clone, Copy)]
struct Rect {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// Writes a picture that stands alone.
pub(super) fn write(topology: &Topology) -> String {
    let rects = rects(topology);
    let right = rects.iter().map(|rect| rect.x + rect.width).max().unwrap_or_default() + MARGIN + GAP_Y;
    let bottom = rects.iter().map(|rect| rect.y + rect.height).max().unwrap_or_default() + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" width=\"{right}\" \
         height=\"{bottom}\" font-family=\"monospace\" font-size=\"13\">\n"
    );
    let _ = writeln!(out, "<title>{}</title>", escape(&topology.name));
    let _ = writeln!(out, "<rect width=\"{right}\" height=\"{bottom}\" fill=\"#ffffff\"/>");
    for (each, rect) in topology.boxes.iter().zip(&rects) {
        node(each, *rect, &mut out);
    }
    for edge in &topology.edges {
        // A tunnel knows an address at its far end, no interface.
        if edge.ends[1].is_empty() {
            arch(edge, &rects, &mut out);
        } else {
            cable(topology, edge, &rects, &mut out);
        }
    }
    out + "</svg>\n"
}

/// Boxes of a column as wide as its widest; each column in the middle of its part.
fn rects(topology: &Topology) -> Vec<Rect> {
    let places = layout::places(topology);
    let width = |each: &Box| {
        let longest = each.lines.iter().chain([&each.name]).map(|line| line.chars().count()).max();
        longest.unwrap_or_default() * CHARACTER + 2 * PAD
    };
    let height = |each: &Box| (each.lines.len() + 1) * LINE + 2 * PAD;
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    let mut heights: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (each, place) in topology.boxes.iter().zip(&places) {
        let widest = widths.entry(place.column).or_default();
        *widest = width(each).max(*widest);
        *heights.entry((place.part, place.column)).or_default() += height(each) + GAP_Y;
    }
    let part_height = |part: usize| {
        heights.range((part, 0)..(part + 1, 0)).map(|(_, height)| *height).max().unwrap_or_default()
    };
    let parts = places.iter().map(|place| place.part + 1).max().unwrap_or_default();
    let tops: Vec<usize> =
        (0..parts).scan(MARGIN, |top, part| Some(std::mem::replace(top, *top + part_height(part)))).collect();
    let mut filled: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut rects = Vec::new();
    for (each, place) in topology.boxes.iter().zip(&places) {
        let spot = (place.part, place.column);
        let used = filled.entry(spot).or_default();
        let spare = (part_height(place.part) - heights[&spot]) / 2;
        let x = MARGIN + widths.range(..place.column).map(|(_, width)| width + GAP_X).sum::<usize>();
        let y = tops[place.part] + spare + *used + GAP_Y;
        rects.push(Rect { x, y, width: widths[&place.column], height: height(each) });
        *used += height(each) + GAP_Y;
    }
    rects
}

fn node(each: &Box, rect: Rect, out: &mut String) {
    let Rect { x, y, width, height } = rect;
    let (fill, line) = if each.host { ("#eeeeee", "#777777") } else { ("#eaf2fb", "#3569a0") };
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{fill}\" stroke=\"{line}\"/>"
    );
    let left = x + PAD;
    let top = y + PAD + LINE - 5;
    let name = escape(&each.name);
    let _ = writeln!(out, "<text x=\"{left}\" y=\"{top}\" font-weight=\"bold\">{name}</text>");
    for (i, text) in each.lines.iter().enumerate() {
        let top = top + (i + 1) * LINE;
        let _ = writeln!(out, "<text x=\"{left}\" y=\"{top}\">{}</text>", escape(text));
    }
}

/// A cable, or what else joins two interfaces.
fn cable(topology: &Topology, edge: &Edge, rects: &[Rect], out: &mut String) {
    let height = |place: usize, interface: &str| {
        let position = topology.boxes[place].interfaces.iter().position(|name| name == interface);
        rects[place].y + PAD + LINE / 2 + position.map_or(0, |position| (position + 1) * LINE)
    };
    let (a, b) = (rects[edge.from], rects[edge.to]);
    let (from, to) = (height(edge.from, &edge.ends[0]), height(edge.to, &edge.ends[1]));
    // Between boxes of one column the cable leaves and comes back on the right.
    let (start, end, bend) = match a.x.cmp(&b.x) {
        Ordering::Less => ((a.x + a.width, from), (b.x, to), GAP_X / 2),
        Ordering::Greater => ((b.x + b.width, to), (a.x, from), GAP_X / 2),
        Ordering::Equal => ((a.x + a.width, from), (b.x + b.width, to), GAP_Y),
    };
    let second = if a.x == b.x { end.0 + bend } else { end.0 - bend };
    let style = if edge.cable() { "" } else { DASHED };
    let first = start.0 + bend;
    curve(start, (first, start.1), (second, end.1), end, style, out);
    if !edge.note.is_empty() {
        // The middle of a cubic: an eighth of its ends, three eighths of its control points.
        let x = (start.0 + 3 * (first + second) + end.0) / 8;
        text((x, usize::midpoint(start.1, end.1).saturating_sub(4)), &edge.note, out);
    }
    for (x, y) in [start, end] {
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"#555555\"/>");
    }
}

/// A tunnel: a dashed line over the boxes.
fn arch(edge: &Edge, rects: &[Rect], out: &mut String) {
    let top = |rect: Rect| (rect.x + rect.width / 2, rect.y);
    let (start, end) = (top(rects[edge.from]), top(rects[edge.to]));
    let height = start.1.min(end.1).saturating_sub(GAP_Y);
    curve(start, (start.0, height), (end.0, height), end, DASHED, out);
    // A cubic's middle is three quarters of the way to its control points.
    let (x, y) = (usize::midpoint(start.0, end.0), (3 * height + usize::midpoint(start.1, end.1)) / 4);
    text((x, y.saturating_sub(4)), &edge.label, out);
}

/// Small print around a point.
fn text((x, y): Point, text: &str, out: &mut String) {
    let text = escape(text);
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"11\" fill=\"#555555\" text-anchor=\"middle\">{text}</text>"
    );
}

fn curve(start: Point, first: Point, second: Point, end: Point, style: &str, out: &mut String) {
    let points = [first, second, end].map(|(x, y)| format!("{x} {y}")).join(", ");
    let _ = writeln!(
        out,
        "<path d=\"M {} {} C {points}\" fill=\"none\" stroke=\"#555555\"{style}/>",
        start.0, start.1
    );
}
