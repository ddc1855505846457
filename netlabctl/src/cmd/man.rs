//! `man`: the manual pages, from the command line's own description. For packages.

use std::path::Path;

use super::DONE;
use crate::{
    cli,
    error::{FAILED, Failure},
};

/// Writes netlabctl.1 and a page for each command into a folder.
pub(super) fn run(dir: &Path) -> Result<u8, Failure> {
    let failed = |error| Failure::new(FAILED, format!("writing to {}: {error}", dir.display()));
    clap_mangen::generate_to(cli::command(), dir).map_err(failed)?;
    for file in std::fs::read_dir(dir).map_err(failed)? {
        let path = file.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("netlabctl") && name.ends_with(".1") {
            let page = std::fs::read_to_string(&path).map_err(failed)?;
            std::fs::write(&path, completed(&name, &page)).map_err(failed)?;
        }
    }
    Ok(DONE)
}

/// A page with what the command line's description does not hold.
fn completed(name: &str, page: &str) -> String {
    let first = name == "netlabctl.1";
    let page =
        page.replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n").replace(".SH EXTRA\n", ".SH MORE OPTIONS\n");
    let others = if first { "" } else { ".BR netlabctl (1),\n" };
    format!("{}\n{EXIT_STATUS}{ENVIRONMENT}{FILES}.SH SEE ALSO\n{others}{SEE_ALSO}", page.trim_end())
}

const EXIT_STATUS: &str = r".SH EXIT STATUS
.TS
l l.
0	done
1	the daemon refused or failed
2	wrong use, or an invalid lab file
3	no daemon reached
4	not found
5	exists or conflicts
6	not permitted
7	a check failed
8	\-\-dry\-run found changes
130	stopped by Ctrl\-C
.TE
.PP
exec and shell give the command's own code; 125 where netlabctl itself failed, 126 where the command cannot be run, 127
where there is none, and 128 + N where signal N ended it.
";

const ENVIRONMENT: &str = r".SH ENVIRONMENT
.TP
.B NETLAB_HOST
Where the daemon is, as \-\-host.
.TP
.B NETLAB_CONTEXT
As \-\-context.
.TP
.B NETLAB_CERT, NETLAB_KEY, NETLAB_CA
As \-\-tls\-cert, \-\-tls\-key and \-\-tls\-ca.
";

const FILES: &str = r".SH FILES
.TP
.I /run/netlabd/netlabd.sock
The daemon of this machine.
.TP
.I ~/.config/netlab/config.toml
Contexts; with client.crt, client.key and ca.crt beside it where they name no others.
.TP
.I ~/.config/netlab/pki
The authority of netlabctl pki.
.TP
.I /usr/share/netlab/labs
Example labs.
";

const SEE_ALSO: &str = r".BR netlab\-lab (5),
.BR netlabd (8),
.BR ip\-netns (8),
.BR tcpdump (8)
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        let page = std::fs::read_to_string(dir.path().join("netlabctl-create-lab.1")).unwrap();
        assert!(page.contains("netlabctl\\-create\\-lab"), "{page}");
        for heading in ["EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            assert!(
                page.contains(&format!("\n.SH {heading}\n"))
                    || page.contains(&format!("\n.SH \"{heading}\"\n")),
                "{heading}: {page}"
            );
        }
        assert!(dir.path().join("netlabctl.1").exists());
        assert!(!dir.path().join("netlabctl-dial-stdio.1").exists());
    }
}
