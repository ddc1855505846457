//! Completion of what only the daemon knows: labs, nodes and interfaces.
//!
//! The script that `completions SHELL` prints calls this program back, with [`VARIABLE`] set, for every
//! word to be completed; then this program runs itself once more to ask the daemon.

use std::{
    env,
    io::{self, Read as _, Write},
    process::{Command as Process, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::{
    CompleteEnv, Shell,
    engine::{ArgValueCandidates, CompletionCandidate},
    env::Shells,
};
use serde_json::Value;

use crate::cli::{Cli, Where};

/// Set where a shell asks for completion.
const VARIABLE: &str = "NETLABCTL_COMPLETE";

/// How long the daemon may take to answer: nobody waits longer for a completion.
const LIMIT: Duration = Duration::from_secs(2);

/// Answers a shell, if one asks, and ends the program.
pub(crate) fn answer() {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// Writes what a shell must run once.
pub(crate) fn script(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string());
    let completer = completer.ok_or_else(|| io::Error::other(format!("{shell} is not known")))?;
    completer.write_registration(VARIABLE, "netlabctl", "netlabctl", "netlabctl", out)
}

/// The command line, with what completes its arguments.
fn command() -> Command {
    let command = Cli::command();
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    verbs.into_iter().fold(command, |command, verb| {
        command.mut_subcommand(verb, |verb| {
            let of_labs = verb.get_name().ends_with("-lab");
            verb.mut_args(|arg| completed(arg, of_labs))
        })
    })
}

fn completed(arg: Arg, of_labs: bool) -> Arg {
    match arg.get_id().as_str() {
        "name" | "names" if of_labs => arg.add(ArgValueCandidates::new(labs)),
        "lab" => arg.add(ArgValueCandidates::new(labs)),
        "node" | "from" | "to" => arg.add(ArgValueCandidates::new(nodes)),
        "interfaces" => arg.add(ArgValueCandidates::new(interfaces)),
        _ => arg,
    }
}

fn candidates(names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn labs() -> Vec<CompletionCandidate> {
    let answer = ask(&["list-labs"]).unwrap_or_default();
    let labs = answer["labs"].as_array().into_iter().flatten();
    candidates(labs.filter_map(|lab| lab["name"].as_str()).map(str::to_owned))
}

fn nodes() -> Vec<CompletionCandidate> {
    let lab = the_lab().unwrap_or_default();
    candidates(lab["spec"]["nodes"].as_object().into_iter().flatten().map(|(name, _)| name.clone()))
}

fn interfaces() -> Vec<CompletionCandidate> {
    let lab = the_lab().unwrap_or_default();
    let mut names = std::collections::BTreeSet::new();
    for (node, is) in lab["spec"]["nodes"].as_object().into_iter().flatten() {
        let own = is["interfaces"].as_object().into_iter().flatten();
        names.extend(own.map(|(interface, _)| format!("{node}:{interface}")));
    }
    let links = lab["spec"]["links"].as_array().into_iter().flatten();
    let ends = links.filter_map(|link| link["endpoints"].as_array()).flatten();
    names.extend(ends.filter_map(Value::as_str).map(str::to_owned));
    candidates(names)
}

/// The line to be completed: what the shell's script passes after `--`.
fn words() -> Vec<String> {
    env::args().skip_while(|word| word != "--").skip(2).collect()
}

/// The options of a line that say which daemon it is, and its words without options.
fn split(words: &[String]) -> (Vec<&str>, Vec<&str>) {
    let (mut places, mut plain) = (Vec::new(), Vec::new());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let valued = Where::OPTIONS.iter().any(|place| word.starts_with(&format!("{place}=")));
        match word {
            place if Where::OPTIONS.contains(&place) => {
                places.extend([Some(place), words.next()].into_iter().flatten());
            }
            "-o" | "--output" => _ = words.next(),
            place if valued => places.push(place),
            option if option.starts_with('-') => {}
            word => plain.push(word),
        }
    }
    (places, plain)
}

/// The lab that the line names: the first word after the verb.
fn the_lab() -> Option<Value> {
    let words = words();
    let (_, plain) = split(&words);
    ask(&["get-lab", plain.get(1)?])
}

/// What this program says when it asks the daemon of the line, if it is quick and all goes well.
fn ask(args: &[&str]) -> Option<Value> {
    let words = words();
    let (places, _) = split(&words);
    let mut command = Process::new(env::current_exe().ok()?);
    command.args(places).args(["-o", "json"]).args(args).env_remove(VARIABLE);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut stdout = child.stdout.take()?;
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        // Whoever has waited long enough hears no more.
        let _ = stdout.read_to_string(&mut text).map(|_| sender.send(text));
    });
    let text = answer.recv_timeout(LIMIT);
    // It has ended, or must now.
    let _ = child.kill();
    let _ = child.wait();
    serde_json::from_str(&text.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let words: Vec<String> =
            "--host https://box --tls-cert me.crt -o json exec vxlan -t --context=a --tls-ca=ca.crt ns1"
                .split(' ')
                .map(str::to_owned)
                .collect();
        let (places, plain) = split(&words);
        assert_eq!(
            places,
            ["--host", "https://box", "--tls-cert", "me.crt", "--context=a", "--tls-ca=ca.crt"]
        );
        assert_eq!(plain, ["exec", "vxlan", "ns1"]);
    }
}
