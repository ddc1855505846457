//! Impairments: what a wire does to what is sent over it.

use netlab_proto::{range, v1 as proto};

use super::{preset, selector};
use crate::{
    input::{Path, Sink, quantity},
    model::{Distribution, Impairment, Loss, NameError, Probability},
};

/// The longest delay: light takes as long to a planet.
const LONGEST: u64 = 3_600_000_000_000;
/// The longest jitter that the kernel keeps to (`netem_change` in `net/sched/sch_netem.c`: 2^31 - 1 ns).
const MOST_JITTER: u64 = 2_000_000_000;
/// Rates in bytes a second: 1 kbit/s and 100 Gbit/s.
const RATES: std::ops::RangeInclusive<u64> = 125..=12_500_000_000;
/// Bytes of a full frame: those of an MTU of 1,500 and the Ethernet header, as the kernel counts them.
const FRAME: u128 = 1514;
/// Packets that there is room for at most, on their way or waiting.
const MOST_PACKETS: u128 = 1_000_000;
/// The same where no rate is said.
const MOST_AT_ANY_RATE: u128 = 100_000;
const SECOND: u128 = 1_000_000_000;

/// Reads an impairment; `None` where something is at fault.
pub(super) fn read(message: &proto::Impair, path: &Path, sink: &mut Sink) -> Option<Impairment> {
    let message = &preset::apply(message, path, sink);
    let delay = read_delay(&message.delay, &path.field("delay"), sink);
    let jitter = read_jitter(&message.jitter, delay, &path.field("jitter"), sink);
    let share =
        |field, text: &str, sink: &mut Sink| value(text, quantity::probability, &path.field(field), sink);
    let correlation = share("correlation", &message.correlation, sink);
    let distribution = read_distribution(&message.distribution, &path.field("distribution"), sink);
    let loss = share("loss", &message.loss, sink);
    let loss = loss.and_then(|loss| read_loss(loss, message.loss_burst, &path.field("loss_burst"), sink));
    let duplicate = share("duplicate", &message.duplicate, sink);
    let corrupt = share("corrupt", &message.corrupt, sink);
    let reorder = share("reorder", &message.reorder, sink);
    let rate = read_rate(&message.rate, &path.field("rate"), sink);
    if jitter == Some(0) {
        of_jitter(&message.correlation, &path.field("correlation"), sink);
        of_jitter(&message.distribution, &path.field("distribution"), sink);
    }
    if delay == Some(0) && reorder.is_some_and(|share| share != Probability::NEVER) {
        sink.add(&path.field("reorder"), "packets overtake others that wait; give a delay too");
    }
    let (delay, jitter, rate) = (delay?, jitter?, rate?);
    let limit = read_limit(delay + 4 * jitter, rate, message.queue, path, sink);
    Some(Impairment {
        delay,
        jitter,
        correlation: correlation?,
        distribution: distribution?,
        loss: loss?,
        duplicate: duplicate?,
        corrupt: corrupt?,
        reorder: reorder?,
        rate,
        limit: Impairment::limit(limit?, jitter, distribution?),
        seed: message.seed.map(u64::from),
    })
}

/// Reads a text that may be left out.
fn value<T: Default>(
    text: &str,
    read: fn(&str) -> Result<T, NameError>,
    path: &Path,
    sink: &mut Sink,
) -> Option<T> {
    if text.is_empty() { Some(T::default()) } else { sink.keep_text(path, text, read(text)) }
}

fn read_delay(text: &str, path: &Path, sink: &mut Sink) -> Option<u64> {
    let delay = value(text, quantity::time, path, sink)?;
    if delay > LONGEST {
        sink.add(path, format!("{text} is above an hour, the longest delay; lower it"));
        return None;
    }
    Some(delay)
}

