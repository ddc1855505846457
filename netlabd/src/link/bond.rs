//! Bonds: several interfaces that work as one (Documentation/networking/bonding.rst of the kernel).

use netlab_proto::{range, v1 as proto};
use netlink_packet_route::link::{InfoBond, InfoData};

use super::{
    Attributes, Carrier, Change, LinkKind, Ports, Setting, Unknown, When,
    bond_mode::{BondMode, HashPolicy, LacpRate},
    bond_time::{BondTime, Watch},
};
use crate::{
    feature::Feature,
    input::{Path, Sink, name},
    model::{mtu::ETHERNET_MTU, name::IfName},
};

/// A bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// How its members share the work.
    pub mode: BondMode,
    /// How often the other side is to send LACPDUs.
    pub lacp_rate: LacpRate,
    /// By what a packet is given to a member.
    pub xmit_hash_policy: HashPolicy,
    /// How often, and how patiently, carriers are looked at.
    pub watch: Watch,
    /// The member that works whenever it can. It is set once it belongs to the bond, which has its own item.
    pub primary: Option<IfName>,
    /// How many members must work.
    pub min_links: u32,
}

/// From here on nobody waits for a bond to notice the carriers of its members before a lab is ready.
const PATIENT: BondTime = BondTime(1_000);

impl Bond {
    /// A new one.
    fn new(mode: BondMode) -> Self {
        Self {
            mode,
            lacp_rate: LacpRate::default(),
            xmit_hash_policy: HashPolicy::default(),
            watch: Watch::default(),
            primary: None,
            min_links: 0,
        }
    }

    /// Whether an option that no lab file has words for is as in a new bond (`bond_check_params`, `bond_setup` in
    /// `drivers/net/bonding/bond_main.c`). What the kernel decides and counts is always.
    fn is_usual(option: &InfoBond) -> bool {
        use netlink_packet_route::link::{
            BondAdSelect, BondAllPortActive, BondArpValidate, BondFailOverMac, BondPrimaryReselect,
        };
        match option {
            InfoBond::ArpInterval(interval) => *interval == 0,
            InfoBond::ArpIpTarget(targets) => targets.is_empty(),
            InfoBond::ArpValidate(validate) => *validate == BondArpValidate::None,
            InfoBond::PrimaryReselect(reselect) => *reselect == BondPrimaryReselect::Always,
            InfoBond::FailOverMac(mac) => *mac == BondFailOverMac::None,
            InfoBond::AllPortsActive(active) => *active == BondAllPortActive::Dropped,
            InfoBond::AdSelect(select) => *select == BondAdSelect::Stable,
            InfoBond::AdLacpActive(active) => *active,
            InfoBond::NumPeerNotif(count) => *count == 1,
            InfoBond::ResendIgmp(count) => *count == 1,
            InfoBond::PeerNotifDelay(delay) => *delay == 0,
            _ => true,
        }
    }

    /// What is said beside the mode and carriers, in the words of ip-link(8).
    fn said(&self) -> Vec<(String, InfoBond)> {
        let mut said = Vec::new();
        if self.mode.bundles() {
            let rate = self.lacp_rate;
            said.push((format!("lacp_rate {rate}"), InfoBond::AdLacpRate(rate.wire())));
            said.push(self.least());
        }
        if self.mode.hashes() {
            said.push(self.hash());
        }
        said
    }

    fn hash(&self) -> (String, InfoBond) {
        let policy = self.xmit_hash_policy;
        (format!("xmit_hash_policy {policy}"), InfoBond::XmitHashPolicy(policy.wire()))
    }

    fn least(&self) -> (String, InfoBond) {
        (format!("min_links {}", self.min_links), InfoBond::MinLinks(self.min_links))
    }
}

/// What only some modes have.
fn check_fields(message: &proto::Bond, mode: BondMode, path: &Path, sink: &mut Sink) {
    let of = |modes: &'static str, may: bool, said: bool| (said && !may).then_some(modes);
    let fields = [
        ("lacp_rate", of("802.3ad", mode.bundles(), !message.lacp_rate.is_empty())),
        ("min_links", of("802.3ad", mode.bundles(), message.min_links.is_some())),
        (
            "xmit_hash_policy",
            of("802.3ad and balance-xor", mode.hashes(), !message.xmit_hash_policy.is_empty()),
        ),
        ("primary", of("active-backup", mode == BondMode::ActiveBackup, !message.primary.is_empty())),
    ];
    for (field, modes) in fields {
        if let Some(modes) = modes {
            let message = format!("is for {modes}, and does nothing in {mode}; leave it out, or change mode");
            sink.add(&path.field(field), message);
        }
    }
}

impl LinkKind for Bond {
    type Message = proto::Bond;

