//! Bytes as a lab file: a lab or faults, and a lab goes on to the daemon's own checks.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match netlabctl::read_lab("file", bytes) {
        Ok(lab) => {
            let _ = netlabd::convert::lab(&lab);
        }
        Err(lines) => {
            assert!(!lines.is_empty(), "a file that is refused has a fault");
            assert!(lines.iter().all(|line| line.starts_with("file:")), "{lines:?}");
        }
    }
});
