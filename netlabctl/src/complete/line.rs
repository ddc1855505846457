//! The line that is being completed.

use std::{collections::HashSet, env};

use clap::{Arg, Command, CommandFactory as _};

use crate::cli::{Cli, Where};

/// A line's words, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The options that say which daemon is meant, with their values.
    pub(super) places: Vec<String>,
    /// What is neither an option nor the value of one.
    plain: Vec<String>,
}

impl Line {
    /// The lab that it names: the first word after the verb.
    pub(super) fn lab(&self) -> Option<&str> {
        self.plain.get(1).map(String::as_str)
    }
}

/// The line to be completed: what the shell's script passes after `--`. Its last word is still being written.
pub(super) fn line() -> Line {
    let mut words: Vec<String> = env::args().skip_while(|word| word != "--").skip(2).collect();
    words.pop();
    split(&words)
}

fn split(words: &[String]) -> Line {
    let mut command = Cli::command();
    command.build();
    let mut known = valued(&command);
    let mut line = Line::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        let place = Where::OPTIONS.contains(&name);
        if place {
            line.places.push(word.clone());
        }
        if !word.starts_with('-') {
            if line.plain.is_empty() {
                known.extend(command.find_subcommand(word).map(valued).unwrap_or_default());
            }
            line.plain.push(word.clone());
        } else if word == name && known.contains(word) {
            let value = words.next();
            line.places.extend(value.filter(|_| place).cloned());
        }
    }
    line
}

/// The options of a command that take the word after them.
fn valued(command: &Command) -> HashSet<String> {
    let takes = |arg: &&Arg| !arg.is_positional() && arg.get_action().takes_values();
    let names = |arg: &Arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        [long, arg.get_short().map(|short| format!("-{short}"))]
    };
    command.get_arguments().filter(takes).flat_map(names).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let text = "--host https://box --tls-cert me.crt -o json exec -w /tmp vxlan -t --context=a --tls-ca=ca.crt ns1";
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let line = split(&words);
        let places = ["--host", "https://box", "--tls-cert", "me.crt", "--context=a", "--tls-ca=ca.crt"];
        assert_eq!(line.places, places);
        assert_eq!(line.plain, ["exec", "vxlan", "ns1"]);
        assert_eq!(line.lab(), Some("vxlan"));
    }
}
