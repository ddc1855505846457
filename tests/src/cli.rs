//! The command line of the test program.

use std::{net::Ipv4Addr, path::PathBuf, process::ExitCode};

use crate::{
    cases,
    flood::Flood,
    pinger,
    runner::{self, Ground, Part},
    service, stun,
};

const HELP: &str = "\
Usage: netlab-tests [--ground native|uml]... [FILTER]...

Runs the end to end tests whose name has a FILTER in it (default: all) on each ground that has what
they need, and ends with a table. Needs root, for namespaces; netlabd and netlabctl stand beside it.

  --ground native|uml  only on this kernel, or only under User-mode Linux; default: both
  --list               print the names of the tests
  --help               print this

  --soak SECONDS       random work for so long in a private host on this kernel; prints a table

NETLAB_SHOW=1 in the environment: print also what tests that passed had to say.
NETLAB_SEED=N: do the random work of an earlier run again; tests have 1.

Used by the program itself:
  --here GROUND --part K/N --report FILE [--elsewhere FILE] [FILTER]...
                                                      run part K of N on this kernel, but for tests that another
                                                      kernel is enough for and that passed by the report of one
  --features                                          print what this kernel can do
  --inside TEST, --body TEST                          run one test in the namespaces it was started in
  --flood CONNECTIONS CALLS SOCKET read|silent METHOD LAB
                                                      ask netlabd for too much
  --soak-inside SECONDS, --soak-body SECONDS          the random work in the namespaces it was started in
  --ping ADDRESS                                      send echo requests, print the answers' numbers
  --serve PORT SENTENCE, --fetch ADDRESS:PORT         a TCP service of one sentence, and its client
  --reflect ADDRESS..., --probe-nat PORT ADDRESS...   a UDP server that says from where it is asked, and its client
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Help,
    List,
    All { grounds: Vec<Ground>, filters: Vec<String> },
    Here { ground: Ground, part: Part, report: PathBuf, elsewhere: Option<PathBuf>, filters: Vec<String> },
    Features,
    Soak(u64),
    SoakInside(u64),
    SoakBody(u64),
    Inside(String),
    Body(String),
    Ping(Ipv4Addr),
    Serve(u16, String),
    Fetch(String),
    Reflect(Vec<String>),
    ProbeNat(String, Vec<String>),
    Flood(Flood),
}

/// Runs the program; 0 if all went well, 1 if a test failed or ran nowhere, 2 for a wrong command line.
pub fn main() -> ExitCode {
    let request = match parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(wrong) => {
            eprintln!("netlab-tests: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let well = match request {
        Request::Help => {
            print!("{HELP}");
            true
        }
        Request::List => {
            for test in cases::all() {
                println!("{}", test.name);
            }
            true
        }
        Request::All { grounds, filters } => runner::run(&grounds, &filters),
        Request::Here { ground, part, report, elsewhere, filters } => {
            runner::here::run(ground, part, &report, elsewhere.as_deref(), &filters)
        }
        Request::Features => {
            runner::private::print_features();
            true
        }
        Request::Soak(seconds) => runner::private::soak(seconds),
        Request::SoakInside(seconds) => runner::private::init(&["--soak-body", &seconds.to_string()]),
        Request::SoakBody(seconds) => runner::private::soak_body(seconds),
        Request::Inside(test) => runner::private::init(&["--body", &test]),
        Request::Ping(target) => pinger::run(target),
        Request::Serve(port, sentence) => service::serve(port, &sentence),
        Request::Fetch(at) => service::fetch(&at),
        Request::Reflect(addresses) => stun::reflect(&addresses),
        Request::ProbeNat(port, servers) => stun::probe(&port, &servers),
        Request::Flood(flood) => flood.run(),
        Request::Body(test) => runner::private::body(&test),
    };
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(args: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut args = args;
    let (mut grounds, mut filters) = (Vec::new(), Vec::new());
    let (mut here, mut part, mut report, mut elsewhere) = (None, None, None, None);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(Request::Help),
            "--list" => return Ok(Request::List),
            "--features" => return Ok(Request::Features),
            "--soak" => return seconds(&value()?).map(Request::Soak),
            "--soak-inside" => return seconds(&value()?).map(Request::SoakInside),
            "--soak-body" => return seconds(&value()?).map(Request::SoakBody),
            "--inside" => return value().map(Request::Inside),
            "--body" => return value().map(Request::Body),
            "--ping" => {
                let target = value()?;
                return target
                    .parse()
                    .map(Request::Ping)
                    .map_err(|_| format!("{target:?} is no IPv4 address"));
            }
            "--serve" => {
                let number = value()?;
                let at = number.parse().map_err(|_| format!("{number:?} is no port"))?;
                return Ok(Request::Serve(at, args.next().unwrap_or_default()));
            }
            "--fetch" => return value().map(Request::Fetch),
            "--reflect" => return Ok(Request::Reflect(args.collect())),
            "--probe-nat" => return Ok(Request::ProbeNat(value()?, args.collect())),
            "--flood" => {
                let number = |text: String| text.parse().map_err(|_| format!("{text:?} is no number"));
                return Ok(Request::Flood(Flood {
                    connections: number(value()?)?,
                    calls: number(value()?)?,
                    socket: value()?.into(),
                    reads: value()? == "read",
                    method: value()?,
                    lab: value()?,
                }));
            }
            "--ground" => grounds.push(value()?.parse()?),
            "--here" => here = Some(value()?.parse()?),
            "--part" => part = Some(value()?.parse()?),
            "--report" => report = Some(PathBuf::from(value()?)),
            "--elsewhere" => elsewhere = Some(PathBuf::from(value()?)),
            _ if arg.starts_with('-') => return Err(format!("no such option: {arg}")),
            _ => filters.push(arg),
        }
    }
    if grounds.is_empty() {
        grounds = vec![Ground::Native, Ground::Uml];
    }
    match (here, part, report) {
        (Some(ground), Some(part), Some(report)) => {
            Ok(Request::Here { ground, part, report, elsewhere, filters })
        }
        (None, None, None) => Ok(Request::All { grounds, filters }),
        _ => Err("--here, --part and --report belong together".into()),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn command_lines() {
        let all = Request::All { grounds: vec![Ground::Native, Ground::Uml], filters: vec!["labs::".into()] };
        assert_eq!(parsed("labs::"), Ok(all));
        let here = Request::Here {
            ground: Ground::Uml,
            part: Part { index: 1, of: 2 },
            report: "r".into(),
            elsewhere: None,
            filters: vec![],
        };
        assert_eq!(parsed("--here uml --part 1/2 --report r"), Ok(here));
        for wrong in ["--ground", "--ground moon", "--part 1/2", "--part 2/2", "--what"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
