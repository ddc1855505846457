//! A NAT rule as nftables expressions, in the order and with the operands that nft(8) itself would use.

use std::{
    ffi::{CStr, CString},
    net::{IpAddr, SocketAddr},
    ptr::NonNull,
};

use ipnet::IpNet;
use nftnl::{
    Chain, Rule,
    expr::{
        Bitwise, Cmp, CmpOp, Conntrack, ConntrackStatus, Counter, Expression, Immediate, Masquerade, Meta,
        NetworkHeaderField, Payload, Register, TcpHeaderField, TransportHeaderField, Verdict,
    },
    nftnl_sys as sys,
};

use crate::model::{self, IfName, NatRule, PortForward};

/// `NFT_FIB_RESULT_ADDRTYPE`, `NFTA_FIB_F_SADDR`, `NFTA_FIB_F_DADDR` (`linux/netfilter/nf_tables.h`).
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_SOURCE: u32 = 1 << 0;
const FIB_DESTINATION: u32 = 1 << 1;
/// `NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED` (`linux/netfilter/nf_nat.h`).
const MAP_ADDRESS_AND_PORT: u32 = 3;

/// Builds the rule, commented, to be appended to `chain`.
pub(super) fn rule<'a>(chain: &'a Chain<'a>, wanted: &NatRule) -> Rule<'a> {
    let mut rule = Rule::new(chain);
    match wanted {
        NatRule::LeaveBridged => add_leave_bridged(&mut rule),
        NatRule::Masquerade(masquerade) => add_masquerade(&mut rule, masquerade),
        NatRule::PortForward(forward) => add_forward(&mut rule, forward),
    }
    let comment = CString::new(wanted.to_string()).expect("names and addresses hold no NUL");
    rule.set_comment(comment).expect("a rule in words has some 100 bytes at most; comments hold 125");
    rule
}

fn add_leave_bridged(rule: &mut Rule<'_>) {
    rule.add_expr(&OtherMeta(NFT_META_OIFKIND));
    rule.add_expr(&Cmp::new(CmpOp::Eq, &KIND_BRIDGE[..]));
    rule.add_expr(&Meta::Iif);
    rule.add_expr(&Cmp::new(CmpOp::Eq, 0_u32));
    rule.add_expr(&Conntrack::Status);
    rule.add_expr(&Bitwise::new(ConntrackStatus::DST_NAT.bits(), 0_u32));
    rule.add_expr(&Cmp::new(CmpOp::Eq, 0_u32));
    rule.add_expr(&AddressType(FIB_SOURCE));
    rule.add_expr(&Cmp::new(CmpOp::Neq, u32::from(libc::RTN_LOCAL)));
    rule.add_expr(&Verdict::Return);
}

fn add_masquerade(rule: &mut Rule<'_>, masquerade: &model::Masquerade) {
    if let Some(source) = masquerade.source {
        match_family(rule, family(source.addr()));
        match_source(rule, source);
    }
    rule.add_expr(&Meta::OifName);
    match &masquerade.out_interface {
        Some(name) => rule.add_expr(&Cmp::new(CmpOp::Eq, &padded(name)[..])),
        // What a host says to itself keeps its address.
        None => rule.add_expr(&Cmp::new(CmpOp::Neq, &padded(&IfName::loopback())[..])),
    }
    rule.add_expr(&Counter);
    rule.add_expr(&Masquerade);
}

fn add_forward(rule: &mut Rule<'_>, forward: &PortForward) {
    if let Some(name) = &forward.in_interface {
        rule.add_expr(&Meta::IifName);
        rule.add_expr(&Cmp::new(CmpOp::Eq, &padded(name)[..]));
    } else {
        rule.add_expr(&AddressType(FIB_DESTINATION));
        rule.add_expr(&Cmp::new(CmpOp::Eq, u32::from(libc::RTN_LOCAL)));
    }
    match_family(rule, family(forward.to.ip()));
    rule.add_expr(&Meta::L4Proto);
    rule.add_expr(&Cmp::new(CmpOp::Eq, forward.protocol.number()));
    // TCP and UDP have their destination port at the same place.
    rule.add_expr(&Payload::Transport(TransportHeaderField::Tcp(TcpHeaderField::Dport)));
    rule.add_expr(&Cmp::new(CmpOp::Eq, &forward.port.to_be_bytes()[..]));
    rule.add_expr(&Counter);
    match forward.to.ip() {
        IpAddr::V4(to) => rule.add_expr(&Immediate::new(to.octets(), Register::Reg1)),
        IpAddr::V6(to) => rule.add_expr(&Immediate::new(to.octets(), Register::Reg1)),
    }
    rule.add_expr(&Immediate::new(forward.to.port().to_be_bytes(), Register::Reg2));
    rule.add_expr(&DestinationNat(forward.to));
}

/// In an inet table both families pass; `family` is `NFPROTO_*`.
pub(super) fn match_family(rule: &mut Rule<'_>, family: i32) {
    rule.add_expr(&Meta::NfProto);
    rule.add_expr(&Cmp::new(CmpOp::Eq, u8::try_from(family).expect("a family is one byte")));
}

