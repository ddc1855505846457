//! What a wire does to what is sent over it, as netem has it (tc-netem(8)).

use std::{fmt, time::Duration};

use super::Probability;

/// What becomes of what leaves an interface. All values are the kernel's own, to the last unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Impairment {
    /// How long a packet takes, in nanoseconds.
    pub delay: u64,
    /// How far the delay varies, in nanoseconds: to either side where the distribution is uniform, else one standard
    /// deviation.
    pub jitter: u64,
    /// How much of a packet's variation is that of the packet before.
    pub correlation: Probability,
    /// How delays are distributed.
    pub distribution: Distribution,
    /// What is lost.
    pub loss: Loss,
    /// How many packets arrive twice.
    pub duplicate: Probability,
    /// In how many packets one bit is flipped.
    pub corrupt: Probability,
    /// How many packets do not wait, and so overtake others.
    pub reorder: Probability,
    /// In bytes a second; 0: no bound.
    pub rate: u64,
    /// How many packets there is room for, those on their way included.
    pub limit: u32,
    /// What chance begins with; `None`: whatever the kernel chooses.
    pub seed: Option<u64>,
}

/// How delays vary around their mean, or around the delay that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// All alike between the ends.
    #[default]
    Uniform,
    /// A bell.
    Normal,
    /// Few, but far ones on the side of long delays.
    Pareto,
    /// A quarter of the normal and three quarters of the Pareto distribution.
    ParetoNormal,
}

impl Distribution {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Uniform, Self::Normal, Self::Pareto, Self::ParetoNormal];

    /// Its name in tc-netem(8).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
            Self::ParetoNormal => "paretonormal",
        }
    }
}

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Each packet by itself.
    Random(Probability),
    /// By the model of Gilbert and Elliott: nothing in the good state, everything in the bad one.
    Bursts {
        /// From good to bad, with each packet (`p`).
        begin: Probability,
        /// From bad to good, with each packet (`r`).
        end: Probability,
    },
}

impl Default for Loss {
    fn default() -> Self {
        Self::Random(Probability::NEVER)
    }
}

impl Impairment {
    /// The limit that tells the distribution as well, which the kernel does not show: its remainder by four is the place
    /// among [`Distribution::ALL`], so that another distribution is seen to be one.
    pub fn limit(least: u32, jitter: u64, distribution: Distribution) -> u32 {
        if jitter == 0 {
            return least;
        }
        let place = Distribution::ALL.iter().position(|it| *it == distribution);
        let place = place.and_then(|place| u32::try_from(place).ok()).unwrap_or(0);
        least.next_multiple_of(4) + place
    }

    /// Whether all packets pass as they are, at once.
    pub fn is_nothing(&self) -> bool {
        *self == Self { limit: self.limit, seed: self.seed, ..Self::default() }
    }

    /// Whether it matters how many packets there are. It does not to a delay that is the same for all.
    pub fn counts_packets(&self) -> bool {
        let delay = Self { delay: self.delay, ..Self::default() };
        *self != Self { limit: self.limit, seed: self.seed, ..delay }
    }

    /// Whether what the kernel shows of a qdisc is this. It shows no distribution, which the limit tells, and before Linux
    /// 6.6 no seed.
    pub fn is_shown_as(&self, seen: &Self) -> bool {
        let unseen = Self { distribution: self.distribution, seed: seen.seed.or(self.seed), ..seen.clone() };
        *self == unseen
    }
}

impl Impairment {
    /// What a reader is told of it, such as `delay 20ms 2ms loss 0.5%`.
    pub fn words(&self) -> String {
        let Self { delay, jitter, correlation, distribution, loss, rate, .. } = self;
        let mut words = Vec::new();
        words.extend((*delay > 0).then(|| format!("delay {}", Time(*delay))));
        if *jitter > 0 {
            words.push(Time(*jitter).to_string());
            words.extend((*correlation != Probability::NEVER).then(|| correlation.to_string()));
            let distribution = Some(distribution).filter(|it| **it != Distribution::Uniform);
            words.extend(distribution.map(|it| format!("distribution {}", it.as_str())));
        }
        match loss {
            Loss::Random(loss) => words.extend(share("loss", *loss)),
            Loss::Bursts { begin, end } => words.push(format!("loss gemodel {begin} {end}")),
        }
        words.extend(share("duplicate", self.duplicate));
        words.extend(share("corrupt", self.corrupt));
        words.extend(share("reorder", self.reorder));
        words.extend((*rate > 0).then(|| format!("rate {}", Rate(*rate))));
        words.join(" ")
    }
}

