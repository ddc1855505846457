//! SVG, drawn here: boxes in columns, cables as lines, tunnels as dashed arcs.

use std::fmt::Write as _;

use super::{Box, Edge, Topology, escape, layout};

const MARGIN: usize = 24;
const LINE: usize = 18;
const PAD: usize = 12;
/// Between columns: room for the interfaces' names at both ends of a cable.
const GAP_X: usize = 150;
const GAP_Y: usize = 48;
/// Width of a character of the 13-pixel monospace font.
const CHARACTER: usize = 8;

/// A box on the page, in pixels.
#[derive(Debug, Clone, Copy)]
struct Rect {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Rect {
    fn middle(self) -> (usize, usize) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }
}

/// Writes a picture that stands alone.
pub(super) fn write(topology: &Topology) -> String {
    let rects = rects(topology);
    let right = rects.iter().map(|rect| rect.x + rect.width).max().unwrap_or_default() + MARGIN;
    let bottom = rects.iter().map(|rect| rect.y + rect.height).max().unwrap_or_default() + MARGIN + GAP_Y;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" width=\"{right}\" \
         height=\"{bottom}\" font-family=\"monospace\" font-size=\"13\">\n"
    );
    let _ = writeln!(out, "<title>{}</title>", escape(&topology.name));
    let _ = writeln!(out, "<rect width=\"{right}\" height=\"{bottom}\" fill=\"#ffffff\"/>");
    let mut between = std::collections::BTreeMap::<(usize, usize), usize>::new();
    for edge in &topology.edges {
        // Further edges between the same two are bent, so that each is seen.
        let nth = between.entry((edge.from.min(edge.to), edge.from.max(edge.to))).or_default();
        line(edge, rects[edge.from], rects[edge.to], *nth, &mut out);
        *nth += 1;
    }
    for (each, rect) in topology.boxes.iter().zip(&rects) {
        node(each, *rect, &mut out);
    }
    out + "</svg>\n"
}

fn rects(topology: &Topology) -> Vec<Rect> {
    let places = layout::places(topology);
    let width = |each: &Box| {
        let longest = each.lines.iter().chain([&each.name]).map(|line| line.chars().count()).max();
        longest.unwrap_or_default() * CHARACTER + 2 * PAD
    };
    let height = |each: &Box| (each.lines.len() + 1) * LINE + 2 * PAD;
    let columns = places.iter().map(|place| place.0 + 1).max().unwrap_or_default();
    let rows = places.iter().map(|place| place.1 + 1).max().unwrap_or_default();
    let mut widths = vec![0; columns];
    let mut heights = vec![0; rows];
    for (each, &(column, row)) in topology.boxes.iter().zip(&places) {
        widths[column] = widths[column].max(width(each));
        heights[row] = heights[row].max(height(each));
    }
    let rect = |(each, &(column, row)): (&Box, &(usize, usize))| Rect {
        x: MARGIN + widths[..column].iter().sum::<usize>() + column * GAP_X,
        y: MARGIN + GAP_Y + heights[..row].iter().sum::<usize>() + row * GAP_Y,
        width: widths[column],
        height: height(each),
    };
    topology.boxes.iter().zip(&places).map(rect).collect()
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

fn line(edge: &Edge, from: Rect, to: Rect, nth: usize, out: &mut String) {
    // From left to right, or from top to bottom in one column.
    let swap = (to.x, to.y) < (from.x, from.y);
    let (a, b) = if swap { (to, from) } else { (from, to) };
    let [mut first, mut last] = edge.ends.each_ref().map(|end| escape(end));
    if swap {
        std::mem::swap(&mut first, &mut last);
    }
    let column = a.x == b.x;
    let (start, end) = if column {
        ((a.middle().0, a.y + a.height), (b.middle().0, b.y))
    } else {
        ((a.x + a.width, a.middle().1), (b.x, b.middle().1))
    };
    let middle = (usize::midpoint(start.0, end.0), usize::midpoint(start.1, end.1));
    // A line that is no cable goes over the boxes between its ends.
    let arc = usize::from(!edge.cable()) * (GAP_Y + usize::midpoint(a.height, b.height)) + nth * 30;
    let bend = if column { (middle.0 + arc, middle.1) } else { (middle.0, middle.1.saturating_sub(arc)) };
    let dash = if edge.cable() { "" } else { " stroke-dasharray=\"6 4\"" };
    let _ = writeln!(
        out,
        "<path d=\"M {} {} Q {} {} {} {}\" fill=\"none\" stroke=\"#555555\"{dash}/>",
        start.0, start.1, bend.0, bend.1, end.0, end.1
    );
    let label = |x: usize, y: usize, anchor: &str, text: &str, out: &mut String| {
        if !text.is_empty() {
            let _ = writeln!(
                out,
                "<text x=\"{x}\" y=\"{y}\" font-size=\"11\" fill=\"#555555\" text-anchor=\"{anchor}\">{text}</text>"
            );
        }
    };
    if !edge.cable() {
        let top = usize::midpoint(middle.1, bend.1).saturating_sub(4);
        label(middle.0, top, "middle", &escape(&edge.label), out);
    } else if column {
        label(start.0 + 6, start.1 + 14, "start", &first, out);
        label(end.0 + 6, end.1 - 6, "start", &last, out);
    } else {
        label(start.0 + 6, start.1 - 6, "start", &first, out);
        label(end.0 - 6, end.1 - 6, "end", &last, out);
    }
}
