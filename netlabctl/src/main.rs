//! netlabctl: the thin client of netlabd.

fn main() -> std::process::ExitCode {
    netlabctl::main()
}
