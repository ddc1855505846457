//! Tables for people: columns as wide as they need to be, two spaces between.

/// Writes rows below their heading. Control characters and the like are shown escaped, so that no text of a
/// lab can steer the terminal or show as another.
pub(crate) fn write<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let heading = heading.map(str::to_owned);
    let rows: Vec<[String; N]> =
        std::iter::once(&heading).chain(rows).map(|row| row.each_ref().map(|cell| clean(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
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
}
