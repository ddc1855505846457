//! `show-commands`.

use std::{
    env, io,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use netlab_proto::v1::{CommandGroup, PlanLabRequest, PlanLabResponse};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::pb;

use super::DONE;
use crate::{
    cli::{Output, ShowCommands},
    client::Client,
    error::{FAILED, Failure, NO_DAEMON},
    labfile::LabFile,
    output,
};

/// Where netlabd is installed, beside the folders of `PATH`.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// What is not known without a daemon, which keeps what the host was before labs.
const LESS: &str = "\
# No netlabd told what this host forwards by itself. Where that is nothing, a running netlabd also keeps the
# host's other networks apart, by more rules in the chain LAB-guard-forward; they are not below.
";

/// Prints the lines that build the lab by hand. Without a daemon the installed program plans.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    format: Output,
    args: &ShowCommands,
) -> Result<u8, Failure> {
    let file = LabFile::read(&args.file.file, &args.file.given.settings)?;
    let request = PlanLabRequest { lab: Some(file.lab.clone()), from_scratch: true };
    let mut offline = false;
    let answer = match connect().await {
        Ok(client) => {
            if let Some(unknown) = client.unknown("netlab.v1.PlanLabRequest", &request).await {
                return Err(file.refuse(&unknown));
            }
            client.labs().plan_lab(request).await.map(tonic::Response::into_inner)
        }
        Err(failure) if failure.code == NO_DAEMON => {
            let Some(program) = program() else {
                let text = format!("{}; without a daemon this needs the program netlabd", failure.text());
                return Err(Failure::new(NO_DAEMON, text));
            };
            offline = true;
            ask(&program, &request)?
        }
        Err(failure) => return Err(failure),
    };
    let answer = answer.map_err(|status| file.explain(&status).unwrap_or_else(|| status.into()))?;
    let plan = answer.plan.clone().unwrap_or_default();
    let less = offline && file.lab.host.as_ref().is_some_and(|host| host.forwarding);
    output::result(format, &plan, || match (args.exact, less) {
        (true, true) => format!("{LESS}{}", exact(&answer)),
        (true, false) => exact(&answer),
        (false, _) => plain(&answer),
    })?;
    Ok(DONE)
}

fn exact(answer: &PlanLabResponse) -> String {
    let changes = answer.plan.iter().flat_map(|plan| &plan.changes);
    let commands = changes.filter(|change| !change.command.is_empty());
    commands.fold(String::new(), |text, change| text + &change.command + "\n")
}

/// Groups with an empty line between. An older netlabd has none.
fn plain(answer: &PlanLabResponse) -> String {
    if answer.by_hand.is_empty() {
        return exact(answer);
    }
    let group = |group: &CommandGroup| {
        let comment = group.comment.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines = group.commands.iter().map(|line| format!("{line}\n"));
        format!("# {comment}\n{}", lines.collect::<String>())
    };
    answer.by_hand.iter().map(group).collect::<Vec<_>>().join("\n")
}

/// The installed netlabd: beside this program, in `PATH`, or where root's programs are.
fn program() -> Option<PathBuf> {
    let own = env::current_exe().ok().and_then(|own| own.parent().map(PathBuf::from));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = own.into_iter().chain(env::split_paths(&path)).chain(FOLDERS.map(PathBuf::from));
    let programs = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join("netlabd"));
    programs.into_iter().find(|file| file.is_file())
}

/// Lets a netlabd plan that is run for this alone.
fn ask(program: &PathBuf, request: &PlanLabRequest) -> Result<Result<PlanLabResponse, Status>, Failure> {
    let failed =
        |error: io::Error| Failure::new(FAILED, format!("running {} --plan: {error}", program.display()));
    let strange = || Failure::new(FAILED, format!("{} --plan gave no answer", program.display()));
    let mut child = Command::new(program)
        .arg("--plan")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    // It reads all before it answers; what it does not want to read, its answer tells.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&request.encode_to_vec()));
    let done = child.wait_with_output().map_err(failed)?;
    if done.status.success() {
        return PlanLabResponse::decode(done.stdout.as_slice()).map(Ok).map_err(|_| strange());
    }
    let status = pb::Status::decode(done.stdout.as_slice()).map_err(|_| strange())?;
    if status.code == 0 {
        return Err(strange());
    }
    let code = Code::from_i32(status.code);
    Ok(Err(Status::with_details(code, status.message, done.stdout.into())))
}
