//! Tables of how delays vary. The kernel picks one of the values and takes it times the jitter (`tabledist` in
//! `net/sched/sch_netem.c`); it has no distribution but the uniform one by itself.
//!
//! A table has 4,096 values, each as likely as the others, in units of 1/8192 of the jitter (`NETEM_DIST_SCALE`), as
//! those of tc(8) have: what `tc ... distribution normal` does is done here too.

use std::sync::OnceLock;

use crate::model::Distribution;

/// Values of a table.
const SIZE: u32 = 4096;
/// `NETEM_DIST_SCALE` of `linux/pkt_sched.h`.
const SCALE: f64 = 8192.0;

/// The table of a distribution.
pub(super) fn table(distribution: Distribution) -> &'static [i16] {
    static TABLES: [OnceLock<Vec<i16>>; Distribution::ALL.len()] =
        [const { OnceLock::new() }; Distribution::ALL.len()];
    let place = Distribution::ALL.iter().position(|it| *it == distribution).unwrap_or(0);
    TABLES[place].get_or_init(|| match distribution {
        Distribution::Uniform => shares().map(|share| entry(2.0 * share - 1.0)).collect(),
        Distribution::Normal => normal().map(entry).collect(),
        Distribution::Pareto => shares().map(|share| entry(pareto(share))).collect(),
        Distribution::ParetoNormal => {
            let both = normal().zip(shares().map(pareto));
            both.map(|(normal, pareto)| entry(0.25 * normal + 0.75 * bounded(pareto))).collect()
        }
    })
}

/// The middle of each of as many equal parts of 0 to 1.
fn shares() -> impl Iterator<Item = f64> {
    (0..SIZE).map(|number| (f64::from(number) + 0.5) / f64::from(SIZE))
}

/// The value below which a share of the Pareto distribution of shape 3 lies, less its mean of 3/2, and times 4/3, so
/// that what a table can hold of it varies about as much as the others.
fn pareto(share: f64) -> f64 {
    ((1.0 - share).powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0
}

/// The value below which each share of the standard normal distribution lies: its density is summed up in small steps.
fn normal() -> impl Iterator<Item = f64> {
    const STEP: f64 = 1.0 / 4096.0;
    let density = |at: f64| (-at * at / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let (mut at, mut below) = (-6.0, 0.0);
    shares().map(move |share| {
        while below < share {
            below += STEP * density(at + STEP / 2.0);
            at += STEP;
        }
        at - (below - share) / density(at)
    })
}

/// The most that a table can hold.
fn bounded(value: f64) -> f64 {
    value.min(f64::from(i16::MAX) / SCALE)
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by what an entry can hold")]
fn entry(value: f64) -> i16 {
    (value * SCALE).round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and standard deviation, in times of the jitter.
    fn moments(table: &[i16]) -> (f64, f64) {
        let values = || table.iter().map(|entry| f64::from(*entry) / SCALE);
        let count = f64::from(SIZE);
        let mean = values().sum::<f64>() / count;
        (mean, (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
    }

    #[test]
    fn tables_are_of_their_distributions() {
        // The standard deviation of a uniform distribution from -1 to 1 is 1 / sqrt(3).
        for (distribution, mean, deviation) in [
            (Distribution::Uniform, 0.0, 0.5774),
            (Distribution::Normal, 0.0, 1.0),
            // Of tc(8)'s tables.
            (Distribution::Pareto, -0.0335, 0.8197),
            (Distribution::ParetoNormal, -0.0253, 0.8339),
        ] {
            let table = table(distribution);
            assert_eq!(table.len(), 4096);
            assert!(table.is_sorted(), "{distribution:?}");
            let (is_mean, is_deviation) = moments(table);
            let near = |a: f64, b: f64| (a - b).abs() < 0.002;
            assert!(
                near(is_mean, mean) && near(is_deviation, deviation),
                "{distribution:?}: {is_mean} {is_deviation}"
            );
        }
        let normal = table(Distribution::Normal);
        // Its quartiles are 0.6745 standard deviations from the mean.
        assert!((i32::from(normal[1024]) + 5525).abs() < 8 && (i32::from(normal[3072]) - 5525).abs() < 8);
        assert_eq!(table(Distribution::Pareto)[0], -5461);
        assert_eq!(table(Distribution::Pareto)[4095], i16::MAX);
    }
}
