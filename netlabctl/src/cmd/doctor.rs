//! `doctor`.

use netlab_proto::{
    REVISION,
    v1::{DiagnoseHostRequest, DiagnoseHostResponse, finding::Severity},
};

use super::DONE;
use crate::{
    cli::Output,
    client::Client,
    error::{FAILED, Failure},
    output::{self, table},
    version::VERSION,
};

/// Tells what the host can do; exit code 1 if no lab will work.
pub(super) async fn run(client: &Client, format: Output) -> Result<u8, Failure> {
    let answer = client.host().diagnose_host(DiagnoseHostRequest {}).await?.into_inner();
    output::result(format, &answer, || text(&answer))?;
    let broken = answer.findings.iter().any(|finding| finding.severity() == Severity::Error);
    Ok(if broken { FAILED } else { DONE })
}

fn text(answer: &DiagnoseHostResponse) -> String {
    let rows: Vec<[String; 4]> = answer
        .findings
        .iter()
        .map(|finding| {
            let severity = match finding.severity() {
                Severity::Unspecified => "unknown",
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            [severity.to_owned(), finding.area.clone(), finding.name.clone(), finding.message.clone()]
        })
        .collect();
    let versions = format!(
        "netlabd {} (API revision {}), Linux {}; netlabctl {VERSION} (API revision {REVISION})",
        answer.daemon_version,
        // The first one did not tell.
        answer.api_revision.max(1),
        answer.kernel_release
    );
    format!("{}\n{}", table::clean(&versions), table::write(["STATUS", "AREA", "NAME", "MESSAGE"], &rows))
}
