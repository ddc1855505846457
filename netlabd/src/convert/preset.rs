//! Impairments by name. Figures and where they come from: docs/lab-file.md.

use netlab_proto::v1 as proto;

use super::selector;
use crate::input::{Path, Sink};

/// What a name stands for, each direction: what an author would write.
#[derive(Debug)]
struct Preset {
    name: &'static str,
    delay: &'static str,
    jitter: &'static str,
    distribution: &'static str,
    loss: &'static str,
    loss_burst: Option<u32>,
    rate: &'static str,
}

/// One that says nothing.
const NONE: Preset =
    Preset { name: "", delay: "", jitter: "", distribution: "", loss: "", loss_burst: None, rate: "" };

/// All of them.
const PRESETS: [Preset; 8] = [
    Preset { name: "dsl", delay: "25ms", rate: "1500kbit", ..NONE },
    Preset { name: "cable", delay: "14ms", rate: "5mbit", ..NONE },
    Preset { name: "4g", delay: "25ms", jitter: "5ms", distribution: "normal", rate: "15mbit", ..NONE },
    Preset { name: "3g", delay: "150ms", jitter: "20ms", distribution: "normal", rate: "1600kbit", ..NONE },
    Preset {
        name: "wifi",
        delay: "5ms",
        jitter: "5ms",
        distribution: "pareto",
        loss: "0.1%",
        rate: "50mbit",
        ..NONE
    },
    Preset { name: "satellite_geo", delay: "300ms", rate: "100mbit", ..NONE },
    Preset {
        name: "satellite_leo",
        delay: "25ms",
        jitter: "10ms",
        distribution: "normal",
        loss: "0.4%",
        loss_burst: Some(3),
        rate: "150mbit",
    },
    Preset { name: "lossy", loss: "5%", ..NONE },
];

/// The values of the preset that a message names, and its own over them.
pub(super) fn apply(message: &proto::Impair, path: &Path, sink: &mut Sink) -> proto::Impair {
    let mut all = message.clone();
    if message.preset.is_empty() {
        return all;
    }
    let words = PRESETS.each_ref().map(|preset| (preset.name, preset));
    let Some(preset) = selector::word(&message.preset, &words, "preset", &path.field("preset"), sink) else {
        return all;
    };
    let texts = [
        (&mut all.delay, preset.delay),
        (&mut all.jitter, preset.jitter),
        (&mut all.distribution, if message.jitter.is_empty() { preset.distribution } else { "" }),
        (&mut all.loss, preset.loss),
        (&mut all.rate, preset.rate),
    ];
    for (own, given) in texts.into_iter().filter(|(own, _)| own.is_empty()) {
        given.clone_into(own);
    }
    // What is said of a thing is not mixed with what the preset has of it.
    if message.loss.is_empty() {
        all.loss_burst = all.loss_burst.or(preset.loss_burst);
    }
    all
}

/// All of them as messages.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = proto::Impair> {
    let message =
        |preset: &Preset| proto::Impair { preset: preset.name.to_owned(), ..proto::Impair::default() };
    PRESETS.iter().map(message).map(|message| apply(&message, &Path::root(), &mut Sink::default()))
}
