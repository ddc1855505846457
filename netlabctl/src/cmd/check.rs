//! `check-lab`.

use netlab_proto::v1::{CheckLabRequest, CheckLabResponse, CheckResult};

use super::{DONE, junit, reachable};
use crate::{
    cli::{CheckLab, Output},
    client::Client,
    duration,
    error::{CHECK_FAILED, Failure},
    hint,
    output::{
        self,
        table::{self, clean},
    },
};

/// Runs the lab's checks; exit code 7 if one failed.
pub(super) async fn run(client: &Client, format: Output, args: &CheckLab) -> Result<u8, Failure> {
    let request = CheckLabRequest { name: args.name.clone(), timeout: Some(duration::message(args.timeout)) };
    let answer = match client.labs().check_lab(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, &args.name, &[]).await),
    };
    match format {
        Output::Junit => output::print(&junit::write(&args.name, &answer.results))?,
        format => output::result(format, &answer, || text(&answer))?,
    }
    Ok(if answer.results.iter().all(|result| result.passed) { DONE } else { CHECK_FAILED })
}

fn text(answer: &CheckLabResponse) -> String {
    let notes = answer.notes.iter().fold(String::new(), |all, note| all + "note: " + &clean(note) + "\n");
    let results = &answer.results;
    if results.is_empty() {
        return format!("the lab has no checks\n{notes}");
    }
    let rows: Vec<[String; 6]> = results.iter().map(row).collect();
    let passed = results.iter().filter(|result| result.passed).count();
    let table = table::write(["RESULT", "FROM", "TO", "EXPECTED", "SEEN", "DETAIL"], &rows);
    format!("{table}{passed} of {} passed\n{notes}", results.len())
}

fn row(result: &CheckResult) -> [String; 6] {
    let check = result.check.clone().unwrap_or_default();
    [
        if result.passed { "pass" } else { "FAIL" }.to_owned(),
        check.from,
        destination(&check.to, &result.address),
        reachable(check.reachable != Some(false)).to_owned(),
        seen(result),
        result.detail.clone(),
    ]
}

fn destination(to: &str, address: &str) -> String {
    if address.is_empty() || address == to { to.to_owned() } else { format!("{to} ({address})") }
}

fn seen(result: &CheckResult) -> String {
    if !result.reachable {
        return reachable(false).to_owned();
    }
    format!("{} in {}.{:03} ms", reachable(true), result.rtt_us / 1000, result.rtt_us % 1000)
}
