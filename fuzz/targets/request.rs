//! Bytes as the message of a request: validated, and a lab that is accepted is planned.

#![no_main]

use std::{collections::BTreeMap, sync::Arc};

use libfuzzer_sys::fuzz_target;
use netlab_proto::v1 as proto;
use netlabd::{
    convert,
    model::{Place, observed::Observed},
    plan::{Target, diff},
};
use prost::Message as _;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = proto::Lab::decode(bytes) else { return };
    let read = convert::lab(&message);
    assert_eq!(read, convert::lab(&message), "the same answer twice");
    let lab = match read {
        Ok(lab) => lab,
        Err(faults) => {
            assert!(!faults.0.is_empty(), "a lab that is refused has a fault");
            return;
        }
    };
    let target = Target::new(&lab, "uid");
    let host = (Place::Host, Arc::default());
    let nothing = Observed { places: BTreeMap::from([host]), ..Observed::default() };
    let plan = diff(&target, &nothing);
    for op in plan.ops() {
        let _ = (op.to_string(), op.finding(), op.object());
    }
    assert!(diff(&Target::default(), &nothing).is_empty(), "nothing is wanted and nothing is there");
});
