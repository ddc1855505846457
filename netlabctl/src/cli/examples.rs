//! Help that shows how it is done: the command line with an example or two for each command.

use std::ffi::OsString;

use clap::{Command, CommandFactory as _, Error, FromArgMatches as _};

use super::Cli;

/// Examples by command.
const EXAMPLES: [(&str, &[&str]); 25] = [
    (
        "create-lab",
        &[
            "netlabctl create-lab labs/vxlan.yaml",
            "generate-lab | netlabctl create-lab - --timeout 5m",
            "netlabctl create-lab labs/*.yaml",
        ],
    ),
    (
        "apply-lab",
        &[
            "netlabctl apply-lab --dry-run my-vxlan.yaml",
            "netlabctl apply-lab my-vxlan.yaml --rollback-after 60s",
            "netlabctl get-lab vxlan --revision 1 | netlabctl apply-lab -",
        ],
    ),
    ("confirm-lab", &["netlabctl confirm-lab vxlan"]),
    (
        "delete-lab",
        &[
            "netlabctl delete-lab vxlan internet",
            "netlabctl delete-lab -f labs/vxlan.yaml",
            "netlabctl list-labs -o name | xargs netlabctl delete-lab",
        ],
    ),
    (
        "list-labs",
        &[
            "netlabctl list-labs",
            "netlabctl list-labs -o json | jq -r '.labs[] | select(.status.paused) | .name'",
        ],
    ),
    ("get-lab", &["netlabctl get-lab vxlan", "netlabctl get-lab vxlan --revision 1 >vxlan-before.yaml"]),
    (
        "watch-lab",
        &["netlabctl watch-lab vxlan", "netlabctl watch-lab vxlan -o json | jq -c .status_changed.phase"],
    ),
    (
        "exec",
        &[
            "netlabctl exec vxlan ns1 -- ip -d addr",
            "netlabctl exec vxlan ns2 --detach -- nc -lk 54321",
            "netlabctl exec vxlan --all -- ip -br addr",
        ],
    ),
    ("wait-lab", &["netlabctl wait-lab vxlan --timeout 5m"]),
    ("shell", &["netlabctl shell vxlan ns1"]),
    (
        "ping",
        &[
            "netlabctl ping vxlan ns1 198.51.100.2",
            "netlabctl ping vxlan ns1:vxlan0 ns2 -s 1422 --dont-fragment",
        ],
    ),
    (
        "capture",
        &[
            "netlabctl capture vxlan ns2:eth0 -f 'udp port 4789'",
            "netlabctl capture vxlan ns1:eth0,router:any -w - | wireshark -k -i -",
        ],
    ),
    (
        "check-lab",
        &[
            "netlabctl check-lab vxlan",
            "netlabctl check-lab vxlan -o json | jq '.results[] | select(.passed | not)'",
        ],
    ),
    ("graph", &["netlabctl graph vxlan", "netlabctl graph labs/vxlan.yaml -f svg >vxlan.svg"]),
    (
        "show-commands",
        &["netlabctl show-commands labs/vxlan.yaml", "netlabctl show-commands --exact labs/internet.yaml"],
    ),
    (
        "expand",
        &["netlabctl expand labs/leaf-spine.yaml", "netlabctl expand --set leaves=12 labs/leaf-spine.yaml"],
    ),
    ("pause-lab", &["netlabctl pause-lab vxlan"]),
    ("resume-lab", &["netlabctl resume-lab vxlan"]),
    ("doctor", &["netlabctl doctor", "netlabctl --host ssh://me@lab1 doctor"]),
    ("context", &["netlabctl context set lab1 --host ssh://me@lab1", "netlabctl context use lab1"]),
    (
        "pki",
        &[
            "netlabctl pki init",
            "netlabctl pki issue server lab1.example.org",
            "netlabctl pki issue client alice --role member",
        ],
    ),
    ("extcap", &["ln -s \"$(command -v netlabctl)\" ~/.local/lib/wireshark/extcap/netlab-extcap"]),
    ("completions", &["source <(netlabctl completions bash)", "netlabctl completions fish | source"]),
    ("schema", &["netlabctl schema >lab.schema.json"]),
    ("man", &["netlabctl man /usr/local/share/man/man1"]),
];

/// The options that each command has and the help of each would repeat.
const EVERYWHERE: &str = "\
Where the daemon is (of all commands that ask it):
      --host <URL>       unix:///path, https://host[:port] or ssh://[user@]host[:port]; also NETLAB_HOST
      --context <NAME>   a context of ~/.config/netlab/config.toml, see netlabctl context; also NETLAB_CONTEXT
      --tls-cert <FILE>  for https: the certificate that says who you are (PEM); also NETLAB_CERT
      --tls-key <FILE>   for https: its key (PEM); also NETLAB_KEY
      --tls-ca <FILE>    for https: certificates of the authority that says who the daemon is (PEM); also NETLAB_CA

Examples:
  netlabctl create-lab labs/vxlan.yaml
  netlabctl ping vxlan ns1 ns2
  netlabctl delete-lab vxlan";

/// The command line as its help shows it.
pub(crate) fn command() -> Command {
    let command = Cli::command().after_help(EVERYWHERE);
    EXAMPLES.iter().fold(command, |command, (verb, lines)| {
        let text = lines.iter().fold("Examples:".to_owned(), |all, line| all + "\n  " + line);
        command.mut_subcommand(verb, |verb| verb.after_help(text))
    })
}

/// Reads a command line.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Cli, Error> {
    let matches = command().try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_an_example_that_is_understood() {
        let command = command();
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(verb.get_after_help().is_some(), "{} has an example", verb.get_name());
        }
        for line in EXAMPLES.iter().flat_map(|(_, lines)| lines.iter()) {
            // Up to what the shell makes of the rest.
            let Some(own) = line.find("netlabctl ").filter(|at| *at == 0).map(|_| *line) else { continue };
            let own = own.split(['|', '>']).next().unwrap_or_default().replace('\'', "");
            let words = own.split_whitespace().map(OsString::from).collect();
            let read = parse(words);
            assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
        }
    }

    #[test]
    fn short_help_is_short() {
        let mut command = command();
        command.build();
        for verb in ["list-labs", "schema", "pause-lab"] {
            let verb = command.find_subcommand_mut(verb).unwrap();
            let help = verb.render_help().to_string();
            assert!(help.lines().count() < 24 && !help.contains("tls-"), "{help}");
            let help = verb.render_long_help().to_string();
            assert!(help.lines().count() < 60 && !help.contains("tls-"), "{help}");
        }
        let help = command.render_help().to_string();
        assert!(help.contains("--tls-ca") && help.starts_with("Network labs"), "{help}");
    }
}
