//! Expressions that nftnl has no builder for.

use std::{ffi::CStr, ptr::NonNull};

use nftnl::{
    Rule,
    expr::{Expression, Register},
    nftnl_sys as sys,
};

/// `NFT_FIB_RESULT_ADDRTYPE` (`linux/netfilter/nf_tables.h`).
const FIB_ADDRESS_TYPE: u32 = 3;
/// `NF_NAT_RANGE_MAP_IPS`, `NF_NAT_RANGE_PROTO_SPECIFIED`, `NF_NAT_RANGE_NETMAP` (`linux/netfilter/nf_nat.h`).
const MAP_ADDRESS: u32 = 1 << 0;
const MAP_PORT: u32 = 1 << 1;
const MAP_PREFIX: u32 = 1 << 6;
/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
const RANDOM_PORT: u32 = 1 << 4;

/// RFC 792 and RFC 4443, section 3.1.
const ICMP_PORT_UNREACHABLE: libc::c_int = 3;
const ICMPV6_PORT_UNREACHABLE: libc::c_int = 4;

/// `fib saddr type`, `fib daddr type`: what kind of address the packet has there, `RTN_LOCAL` for our own.
pub(super) struct AddressType(pub(super) u32);

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

/// `snat` and `dnat` to what registers hold. All operands are given, those too that some kernels fill in by
/// themselves, so that every kernel hands back the same.
pub(super) struct Nat {
    /// `NFT_NAT_SNAT` or `NFT_NAT_DNAT`.
    pub(super) kind: libc::c_int,
    /// `NFPROTO_*`.
    pub(super) family: u8,
    /// The registers with the first and the last address.
    pub(super) addresses: (u32, u32),
    /// The registers with the first and the last port.
    pub(super) ports: Option<(u32, u32)>,
    /// Whether the addresses are the ends of a prefix, and the bits after it stay.
    pub(super) is_prefix: bool,
}

impl Expression for Nat {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let ports = if self.ports.is_some() { MAP_PORT } else { 0 };
        let prefix = if self.is_prefix { MAP_PREFIX } else { 0 };
        let mut operands = vec![
            (sys::NFTNL_EXPR_NAT_TYPE, self.kind.unsigned_abs()),
            (sys::NFTNL_EXPR_NAT_FAMILY, self.family.into()),
            (sys::NFTNL_EXPR_NAT_REG_ADDR_MIN, self.addresses.0),
            (sys::NFTNL_EXPR_NAT_REG_ADDR_MAX, self.addresses.1),
            (sys::NFTNL_EXPR_NAT_FLAGS, MAP_ADDRESS | ports | prefix),
        ];
        if let Some((first, last)) = self.ports {
            operands.push((sys::NFTNL_EXPR_NAT_REG_PROTO_MIN, first));
            operands.push((sys::NFTNL_EXPR_NAT_REG_PROTO_MAX, last));
        }
        build(c"nat", &operands)
    }
}

/// `masquerade fully-random`.
pub(super) struct MasqueradeAtRandom;

impl Expression for MasqueradeAtRandom {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        build(c"masq", &[(sys::NFTNL_EXPR_MASQ_FLAGS, RANDOM_PORT)])
    }
}

/// `reject`: port unreachable, in the words of the family that the rule has asked for, as nft(8) has it.
pub(super) struct Reject {
    /// The family; `None`: either (`icmpx`).
    pub(super) ipv6: Option<bool>,
}

impl Expression for Reject {
    #[expect(unsafe_code, reason = "nftnl has no builder for one family in a table of both")]
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let (kind, code) = match self.ipv6 {
            None => (libc::NFT_REJECT_ICMPX_UNREACH, libc::NFT_REJECT_ICMPX_PORT_UNREACH),
            Some(false) => (libc::NFT_REJECT_ICMP_UNREACH, ICMP_PORT_UNREACHABLE),
            Some(true) => (libc::NFT_REJECT_ICMP_UNREACH, ICMPV6_PORT_UNREACHABLE),
        };
        let expr = build(c"reject", &[(sys::NFTNL_EXPR_REJECT_TYPE, kind.unsigned_abs())]);
        let operand = u16::try_from(sys::NFTNL_EXPR_REJECT_CODE).expect("operands are small numbers");
        let code = u8::try_from(code).expect("codes of ICMP are one byte");
        // SAFETY: `expr` was just built; the operand is an 8-bit number of this kind of expression.
        unsafe { sys::nftnl_expr_set_u8(expr.as_ptr(), operand, code) };
        expr
    }
}

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
    let expr = NonNull::new(unsafe { sys::nftnl_expr_alloc(name.as_ptr()) })
        .expect("libnftnl knows these expressions");
    for &(operand, value) in operands {
        let operand = u16::try_from(operand).expect("operands are small numbers");
        // SAFETY: `expr` was just allocated; the operand is a 32-bit number of this kind of expression.
        unsafe { sys::nftnl_expr_set_u32(expr.as_ptr(), operand, value) };
    }
    expr
}
