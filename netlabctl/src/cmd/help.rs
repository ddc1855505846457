//! `help`: what `--help` says.

use netlab_proto::suggest::nearest;

use super::DONE;
use crate::{
    cli,
    error::{Failure, USAGE},
    output,
};

/// Prints the help of a command, of the program without one.
pub(super) fn run(words: &[String]) -> Result<u8, Failure> {
    let mut root = cli::command();
    root.build();
    let mut command = &mut root;
    for word in words {
        let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        command = command.find_subcommand_mut(word).ok_or_else(|| {
            let near = nearest(word, names.iter().map(String::as_str));
            let hint = near.map_or_else(
                || "netlabctl --help names all commands".to_owned(),
                |near| format!("did you mean {near:?}?"),
            );
            Failure::new(USAGE, format!("there is no command {word:?}; {hint}"))
        })?;
    }
    let text = command.render_long_help().to_string();
    output::print(&text)?;
    Ok(DONE)
}