    const KEY: &'static str = "bond";
    const ABOUT: &'static str = "a bond: several interfaces that work as one";
    const ON_HOST: Option<&'static str> = Some(
        "a bond is of a node: the host's own ends of a lab belong to nothing but bridges; put the bond in a node, and link \
         that to the host",
    );

    fn examples(_: &IfName) -> Vec<Self> {
        let tuned = Self {
            lacp_rate: LacpRate::Fast,
            xmit_hash_policy: HashPolicy::Layer34,
            watch: Watch { miimon: BondTime(50), updelay: BondTime(100), downdelay: BondTime(50) },
            min_links: 1,
            ..Self::new(BondMode::Lacp)
        };
        let xor = Self { xmit_hash_policy: HashPolicy::Layer23, ..Self::new(BondMode::Xor) };
        vec![Self::new(BondMode::ActiveBackup), Self::new(BondMode::Lacp), tuned, xor]
    }

    fn read(message: &proto::Bond, path: &Path, sink: &mut Sink) -> Option<Self> {
        let mode: Option<BondMode> = if message.mode.is_empty() {
            sink.add(&path.field("mode"), "is missing: active-backup, 802.3ad or balance-xor");
            None
        } else {
            sink.parse(&path.field("mode"), &message.mode)
        };
        let lacp_rate = match message.lacp_rate.as_str() {
            "" => Some(LacpRate::default()),
            text => sink.parse(&path.field("lacp_rate"), text),
        };
        let xmit_hash_policy = match message.xmit_hash_policy.as_str() {
            "" => Some(HashPolicy::default()),
            text => sink.parse(&path.field("xmit_hash_policy"), text),
        };
        let watch = Watch::read(message, path, sink);
        let primary = name::optional(&message.primary, &path.field("primary"), sink);
        let min_links = message.min_links.unwrap_or(0);
        if !range::MIN_LINKS.contains(&min_links) {
            let message = format!("{min_links} is not how many members must work: 0 to 64");
            sink.add(&path.field("min_links"), message);
        }
        if let Some(mode) = mode {
            check_fields(message, mode, path, sink);
        }
        let (lacp_rate, xmit_hash_policy) = (lacp_rate?, xmit_hash_policy?);
        Some(Self { mode: mode?, lacp_rate, xmit_hash_policy, watch: watch?, primary, min_links })
    }

    fn message(&self) -> proto::Bond {
        let (usual, watch) = (Watch::default(), self.watch);
        let time = |time: BondTime, usual| if time == usual { String::new() } else { time.to_string() };
        let hash = Some(self.xmit_hash_policy).filter(|policy| *policy != HashPolicy::default());
        proto::Bond {
            mode: self.mode.to_string(),
            lacp_rate: if self.lacp_rate == LacpRate::Fast { "fast".to_owned() } else { String::new() },
            xmit_hash_policy: hash.map(|policy| policy.to_string()).unwrap_or_default(),
            miimon: time(watch.miimon, usual.miimon),
            updelay: time(watch.updelay, usual.updelay),
            downdelay: time(watch.downdelay, usual.downdelay),
            primary: self.primary.as_ref().map(ToString::to_string).unwrap_or_default(),
            min_links: Some(self.min_links).filter(|count| *count > 0),
        }
    }

    fn mtu(&self, _: Option<u32>, ports: Option<u32>) -> Option<u32> {
        ports.or(Some(ETHERNET_MTU))
    }

    fn ports(&self) -> Ports {
        Ports::Bond
    }

    fn primary(&self) -> Option<&IfName> {
        self.primary.as_ref()
    }

    fn carrier(&self) -> Carrier {
        // Both sides agree first, or it looks seldom.
        let late = self.mode.bundles() || self.watch.miimon > PATIENT;
        if late { Carrier::Always } else { Carrier::Ports }
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_BONDING"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        let said = self.said().into_iter().map(|(_, option)| option);
        let options = std::iter::once(InfoBond::Mode(self.mode.wire())).chain(self.watch.options());
        Ok(Some(InfoData::Bond(options.chain(said).collect())))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::Bond(options)) = seen.data else { return None };
        if !options.iter().all(Self::is_usual) {
            return None;
        }
        let mode = |option: &InfoBond| {
            if let InfoBond::Mode(mode) = option { BondMode::of_wire(*mode) } else { None }
        };
        let mut bond = Self::new(options.iter().find_map(mode)?);
        for option in options {
            match option {
                InfoBond::MiiMon(time) => bond.watch.miimon = BondTime(*time),
                InfoBond::UpDelay(time) => bond.watch.updelay = BondTime(*time),
                InfoBond::DownDelay(time) => bond.watch.downdelay = BondTime(*time),
                InfoBond::Primary(index) => bond.primary = (seen.name)(*index),
                // What a mode does not have is what it was before.
                InfoBond::AdLacpRate(rate) if bond.mode.bundles() => {
                    bond.lacp_rate = LacpRate::of_wire(*rate)?;
                }
                InfoBond::MinLinks(count) if bond.mode.bundles() => bond.min_links = *count,
                InfoBond::XmitHashPolicy(policy) if bond.mode.hashes() => {
                    bond.xmit_hash_policy = HashPolicy::of_wire(*policy)?;
                }
                _ => {}
            }
        }
        Some(bond)
    }

    /// The mode is the kernel's to change only without members, and the rate only while it is down
    /// (`BOND_OPTFLAG_NOSLAVES`, `BOND_OPTFLAG_IFDOWN` in `drivers/net/bonding/bond_options.c`).
    fn change(&self, seen: &Self) -> Change {
        if self.mode != seen.mode || self.lacp_rate != seen.lacp_rate {
            return Change::Remake;
        }
        let mut settings = Vec::new();
        let mut now = seen.clone();
        let mut set = |words: String, command: String, options: Vec<InfoBond>, then: &Self| {
            let data = InfoData::Bond(options);
            settings.push(Setting { words, command, data, then: then.clone().into(), when: When::First });
        };
        if self.watch != seen.watch {
            now.watch = self.watch;
            let whole = self.watch.waits() || seen.watch.waits();
            let words = self.watch.words(whole, |time| time.to_string());
            let command = self.watch.words(whole, |time| time.0.to_string());
            set(words, command, self.watch.options().to_vec(), &now);
        }
        if self.xmit_hash_policy != seen.xmit_hash_policy {
            now.xmit_hash_policy = self.xmit_hash_policy;
            let (words, option) = self.hash();
            set(words.clone(), words, vec![option], &now);
        }
        if self.min_links != seen.min_links {
            now.min_links = self.min_links;
            let (words, option) = self.least();
            set(words.clone(), words, vec![option], &now);
        }
        Change::Set(settings)
    }

    fn command(&self) -> String {
        let watch = self.watch.words(false, |time| time.0.to_string());
        let said = self.said().into_iter().map(|(words, _)| words);
        let all = [format!("mode {}", self.mode), watch].into_iter().chain(said);
        all.flat_map(|words| [" ".to_owned(), words]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &proto::Bond) -> Result<Option<Bond>, String> {
        let mut sink = Sink::default();
        let bond = Bond::read(message, &Path::root().field("bond"), &mut sink);
        sink.finish().map(|()| bond).map_err(|faults| faults.to_string())
    }

    #[test]
    fn slips_are_refused_with_a_way_out() {
        let message = |mode: &str| proto::Bond { mode: mode.into(), ..Default::default() };
        let slips = [
            (message(""), "bond.mode: is missing: active-backup, 802.3ad or balance-xor"),
            (
                message("lacp"),
                "is not a mode of bonds: active-backup, 802.3ad or balance-xor; for LACP write 802.3ad",
            ),
            (
                proto::Bond { lacp_rate: "fast".into(), ..message("balance-xor") },
                "is for 802.3ad, and does nothing in",
            ),
            (
                proto::Bond { min_links: Some(2), ..message("active-backup") },
                "bond.min_links: is for 802.3ad",
            ),
            (
                proto::Bond { min_links: Some(65), ..message("802.3ad") },
                "65 is not how many members must work",
            ),
            (
                proto::Bond { primary: "eth1".into(), ..message("802.3ad") },
                "bond.primary: is for active-backup",
            ),
            (
                proto::Bond { xmit_hash_policy: "layer3".into(), ..message("802.3ad") },
                "layer2, layer2+3 or layer3+4",
            ),
            (proto::Bond { miimon: "0s".into(), ..message("802.3ad") }, "is not between 1ms and 10s"),
            (proto::Bond { updelay: "250ms".into(), ..message("802.3ad") }, "write 200ms or 300ms"),
        ];
        for (message, expected) in slips {
            let said = read(&message).unwrap_err();
            assert!(said.contains(expected), "{message:?}: {said}");
        }
    }

    #[test]
    fn a_mode_or_a_rate_makes_it_anew_and_the_rest_is_set() {
        let bond = |mode: &str, rate: &str, miimon: &str| {
            let (mode, lacp_rate, miimon) = (mode.to_owned(), rate.to_owned(), miimon.to_owned());
            read(&proto::Bond { mode, lacp_rate, miimon, ..Default::default() }).unwrap().unwrap()
        };
        let fast = bond("802.3ad", "fast", "");
        assert_eq!(fast.change(&bond("802.3ad", "slow", "")), Change::Remake);
        assert_eq!(fast.change(&bond("active-backup", "", "")), Change::Remake);
        let Change::Set(settings) = fast.change(&bond("802.3ad", "fast", "20ms")) else { panic!("remade") };
        let [only] = settings.as_slice() else { panic!("{settings:?}") };
        assert_eq!(only.command, "miimon 100");
        assert_eq!(only.words, "miimon 100ms");
    }

    #[test]
    fn options_without_a_word_make_it_no_bond_of_ours() {
        let mut options = vec![InfoBond::Mode(BondMode::ActiveBackup.wire()), InfoBond::MiiMon(100)];
        let decode = |options: &[InfoBond]| {
            let data = InfoData::Bond(options.to_vec());
            let name = |index| (index == 3).then(|| "eth1".parse().unwrap());
            Bond::decode(&Attributes { lower: None, data: Some(&data), name: &name })
        };
        assert_eq!(decode(&options), Some(Bond::new(BondMode::ActiveBackup)));
        options.push(InfoBond::Primary(3));
        assert_eq!(decode(&options).unwrap().primary, Some("eth1".parse().unwrap()));
        options.push(InfoBond::ArpInterval(100));
        assert_eq!(decode(&options), None);
    }
}
