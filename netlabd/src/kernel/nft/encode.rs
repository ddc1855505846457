//! A rule as nftables expressions, in the order and with the operands that nft(8) itself would use.

use std::{ffi::CString, net::IpAddr};

use ipnet::IpNet;
use nftnl::{
    Chain, Rule,
    expr::{
        Bitwise, Cmp, CmpOp, Conntrack, ConntrackStatus, Counter, Immediate, Masquerade, Meta,
        NetworkHeaderField, Payload, Register, TransportHeaderField, Verdict,
    },
};

use super::{
    expr::{AddressType, MasqueradeAtRandom, Nat, OtherMeta, Reject},
    mappings,
};
use crate::model::{
    AddressRange, IfName, IpProtocol, LINK_GROUP, PortRange,
    nft::{self, Match, Statement, Translation},
};

/// `NFTA_FIB_F_SADDR`, `NFTA_FIB_F_DADDR` (`linux/netfilter/nf_tables.h`).
const FIB_SOURCE: u32 = 1 << 0;
const FIB_DESTINATION: u32 = 1 << 1;
/// `enum nft_meta_keys` (`linux/netfilter/nf_tables.h`), which libc lacks; since Linux 5.6.
const NFT_META_IIFKIND: libc::c_int = 26;
const NFT_META_OIFKIND: libc::c_int = 27;
/// The kind of a bridge as the kernel compares it.
const KIND_BRIDGE: [u8; libc::IFNAMSIZ] = *b"bridge\0\0\0\0\0\0\0\0\0\0";
/// Bytes of comments that the kernel takes with a rule, as nft(8) has it (`NFTNL_UDATA_COMMENT_MAXLEN`).
const COMMENT: usize = 128;

/// Builds the rule, to be appended to `chain`.
pub(super) fn rule<'a>(chain: &'a Chain<'a>, wanted: &nft::Rule) -> Rule<'a> {
    let mut encoder = Encoder { rule: Rule::new(chain), ipv6: None, protocol: None };
    for condition in &wanted.when {
        encoder.match_(condition);
    }
    if wanted.counted {
        encoder.rule.add_expr(&Counter);
    }
    encoder.statement(&wanted.then);
    let mut rule = encoder.rule;
    if let Some(comment) = &wanted.comment {
        // One that is too long is left out; `model` keeps them short.
        let comment = CString::new(comment.as_str()).expect("names and addresses hold no NUL");
        if comment.as_bytes_with_nul().len() <= COMMENT {
            rule.set_comment(comment).expect("the length is that which comments may have");
        }
    }
    rule
}

/// A rule so far.
struct Encoder<'a> {
    rule: Rule<'a>,
    /// The family that packets have here, where it was asked for.
    ipv6: Option<bool>,
    /// The protocol likewise.
    protocol: Option<IpProtocol>,
}

