//! Check results as `JUnit` XML, which test runners and forges read.

use std::fmt::Write as _;

use netlab_proto::v1::CheckResult;

use super::reachable;
use crate::output::xml::escape;

/// Writes one test suite, a test case a check.
pub(super) fn write(lab: &str, results: &[CheckResult]) -> String {
    let failures = results.iter().filter(|result| !result.passed).count();
    let lab = escape(lab);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, r#"<testsuite name="{lab}" tests="{}" failures="{failures}">"#, results.len());
    for result in results {
        let check = result.check.clone().unwrap_or_default();
        let expected = reachable(check.reachable != Some(false));
        let name = escape(&format!("{} to {} is {expected}", check.from, check.to));
        let seconds = format!("{}.{:06}", result.rtt_us / 1_000_000, result.rtt_us % 1_000_000);
        let _ = write!(out, r#"  <testcase classname="{lab}" name="{name}" time="{seconds}""#);
        if result.passed {
            out.push_str("/>\n");
        } else {
            let seen = escape(&format!("expected {expected}, seen {}", reachable(result.reachable)));
            let detail = escape(&result.detail);
            let _ = writeln!(out, ">\n    <failure message=\"{seen}\">{detail}</failure>\n  </testcase>");
        }
    }
    out + "</testsuite>\n"
}

#[cfg(test)]
mod tests {
    use netlab_proto::v1::Check;

    use super::*;

    #[test]
    fn a_failed_check_is_a_failure_and_no_text_breaks_the_xml() {
        let check = |to: &str| Some(Check { from: "a".to_owned(), to: to.to_owned(), reachable: Some(true) });
        let results = [
            CheckResult {
                check: check("b"),
                passed: true,
                reachable: true,
                rtt_us: 1500,
                ..Default::default()
            },
            CheckResult { check: check("<&\">"), detail: "x\u{1}\u{202e}<".to_owned(), ..Default::default() },
        ];
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="l" tests="2" failures="1">
  <testcase classname="l" name="a to b is reachable" time="0.001500"/>
  <testcase classname="l" name="a to &lt;&amp;&quot;&gt; is reachable" time="0.000000">
    <failure message="expected reachable, seen unreachable">x\u{1}\u{202e}&lt;</failure>
  </testcase>
</testsuite>
"#;
        assert_eq!(write("l", &results), expected);
    }
}
