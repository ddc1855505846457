//! The process itself, under the names that Prometheus' own clients use, proc(5).

use std::fmt;

use procfs::{ProcResult, WithCurrentSystemInfo, process};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// Looks at this process.
#[derive(Debug)]
pub(super) struct Process;

/// What is told of a process.
struct ProcessStat {
    cpu_seconds: f64,
    start_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_fds: u64,
    max_fds: u64,
    threads: u64,
}

fn look() -> ProcResult<ProcessStat> {
    let process = process::Process::myself()?;
    let stat = process.stat()?;
    #[allow(clippy::cast_precision_loss)] // ticks since boot are far below 2^52
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    #[allow(clippy::cast_precision_loss)] // so are seconds since 1970
    let boot = procfs::boot_time_secs()? as f64;
    let max_fds = match process.limits()?.max_open_files.soft_limit {
        process::LimitValue::Value(most) => most,
        process::LimitValue::Unlimited => u64::MAX,
    };
    Ok(ProcessStat {
        cpu_seconds: seconds(stat.utime + stat.stime),
        start_seconds: boot + seconds(stat.starttime),
        resident_bytes: stat.rss_bytes().get(),
        virtual_bytes: stat.vsize,
        open_fds: process.fd_count()? as u64,
        max_fds,
        threads: u64::try_from(stat.num_threads).unwrap_or_default(),
    })
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Without /proc there is nothing to tell; the rest of the metrics is still worth having.
        let Ok(seen) = look() else { return Ok(()) };
        let help = "CPU time used, user and system.";
        let metric =
            encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
        ConstCounter::new(seen.cpu_seconds).encode(metric)?;
        let help = "When the process started, since 1970.";
        let metric =
            encoder.encode_descriptor("process_start_time", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(seen.start_seconds).encode(metric)?;
        for (name, unit, help, value) in [
            ("process_resident_memory", Some(&Unit::Bytes), "Resident memory.", seen.resident_bytes),
            ("process_virtual_memory", Some(&Unit::Bytes), "Virtual memory.", seen.virtual_bytes),
            ("process_open_fds", None, "Open file descriptors.", seen.open_fds),
            ("process_max_fds", None, "Most file descriptors that may be open.", seen.max_fds),
            ("process_threads", None, "Threads.", seen.threads),
        ] {
            let metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let seen = look().unwrap();
        assert!(seen.resident_bytes > 1 << 20 && seen.virtual_bytes > seen.resident_bytes);
        assert!(seen.open_fds >= 3 && seen.max_fds > seen.open_fds && seen.threads >= 1);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - seen.start_seconds).abs() < 3_600.0, "the test began within the last hour");
    }
}
