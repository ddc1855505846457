//! Tables for people: columns as wide as they need to be, two spaces between. On a terminal the last column is
//! wrapped, and states have colours.

use super::style::{self, Style};

/// Columns whose words tell how something is.
const STATES: [&str; 5] = ["PHASE", "STATE", "STATUS", "RESULT", "SEVERITY"];

/// Least width of a last column that is wrapped; one that is narrower is left to the terminal.
const NARROW: usize = 20;

/// Writes rows below their heading. Control characters and the like are shown escaped, so that no text of a
/// lab can steer the terminal or show as another.
pub(crate) fn write<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    write_styled(heading, rows, |_, column, cell| {
        if STATES.contains(&heading[column]) { style::of_state(cell) } else { Style::Plain }
    })
}

/// The same, with the style of each cell by row, column and text.
pub(crate) fn write_styled<const N: usize>(
    heading: [&str; N],
    rows: &[[String; N]],
    style: impl Fn(usize, usize, &str) -> Style,
) -> String {
    lay_out(heading, rows, style::width(), style)
}

fn lay_out<const N: usize>(
    heading: [&str; N],
    rows: &[[String; N]],
    width: Option<usize>,
    style: impl Fn(usize, usize, &str) -> Style,
) -> String {
    let heading = heading.map(str::to_owned);
    let rows: Vec<[String; N]> =
        std::iter::once(&heading).chain(rows).map(|row| row.each_ref().map(|cell| clean(cell))).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(widest);
    let before: usize = widths.iter().take(N.saturating_sub(1)).map(|width| width + 2).sum();
    let room = width.and_then(|width| width.checked_sub(before)).filter(|room| *room >= NARROW);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let painted = number.checked_sub(1).map_or(Style::Plain, |row| style(row, column, cell));
            if column + 1 < N {
                let gap = " ".repeat(width - cell.chars().count() + 2);
                line += &(style::paint(painted, cell) + &gap);
            } else {
                let lines = room.map_or_else(|| vec![cell.clone()], |room| style::wrap(cell, room));
                let lines: Vec<_> = lines.iter().map(|line| style::paint(painted, line)).collect();
                line += &lines.join(&format!("\n{:before$}", ""));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text with what cannot be seen, steers a terminal or turns round text written out.
pub(crate) fn clean(text: &str) -> String {
    netlab_proto::text::visible(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_do_not_reach_the_terminal() {
        let rows =
            [["a".to_owned(), "x".to_owned()], ["long".to_owned(), "\u{1b}[2J\u{202e}\u{9b}".to_owned()]];
        let expected = "N     M\na     x\nlong  \\u{1b}[2J\\u{202e}\\u{9b}\n";
        assert_eq!(write(["N", "M"], &rows), expected);
    }

    #[test]
    fn on_a_terminal_the_last_column_is_wrapped() {
        let rows = [["a".to_owned(), "one two three four five six".to_owned()]];
        let plain = |_: usize, _: usize, _: &str| Style::Plain;
        assert_eq!(
            lay_out(["NAME", "M"], &rows, Some(28), plain),
            "NAME  M\na     one two three four\n      five six\n"
        );
        assert_eq!(
            lay_out(["NAME", "M"], &rows, Some(20), plain),
            "NAME  M\na     one two three four five six\n"
        );
    }
}