fn share(word: &str, share: Probability) -> Option<String> {
    (share != Probability::NEVER).then(|| format!("{word} {share}"))
}

impl fmt::Display for Impairment {
    /// All of it for tc-netem(8), such as `limit 1000 delay 20ms 2ms loss 0.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {}", self.limit)?;
        let words = self.words();
        let space = if words.is_empty() { "" } else { " " };
        write!(f, "{space}{words}")?;
        self.seed.map_or(Ok(()), |seed| write!(f, " seed {seed}"))
    }
}

/// Nanoseconds in words of tc(8).
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Duration::from_nanos(self.0);
        let (whole, rest, unit) = if time.as_secs() > 0 {
            (time.as_secs(), format!("{:09}", time.subsec_nanos()), "s")
        } else {
            (self.0 / 1_000_000, format!("{:06}", self.0 % 1_000_000), "ms")
        };
        let rest = rest.trim_end_matches('0');
        let dot = if rest.is_empty() { "" } else { "." };
        write!(f, "{whole}{dot}{rest}{unit}")
    }
}

/// Bytes a second as bits in words of tc(8).
struct Rate(u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1_000_000_000, "gbit"), (1_000_000, "mbit"), (1_000, "kbit")];
        let bits = self.0.saturating_mul(8);
        let (unit, name) =
            UNITS.into_iter().find(|(unit, _)| bits.is_multiple_of(*unit)).unwrap_or((1, "bit"));
        write!(f, "{}{name}", bits / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(percent: u64) -> Probability {
        Probability::from_percentage(percent * 1_000_000_000).unwrap()
    }

    #[test]
    fn words_are_those_of_tc() {
        let mut all =
            Impairment { limit: 117, delay: 20_000_000, jitter: 1_500_000, ..Impairment::default() };
        assert_eq!(all.to_string(), "limit 117 delay 20ms 1.5ms");
        all.correlation = percent(25);
        all.distribution = Distribution::ParetoNormal;
        all.loss = Loss::Random(percent(3));
        all.duplicate = percent(1);
        all.rate = 1_250_000;
        all.seed = Some(7);
        let said = "limit 117 delay 20ms 1.5ms 25% distribution paretonormal loss 3% duplicate 1% rate 10mbit seed 7";
        assert_eq!(all.to_string(), said);
        let bursts = Loss::Bursts { begin: percent(1), end: percent(20) };
        let other = Impairment {
            delay: 2_000_000_001,
            loss: bursts,
            reorder: percent(5),
            rate: 1,
            ..Impairment::default()
        };
        assert_eq!(other.to_string(), "limit 0 delay 2.000000001s loss gemodel 1% 20% reorder 5% rate 8bit");
    }

    #[test]
    fn the_limit_tells_the_distribution() {
        let limits = |least| Distribution::ALL.map(|distribution| Impairment::limit(least, 1, distribution));
        assert_eq!(limits(117), [120, 121, 122, 123]);
        assert_eq!(limits(120), [120, 121, 122, 123]);
        assert_eq!(Impairment::limit(117, 0, Distribution::Uniform), 117);
    }

    #[test]
    fn only_a_steady_delay_counts_no_packets() {
        let delay = Impairment { delay: 5, limit: 1000, seed: Some(1), ..Impairment::default() };
        assert!(!delay.counts_packets() && !delay.is_nothing());
        assert!(Impairment { limit: 9, seed: Some(1), ..Impairment::default() }.is_nothing());
        assert!(Impairment { jitter: 1, ..delay.clone() }.counts_packets());
        assert!(Impairment { rate: 1, ..delay }.counts_packets());
    }

    #[test]
    fn what_the_kernel_does_not_show_is_not_missed() {
        let want = Impairment {
            jitter: 5,
            distribution: Distribution::Normal,
            seed: Some(1),
            ..Impairment::default()
        };
        let shown = Impairment { distribution: Distribution::Uniform, ..want.clone() };
        assert!(want.is_shown_as(&shown));
        assert!(want.is_shown_as(&Impairment { seed: None, ..shown.clone() }), "an older kernel");
        assert!(!want.is_shown_as(&Impairment { seed: Some(2), ..shown.clone() }));
        assert!(!want.is_shown_as(&Impairment { limit: 1, ..shown }));
    }
}