fn read_jitter(text: &str, delay: Option<u64>, path: &Path, sink: &mut Sink) -> Option<u64> {
    let jitter = value(text, quantity::time, path, sink)?;
    match delay {
        _ if jitter > MOST_JITTER => sink.add(path, format!("{text} is above 2s, the most; lower it")),
        Some(0) if jitter > 0 => {
            sink.add(path, format!("{text} is how far the delay varies; give a delay too"));
        }
        Some(delay) if jitter > delay => {
            let message = format!(
                "{text} is above the delay: nothing arrives before it is sent; lower it or raise delay"
            );
            sink.add(path, message);
        }
        _ => return Some(jitter),
    }
    None
}

fn of_jitter(text: &str, path: &Path, sink: &mut Sink) {
    if !text.is_empty() {
        sink.add(path, "is that of the jitter; give jitter too, or leave it out");
    }
}

fn read_distribution(text: &str, path: &Path, sink: &mut Sink) -> Option<Distribution> {
    if text.is_empty() {
        return Some(Distribution::Uniform);
    }
    selector::word(text, &Distribution::ALL.map(|it| (it.as_str(), it)), "distribution", path, sink)
}

/// The chances of the model of Gilbert and Elliott by which the share `loss` is lost, `burst` packets at a time.
fn read_loss(loss: Probability, burst: Option<u32>, path: &Path, sink: &mut Sink) -> Option<Loss> {
    let Some(burst) = burst else { return Some(Loss::Random(loss)) };
    if !range::LOSS_BURST.contains(&burst) {
        let message =
            format!("{burst} is not how many packets are lost at a time: 2 to 1,000, or leave it out");
        sink.add(path, message);
        return None;
    }
    if loss == Probability::NEVER {
        sink.add(path, "is how many packets are lost at a time; give loss too, such as 1%");
        return None;
    }
    let most = Probability::ratio(burst.into(), u128::from(burst) + 1);
    if loss > most {
        let message =
            format!("{burst} packets at a time cannot make more than {most} of all, and loss is {loss}");
        sink.add(path, format!("{message}; raise it, or lower loss"));
        return None;
    }
    // The share of packets in the bad state is p / (p + r), and the mean stay there 1 / r.
    let end = Probability::ratio(1, burst.into());
    let (gone, kept) = (u128::from(loss.get()), u128::from(u32::MAX - loss.get()));
    Some(Loss::Bursts { begin: Probability::ratio(gone, kept * u128::from(burst)), end })
}

fn read_rate(text: &str, path: &Path, sink: &mut Sink) -> Option<u64> {
    let rate = value(text, quantity::rate, path, sink)?;
    if rate != 0 && !RATES.contains(&rate) || rate == 0 && !text.is_empty() {
        sink.add(path, format!("{text} is not a rate of 1kbit to 100gbit; change it, or leave it out"));
        return None;
    }
    Some(rate)
}

/// How many packets there is room for: those on their way, and those that wait for the rate.
fn read_limit(delay: u64, rate: u64, queue: Option<u32>, path: &Path, sink: &mut Sink) -> Option<u32> {
    /// Where no rate is said, room for a gigabit a second.
    const ANY_RATE: u64 = 125_000_000;
    /// Packets that wait where nothing is said.
    const ROOM: u128 = 1000;
    let at = path.field("queue");
    if queue.is_some_and(|queue| !range::QUEUE.contains(&queue)) {
        sink.add(&at, "is not how many packets may wait: 1 to 1,000,000");
        return None;
    }
    let on_their_way = |rate: u64| (u128::from(delay) * u128::from(rate)).div_ceil(SECOND * FRAME);
    if rate == 0 {
        if queue.is_some() {
            sink.add(&at, "is how many packets wait for the rate; give rate too, or leave it out");
            return None;
        }
        return u32::try_from((on_their_way(ANY_RATE) + ROOM).min(MOST_AT_ANY_RATE)).ok();
    }
    let tenth = (u128::from(rate) / 10).div_ceil(FRAME).max(50);
    let limit = on_their_way(rate) + queue.map_or(tenth, u128::from);
    if limit > MOST_PACKETS {
        let message = format!(
            "{limit} packets would be on their way or wait, and there is room for 1,000,000; lower delay, rate or queue"
        );
        sink.add(path, message);
        return None;
    }
    u32::try_from(limit).ok()
}