fn family(address: IpAddr) -> i32 {
    if address.is_ipv4() { libc::NFPROTO_IPV4 } else { libc::NFPROTO_IPV6 }
}

/// Compares whole bytes where the range ends at one, as nft(8) does, so that a rule which nft reloads from
/// its own listing is the same rule.
fn match_source(rule: &mut Rule<'_>, source: IpNet) {
    let (offset, network) = match source.network() {
        IpAddr::V4(network) => (12, network.octets().to_vec()),
        IpAddr::V6(network) => (8, network.octets().to_vec()),
    };
    let whole = source.prefix_len().is_multiple_of(8);
    let length = if whole { source.prefix_len() / 8 } else { source.max_prefix_len() / 8 };
    if length == 0 {
        return;
    }
    // Despite their names, both fields are in bytes.
    let field = NetworkHeaderField::Raw { offset_bits: offset, length_bits: length.into() };
    rule.add_expr(&Payload::Network(field));
    match source.netmask() {
        _ if whole => {}
        IpAddr::V4(mask) => rule.add_expr(&Bitwise::new(mask, &[0_u8; 4][..])),
        IpAddr::V6(mask) => rule.add_expr(&Bitwise::new(mask, &[0_u8; 16][..])),
    }
    rule.add_expr(&Cmp::new(CmpOp::Eq, &network[..length.into()]));
}

/// A name as the kernel compares it: all of `IFNAMSIZ` bytes.
pub(super) fn padded(name: &IfName) -> [u8; libc::IFNAMSIZ] {
    let mut bytes = [0; libc::IFNAMSIZ];
    bytes[..name.as_str().len()].copy_from_slice(name.as_str().as_bytes());
    bytes
}

/// `fib saddr type`, `fib daddr type`: what kind of address the packet has there, `RTN_LOCAL` for our own.
struct AddressType(u32);

impl Expression for AddressType {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        build(
            c"fib",
            &[
                (sys::NFTNL_EXPR_FIB_RESULT, FIB_ADDRESS_TYPE),
                (sys::NFTNL_EXPR_FIB_FLAGS, self.0),
                (sys::NFTNL_EXPR_FIB_DREG, Register::Reg1.to_raw()),
            ],
        )
    }
}

/// `dnat`: the address from register 1 and the port from register 2. All operands are given, those too
/// that some kernels fill in by themselves, so that every kernel hands back the same.
struct DestinationNat(SocketAddr);

impl Expression for DestinationNat {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let (address, port) = (Register::Reg1.to_raw(), Register::Reg2.to_raw());
        build(
            c"nat",
            &[
                (sys::NFTNL_EXPR_NAT_TYPE, libc::NFT_NAT_DNAT.unsigned_abs()),
                (sys::NFTNL_EXPR_NAT_FAMILY, family(self.0.ip()).unsigned_abs()),
                (sys::NFTNL_EXPR_NAT_REG_ADDR_MIN, address),
                (sys::NFTNL_EXPR_NAT_REG_ADDR_MAX, address),
                (sys::NFTNL_EXPR_NAT_REG_PROTO_MIN, port),
                (sys::NFTNL_EXPR_NAT_REG_PROTO_MAX, port),
                (sys::NFTNL_EXPR_NAT_FLAGS, MAP_ADDRESS_AND_PORT),
            ],
        )
    }
}

/// The kind of a bridge as the kernel compares it.
pub(super) const KIND_BRIDGE: [u8; libc::IFNAMSIZ] = *b"bridge\0\0\0\0\0\0\0\0\0\0";

/// `enum nft_meta_keys` (`linux/netfilter/nf_tables.h`), which libc lacks; since Linux 5.6.
pub(super) const NFT_META_IIFKIND: libc::c_int = 26;
pub(super) const NFT_META_OIFKIND: libc::c_int = 27;

/// A `meta` expression for which nftnl has no name.
pub(super) struct OtherMeta(pub(super) libc::c_int);

impl Expression for OtherMeta {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let key = (sys::NFTNL_EXPR_META_KEY, self.0.unsigned_abs());
        build(c"meta", &[key, (sys::NFTNL_EXPR_META_DREG, Register::Reg1.to_raw())])
    }
}

#[expect(unsafe_code, reason = "nftnl has no safe builder for this expression")]
pub(super) fn build(name: &CStr, operands: &[(u32, u32)]) -> NonNull<sys::nftnl_expr> {
    // SAFETY: `name` is a C string that outlives the call.
    let expr =
        NonNull::new(unsafe { sys::nftnl_expr_alloc(name.as_ptr()) }).expect("libnftnl knows fib and nat");
    for &(operand, value) in operands {
        let operand = u16::try_from(operand).expect("operands are small numbers");
        // SAFETY: `expr` was just allocated; the operand is a 32-bit number of this kind of expression.
        unsafe { sys::nftnl_expr_set_u32(expr.as_ptr(), operand, value) };
    }
    expr
}
