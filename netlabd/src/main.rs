//! The daemon.
fn main() {
    netlabd::sandbox::dispatch();
}