impl Encoder<'_> {
    fn match_(&mut self, condition: &Match) {
        if let Some(ipv6) = condition.is_ipv6() {
            self.family(ipv6);
        }
        if let Some(protocol) = condition.protocol() {
            self.protocol(protocol);
        }
        match condition {
            Match::In(name) => self.compare(&Meta::IifName, CmpOp::Eq, &padded(name)),
            Match::Out(name) => self.compare(&Meta::OifName, CmpOp::Eq, &padded(name)),
            Match::NotOut(name) => self.compare(&Meta::OifName, CmpOp::Neq, &padded(name)),
            Match::FromLab(yes) => self.in_group(libc::NFT_META_IIFGROUP, *yes),
            Match::ToLab(yes) => self.in_group(libc::NFT_META_OIFGROUP, *yes),
            Match::FromBridge => self.compare(&OtherMeta(NFT_META_IIFKIND), CmpOp::Eq, &KIND_BRIDGE),
            Match::ToBridge => self.compare(&OtherMeta(NFT_META_OIFKIND), CmpOp::Eq, &KIND_BRIDGE),
            Match::FromNowhere => self.compare(&Meta::Iif, CmpOp::Eq, &0_u32.to_ne_bytes()),
            Match::Source(net) => self.address(*net, 12, 8),
            Match::Destination(net) => self.address(*net, 16, 24),
            Match::ForeignSource => self.is_local(FIB_SOURCE, CmpOp::Neq),
            Match::LocalDestination => self.is_local(FIB_DESTINATION, CmpOp::Eq),
            Match::SourcePorts(_, ports) => self.ports(0, *ports),
            Match::Ports(_, ports) => self.ports(2, *ports),
            Match::Icmp(kind) => self.compare(&transport(0, 1), CmpOp::Eq, &[kind.number()]),
            Match::State(states) => self.bits(&Conntrack::State, states.bits(), CmpOp::Neq),
            Match::DestinationKept => {
                self.bits(&Conntrack::Status, ConntrackStatus::DST_NAT.bits(), CmpOp::Eq);
            }
            Match::SourceTranslated => {
                self.bits(&Conntrack::Status, ConntrackStatus::SRC_NAT.bits(), CmpOp::Neq);
            }
            Match::Ipv4 | Match::Ipv6 | Match::Protocol(_) => {}
        }
    }

    fn compare(&mut self, load: &impl nftnl::expr::Expression, how: CmpOp, with: &[u8]) {
        self.rule.add_expr(load);
        self.rule.add_expr(&Cmp::new(how, with));
    }

    /// Compares some bits with none.
    fn bits(&mut self, load: &Conntrack, bits: u32, how: CmpOp) {
        self.rule.add_expr(load);
        self.rule.add_expr(&Bitwise::new(bits, 0_u32));
        self.rule.add_expr(&Cmp::new(how, 0_u32));
    }

    /// In an inet table both families pass.
    fn family(&mut self, ipv6: bool) {
        if self.ipv6.replace(ipv6) != Some(ipv6) {
            self.compare(&Meta::NfProto, CmpOp::Eq, &[family(ipv6)]);
        }
    }

    fn protocol(&mut self, protocol: IpProtocol) {
        if self.protocol.replace(protocol) != Some(protocol) {
            self.compare(&Meta::L4Proto, CmpOp::Eq, &[protocol.number()]);
        }
    }

    fn in_group(&mut self, side: libc::c_int, yes: bool) {
        let how = if yes { CmpOp::Eq } else { CmpOp::Neq };
        self.compare(&OtherMeta(side), how, &LINK_GROUP.to_ne_bytes());
    }

    fn is_local(&mut self, side: u32, how: CmpOp) {
        self.compare(&AddressType(side), how, &u32::from(libc::RTN_LOCAL).to_ne_bytes());
    }

    /// Compares whole bytes where the range ends at one, as nft(8) does, so that a rule which nft reloads from
    /// its own listing is the same rule. `v4`, `v6`: where the address stands in the header.
    fn address(&mut self, net: IpNet, v4: u32, v6: u32) {
        let offset = if net.addr().is_ipv6() { v6 } else { v4 };
        let network = octets(net.network());
        let whole = net.prefix_len().is_multiple_of(8);
        let length = if whole { usize::from(net.prefix_len() / 8) } else { network.len() };
        let Ok(bytes @ 1..) = u32::try_from(length) else { return };
        // Despite their names, both fields are in bytes.
        let field = NetworkHeaderField::Raw { offset_bits: offset, length_bits: bytes };
        self.rule.add_expr(&Payload::Network(field));
        if !whole {
            let mask = octets(net.netmask());
            self.rule.add_expr(&Bitwise::new(&mask[..], &vec![0_u8; mask.len()][..]));
        }
        self.rule.add_expr(&Cmp::new(CmpOp::Eq, &network[..length]));
    }

    /// Ports stand at the same places in all protocols that have them.
    fn ports(&mut self, offset: u32, ports: PortRange) {
        self.rule.add_expr(&transport(offset, 2));
        let (first, last) = (ports.first().to_be_bytes(), ports.last().to_be_bytes());
        if ports.is_several() {
            self.rule.add_expr(&Cmp::new(CmpOp::Gte, &first[..]));
            self.rule.add_expr(&Cmp::new(CmpOp::Lte, &last[..]));
        } else {
            self.rule.add_expr(&Cmp::new(CmpOp::Eq, &first[..]));
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Accept => self.rule.add_expr(&Verdict::Accept),
            Statement::Drop => self.rule.add_expr(&Verdict::Drop),
            Statement::Reject => self.rule.add_expr(&Reject { ipv6: self.ipv6 }),
            Statement::Return => self.rule.add_expr(&Verdict::Return),
            Statement::Jump(chain) => {
                let chain = CString::new(chain.as_str()).expect("names of chains hold no NUL");
                self.rule.add_expr(&Verdict::Jump { chain });
            }
            Statement::Masquerade => self.rule.add_expr(&Masquerade),
            Statement::MasqueradeAtRandom => self.rule.add_expr(&MasqueradeAtRandom),
            Statement::Learn(mappings) => mappings::learn(&mut self.rule, *mappings),
            Statement::DestinationFrom(mappings) => mappings::translate(&mut self.rule, *mappings),
            Statement::SourceNat(translation) => self.translate(libc::NFT_NAT_SNAT, translation),
            Statement::DestinationNat(translation) => self.translate(libc::NFT_NAT_DNAT, translation),
            Statement::SourcePrefix(prefix) => self.map_prefix(libc::NFT_NAT_SNAT, *prefix),
            Statement::DestinationPrefix(prefix) => self.map_prefix(libc::NFT_NAT_DNAT, *prefix),
        }
    }

    /// Puts an operand into a register; gives its number.
    fn load<T>(&mut self, operand: T, register: Register) -> u32 {
        self.rule.add_expr(&Immediate::new(operand, register));
        register.to_raw()
    }

    fn load_address(&mut self, address: IpAddr, register: Register) -> u32 {
        match address {
            IpAddr::V4(address) => self.load(address.octets(), register),
            IpAddr::V6(address) => self.load(address.octets(), register),
        }
    }

    fn translate(&mut self, kind: libc::c_int, translation: &Translation) {
        let to = translation.to;
        let first = self.load_address(to.first(), Register::Reg1);
        // As nft(8) has it: one register after the other, none left out.
        let (last, [low, high]) = if to.is_several() {
            (self.load_address(to.last(), Register::Reg2), [Register::Reg3, Register::Reg4])
        } else {
            (first, [Register::Reg2, Register::Reg3])
        };
        let addresses = (first, last);
        let ports = translation.ports.map(|ports| {
            let first = self.load(ports.first().to_be_bytes(), low);
            let last = if ports.is_several() { self.load(ports.last().to_be_bytes(), high) } else { first };
            (first, last)
        });
        let family = family(to.is_ipv6());
        self.rule.add_expr(&Nat { kind, family, addresses, ports, is_prefix: false });
    }

    /// The kernel has the prefix's length from its first and its last address (`nft_nat_setup_netmap` in
    /// `net/netfilter/nft_nat.c`, since Linux 5.8).
    fn map_prefix(&mut self, kind: libc::c_int, prefix: IpNet) {
        let all = AddressRange::from(prefix);
        let first = self.load_address(all.first(), Register::Reg1);
        let addresses = (first, self.load_address(all.last(), Register::Reg2));
        let family = family(all.is_ipv6());
        self.rule.add_expr(&Nat { kind, family, addresses, ports: None, is_prefix: true });
    }
}

/// `NFPROTO_*`.
fn family(ipv6: bool) -> u8 {
    let family = if ipv6 { libc::NFPROTO_IPV6 } else { libc::NFPROTO_IPV4 };
    u8::try_from(family).expect("a family is one byte")
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Bytes of the transport header.
fn transport(offset: u32, length: u32) -> Payload {
    // Despite their names, both fields are in bytes.
    Payload::Transport(TransportHeaderField::Raw { offset_bits: offset, length_bits: length })
}

/// A name as the kernel compares it: all of `IFNAMSIZ` bytes.
fn padded(name: &IfName) -> [u8; libc::IFNAMSIZ] {
    let mut bytes = [0; libc::IFNAMSIZ];
    bytes[..name.as_str().len()].copy_from_slice(name.as_str().as_bytes());
    bytes
}
