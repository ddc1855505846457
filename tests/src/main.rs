//! Runs the end to end tests; `netlab-tests --help` tells how.

fn main() -> std::process::ExitCode {
    netlab_tests::cli::main()
}
