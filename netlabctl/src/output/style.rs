//! Colour and width of the terminal that the standard output may be.

use std::{
    env,
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use crate::cli::Color;

/// Whether colours are written; set once, before anything is.
static COLOURED: OnceLock<bool> = OnceLock::new();

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As the terminal has it.
    Plain,
    /// As it should be, or new.
    Good,
    /// Not as it should be, but not lost; changed.
    Warning,
    /// Broken, or taken away.
    Bad,
}

/// Decides whether colours are written. `auto`: to a terminal, unless `NO_COLOR` is set and not empty
/// (no-color.org) or `TERM` is `dumb`.
pub(crate) fn decide(asked: Color) {
    let auto = || {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
    };
    let coloured = match asked {
        Color::Auto => auto(),
        Color::Always => true,
        Color::Never => false,
    };
    // It is set once.
    let _ = COLOURED.set(coloured);
}

/// Text in a style, if colours are written. Nothing else may be in it that steers a terminal.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if style == Style::Plain || text.is_empty() || !COLOURED.get().copied().unwrap_or(false) {
        return text.to_owned();
    }
    let code = match style {
        Style::Plain => "0",
        Style::Good => "32",
        Style::Warning => "33",
        Style::Bad => "31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// The style of a word that tells how something is; of a sentence that begins with one too.
pub(crate) fn of_state(text: &str) -> Style {
    match text.split([' ', ',']).next().unwrap_or_default() {
        "Ready" if text.contains("(paused)") => Style::Warning,
        "Ready" | "pass" | "ok" | "up" | "forwarding" => Style::Good,
        "Pending" | "Converging" | "Degraded" | "Deleting" | "warning" | "no" | "lower" | "listening"
        | "learning" | "blocking" => Style::Warning,
        "Failed" | "FAIL" | "error" | "missing" | "down" => Style::Bad,
        _ => Style::Plain,
    }
}

/// A line of a plan or a repair: `+` is new, `~` changed, `-` taken away.
pub(crate) fn signed(sign: char, line: &str) -> String {
    let style = match sign {
        '+' => Style::Good,
        '~' => Style::Warning,
        '-' => Style::Bad,
        _ => Style::Plain,
    };
    paint(style, line)
}

/// Columns of the terminal that the standard output is; `None` where it is none, or does not say.
pub(crate) fn width() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok())??;
    // A terminal too narrow to wrap for is left to wrap by itself.
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= 40)
}

/// Breaks text into lines of at most `width` characters between words; a word that is longer stands alone.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        let fresh = lines.last().is_none_or(String::is_empty);
        if !fresh && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        } else if !fresh {
            used += 1;
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
        }
        used += length;
        lines.last_mut().into_iter().for_each(|line| line.push_str(word));
    }
    lines
}

/// A line, wrapped to the terminal: its first part stands alone at the left, what is wrapped begins below the
/// rest.
pub(crate) fn hanging(first: &str, rest: &str, width: Option<usize>) -> String {
    let indent = first.chars().count();
    let Some(room) = width.and_then(|width| width.checked_sub(indent)).filter(|room| *room >= 20) else {
        return format!("{first}{rest}");
    };
    format!("{first}{}", wrap(rest, room).join(&format!("\n{:indent$}", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("the link a -- b is missing", 10), ["the link a", "-- b is", "missing"]);
        assert_eq!(wrap("averyveryverylongword x", 5), ["averyveryverylongword", "x"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("a  b", 80), ["a  b"], "what fits stays as it is");
    }

    #[test]
    fn what_is_wrapped_hangs_below_its_line() {
        let text = hanging("  - ", "one two three four five six", Some(24));
        assert_eq!(text, "  - one two three four\n    five six");
        assert_eq!(hanging("  - ", "one two", None), "  - one two");
        assert_eq!(hanging("  - ", "one two three", Some(8)), "  - one two three", "no room to speak of");
    }

    #[test]
    fn without_a_decision_nothing_is_coloured() {
        assert_eq!(paint(Style::Good, "x"), "x");
        assert_eq!(of_state("Ready (paused)"), Style::Warning);
        assert_eq!(of_state("up in red"), Style::Good);
        assert_eq!(of_state("learning in br0"), Style::Warning);
        assert_eq!(of_state("no carrier"), Style::Warning);
    }
}
