//! Command lines that are not understood: what is said to help.

use clap::{
    Command, CommandFactory as _, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};
use netlab_proto::suggest::nearest;

use crate::cli::Cli;

/// The same error with the one suggestion that helps, or none. The parser suggests every name that is somewhat
/// like the word, hidden ones too, and to pass what is no option as a value, which is never meant.
pub(crate) fn corrected(mut error: Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            error.remove(ContextKind::Suggested);
            error.remove(ContextKind::SuggestedSubcommand);
            let word = error.get(ContextKind::InvalidSubcommand).cloned();
            if let Some(ContextValue::String(word)) = word
                && let Some(name) = verb(&word)
            {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![name]));
            }
        }
        ErrorKind::UnknownArgument => {
            error.remove(ContextKind::Suggested);
        }
        _ => {}
    }
    error
}

/// The command that a word was meant to be.
fn verb(word: &str) -> Option<String> {
    let command = Cli::command();
    let shown = || command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let names = |verb| std::iter::once(Command::get_name(verb)).chain(verb.get_all_aliases());
    let near = nearest(word, shown().flat_map(names))?;
    let verb = shown().find(|verb| names(verb).any(|name| name == near));
    verb.map(|verb| verb.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn said(words: &[&str]) -> String {
        let error = Cli::try_parse_from([&["netlabctl"], words].concat()).unwrap_err();
        corrected(error).render().to_string()
    }

    #[test]
    fn the_closest_command_alone_is_suggested() {
        for (word, tip) in [
            ("list-lab", "'list-labs'"),
            ("get-labs", "'get-lab'"),
            ("creat-lab", "'create-lab'"),
            ("dotcor", "'doctor'"),
            ("destory", "'delete-lab'"),
        ] {
            let said = said(&[word]);
            let expected = format!("tip: a similar subcommand exists: {tip}\n");
            assert!(said.contains(&expected), "{word}: {said}");
        }
        for word in ["adopt-all", "nonsense", "dial-stdi"] {
            let said = said(&[word]);
            assert!(!said.contains("tip:"), "{word}: {said}");
        }
    }

    #[test]
    fn nobody_is_told_to_pass_an_option_as_a_value() {
        let said = said(&["list-labs", "--al"]);
        assert!(said.contains("unexpected argument '--al'") && !said.contains("as a value"), "{said}");
    }
}
