//! The options of netem (`TCA_OPTIONS`), after `linux/pkt_sched.h` and `net/sched/sch_netem.c`. All that it has is sent
//! each time: a change keeps what it does not name (`netem_change`).

use netlink_packet_core::NlasIterator;

use super::distribution;
use crate::model::{Impairment, Loss, Probability};

/// `TCA_NETEM_*`.
const CORR: u16 = 1;
const DELAY_DIST: u16 = 2;
const REORDER: u16 = 3;
const CORRUPT: u16 = 4;
const LOSS: u16 = 5;
const RATE: u16 = 6;
const ECN: u16 = 7;
const RATE64: u16 = 8;
const LATENCY64: u16 = 10;
const JITTER64: u16 = 11;
const SLOT: u16 = 12;
const PRNG_SEED: u16 = 14;
/// `NETEM_LOSS_GE`: the model of Gilbert and Elliott.
const LOSS_GE: u16 = 2;
/// `NLA_F_NESTED` and `NLA_TYPE_MASK` of `linux/netlink.h`.
const NESTED: u16 = 1 << 15;
const TYPE: u16 = 0x3fff;

/// `sizeof(struct tc_netem_qopt)`: six numbers, of which times are in units of 64 ns.
const HEAD: usize = 24;
const TICK: u64 = 64;

/// The bytes of an impairment.
pub(super) fn encode(wanted: &Impairment) -> Vec<u8> {
    let ticks = |time: u64| u32::try_from(time / TICK).unwrap_or(u32::MAX);
    let loss = if let Loss::Random(loss) = wanted.loss { loss } else { Probability::NEVER };
    // With a gap of 1 each packet may be one that does not wait.
    let gap = u32::from(wanted.reorder != Probability::NEVER);
    let head =
        [ticks(wanted.delay), wanted.limit, loss.get(), gap, wanted.duplicate.get(), ticks(wanted.jitter)];
    let mut bytes = numbers(&head);
    attribute(CORR, &numbers(&[wanted.correlation.get(), 0, 0]), &mut bytes);
    attribute(REORDER, &numbers(&[wanted.reorder.get(), 0]), &mut bytes);
    attribute(CORRUPT, &numbers(&[wanted.corrupt.get(), 0]), &mut bytes);
    if let Loss::Bursts { begin, end } = wanted.loss {
        let mut model = Vec::new();
        attribute(LOSS_GE, &numbers(&[begin.get(), end.get(), 0, 0]), &mut model);
        attribute(LOSS | NESTED, &model, &mut bytes);
    }
    let rate = u32::try_from(wanted.rate);
    attribute(RATE, &numbers(&[rate.unwrap_or(u32::MAX), 0, 0, 0]), &mut bytes);
    if rate.is_err() {
        attribute(RATE64, &wanted.rate.to_ne_bytes(), &mut bytes);
    }
    attribute(ECN, &numbers(&[0]), &mut bytes);
    attribute(LATENCY64, &wanted.delay.to_ne_bytes(), &mut bytes);
    attribute(JITTER64, &wanted.jitter.to_ne_bytes(), &mut bytes);
    // `struct tc_netem_slot`.
    attribute(SLOT, &[0; 40], &mut bytes);
    if let Some(seed) = wanted.seed {
        attribute(PRNG_SEED, &seed.to_ne_bytes(), &mut bytes);
    }
    if wanted.jitter > 0 {
        let table = distribution::table(wanted.distribution).iter();
        attribute(DELAY_DIST, &table.flat_map(|entry| entry.to_ne_bytes()).collect::<Vec<_>>(), &mut bytes);
    }
    bytes
}

/// What the kernel shows, the distribution apart; `None` where that is more than an impairment says.
pub(super) fn decode(bytes: &[u8]) -> Option<Impairment> {
    let head: Vec<u32> = (0..HEAD / 4).map_while(|number| u32_at(bytes, number)).collect();
    let [latency, limit, loss, gap, duplicate, jitter] = head[..] else { return None };
    let mut seen = Impairment {
        delay: u64::from(latency) * TICK,
        jitter: u64::from(jitter) * TICK,
        loss: Loss::Random(Probability::from_kernel(loss)),
        duplicate: Probability::from_kernel(duplicate),
        limit,
        ..Impairment::default()
    };
    let mut strange = gap > 1;
    for nla in NlasIterator::new(bytes.get(HEAD..)?).flatten() {
        let value = nla.value();
        let number = |place| u32_at(value, place).unwrap_or(0);
        match nla.kind() & TYPE {
            CORR => {
                seen.correlation = Probability::from_kernel(number(0));
                strange |= (number(1), number(2)) != (0, 0);
            }
            REORDER => {
                seen.reorder = Probability::from_kernel(number(0));
                strange |= number(1) != 0;
            }
            CORRUPT => {
                seen.corrupt = Probability::from_kernel(number(0));
                strange |= number(1) != 0;
            }
            LOSS => match bursts(value) {
                Some(loss) => seen.loss = loss,
                None => strange = true,
            },
            RATE => {
                seen.rate = seen.rate.max(number(0).into());
                strange |= [1, 2, 3].into_iter().any(|place| number(place) != 0);
            }
            RATE64 => seen.rate = u64_of(value)?,
            LATENCY64 => seen.delay = u64_of(value)?,
            JITTER64 => seen.jitter = u64_of(value)?,
            PRNG_SEED => seen.seed = Some(u64_of(value)?),
            ECN => strange |= number(0) != 0,
            SLOT => strange |= value.iter().any(|byte| *byte != 0),
            _ => {}
        }
    }
    strange |= (gap == 1) != (seen.reorder != Probability::NEVER);
    (!strange).then_some(seen)
}

fn bursts(model: &[u8]) -> Option<Loss> {
    let model = NlasIterator::new(model).flatten().find(|nla| nla.kind() & TYPE == LOSS_GE)?;
    let number = |place| u32_at(model.value(), place);
    let (begin, end) = (Probability::from_kernel(number(0)?), Probability::from_kernel(number(1)?));
    (number(2)? == 0 && number(3)? == 0).then_some(Loss::Bursts { begin, end })
}

/// `struct nlattr`: length and kind, then the value, filled up to a multiple of four.
fn attribute(kind: u16, value: &[u8], bytes: &mut Vec<u8>) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    let bytes = bytes.get(place * 4..place * 4 + 4)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn u64_of(bytes: &[u8]) -> Option<u64> {
    bytes.get(..8)?.try_into().ok().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Distribution;

    fn share(share: u32) -> Probability {
        Probability::from_kernel(share)
    }

    #[test]
    fn what_is_sent_is_what_is_shown() {
        let all = Impairment {
            delay: 20_000_001,
            jitter: 2_000_000,
            correlation: share(7),
            distribution: Distribution::Normal,
            loss: Loss::Random(share(9)),
            duplicate: share(1),
            corrupt: share(2),
            reorder: share(3),
            rate: 6_000_000_000,
            limit: 117,
            seed: Some(u64::MAX),
        };
        let bursts = Loss::Bursts { begin: share(5), end: share(6) };
        for wanted in [Impairment::default(), all.clone(), Impairment { loss: bursts, rate: 8_000, ..all }] {
            let seen = decode(&encode(&wanted)).unwrap();
            assert!(wanted.is_shown_as(&seen), "{wanted}: {seen}");
        }
    }
}
