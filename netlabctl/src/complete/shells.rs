//! The shells: what each has to run once, and how it is answered.
//!
//! bash, zsh and fish have scripts of our own. Their answer begins with a line that says whether files are
//! meant too, which the shell then completes as it does everywhere: with its own quoting, `~` and colours.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
};

use clap_complete::{
    engine::{self, CompletionCandidate},
    env::{Elvish, EnvCompleter, Powershell, Shells},
};

/// Marks the candidate that stands for the names of files.
pub(super) const FILES: &str = "files";

/// All shells that are answered.
pub(super) const ALL: Shells<'static> = Shells(&[&BASH, &ZSH, &FISH, &Elvish, &Powershell]);

const BASH: Script = Script { shell: "bash", text: include_str!("netlabctl.bash"), line: plain };
const ZSH: Script = Script { shell: "zsh", text: include_str!("netlabctl.zsh"), line: described_in_zsh };
const FISH: Script = Script { shell: "fish", text: include_str!("netlabctl.fish"), line: described_in_fish };

/// Whether a shell completes the names of files itself.
pub(super) fn has_files(shell: &str) -> bool {
    [BASH, ZSH, FISH].iter().any(|script| script.shell == shell)
}

/// A shell with a script of our own.
struct Script {
    shell: &'static str,
    text: &'static str,
    /// How it wants to have a candidate.
    line: fn(&CompletionCandidate) -> String,
}

impl EnvCompleter for Script {
    fn name(&self) -> &'static str {
        self.shell
    }

    fn is(&self, name: &str) -> bool {
        name == self.shell
    }

    fn write_registration(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: &str,
        out: &mut dyn Write,
    ) -> Result<(), io::Error> {
        out.write_all(self.text.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> Result<(), io::Error> {
        let begun = words.last().map_or_else(String::new, |word| word.to_string_lossy().into_owned());
        let option_begun = begun.starts_with('-') && !begun.contains('=');
        let last = words.len().saturating_sub(1);
        let found = engine::complete(command, words, last, folder)?;
        let stands_for_files =
            |one: &CompletionCandidate| one.get_tag().is_some_and(|tag| tag.to_string() == FILES);
        let files = !option_begun && found.iter().any(stands_for_files);
        writeln!(out, "{}", if files { FILES } else { "words" })?;
        // Nobody wants all options among the names of labs, unless they ask with a dash.
        let option = |one: &CompletionCandidate| one.get_value().as_encoded_bytes().starts_with(b"-");
        for one in found.iter().filter(|one| !(stands_for_files(one) || begun.is_empty() && option(one))) {
            writeln!(out, "{}", (self.line)(one))?;
        }
        Ok(())
    }
}

fn plain(one: &CompletionCandidate) -> String {
    one.get_value().to_string_lossy().into_owned()
}

fn described_in_zsh(one: &CompletionCandidate) -> String {
    let value = plain(one).replace('\\', "\\\\").replace(':', "\\:");
    help(one).map_or_else(|| value.clone(), |help| format!("{value}:{}", help.replace('\\', "\\\\")))
}

fn described_in_fish(one: &CompletionCandidate) -> String {
    help(one).map_or_else(|| plain(one), |help| format!("{}\t{help}", plain(one)))
}

/// The first line of what a candidate is.
fn help(one: &CompletionCandidate) -> Option<String> {
    let text = one.get_help()?.to_string();
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}
