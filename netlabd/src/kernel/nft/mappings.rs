//! The map of a NAT type, and the rules that look into it.

use std::{ffi::CString, ptr::NonNull};

use nftnl::{
    Batch, MsgType, ProtoFamily, Rule, Table,
    expr::Expression,
    nftnl_sys as sys,
    set::{Set, SetKey},
};

use super::super::netlink::Message;
use super::{
    Error, Socket, TABLE,
    expr::{Nat, build},
    message::{OfNftables as _, attr},
};
use crate::model::{Opens, nft::Mappings};

/// Types of data by the numbers that nft(8) shows them by (`enum datatypes` in its datatype.h), of which a list has 6 bits
/// each.
const IPV4_ADDRESS: u32 = 7;
const PORT: u32 = 13;
const LIST: u32 = 6;
/// Each part of a list begins at a register of four bytes.
const WORD: u32 = 4;
/// `NFT_SET_MAP`, `NFT_SET_TIMEOUT`, `NFT_SET_EVAL` (`linux/netfilter/nf_tables.h`).
const FLAGS: u32 = 1 << 3 | 1 << 4 | 1 << 5;
/// Its number in a batch, which has no other.
const ID: u32 = 1;

/// Registers: the first of four words each, and single words (`enum nft_registers`).
const FIRST: u32 = 1;
const FIRST_SECOND_WORD: u32 = 9;
const SECOND: u32 = 2;
const SECOND_SECOND_WORD: u32 = 13;

/// What a message needs a type for; the form is set by hand.
struct Key;

impl SetKey for Key {
    const TYPE: u32 = PORT;
    const LEN: u32 = 2;

    fn data(&self) -> Box<[u8]> {
        Box::new([])
    }
}

/// Type and length of the key.
fn key(mappings: Mappings) -> (u32, u32) {
    match mappings.0 {
        Opens::ToAll => (PORT, Key::LEN),
        Opens::ToAddresses => (PORT << LIST | IPV4_ADDRESS, 2 * WORD),
    }
}

/// Puts into a batch what makes the map be there as it is wanted. One that is so stays, with its elements; one that is not
/// goes, and nothing in the batch before may look into it.
pub(super) fn replace(
    socket: &Socket,
    table: &Table,
    wanted: Option<Mappings>,
    batch: &mut Batch,
) -> Result<(), Error> {
    let found = find(socket)?;
    if found.is_some() && found == wanted.map(form) {
        return Ok(());
    }
    if found.is_some() {
        batch.add(&message(table, None), MsgType::Del);
    }
    if wanted.is_some() {
        batch.add(&message(table, wanted), MsgType::Add);
    }
    Ok(())
}

/// Whether the map is there as it is wanted.
pub(super) fn are(socket: &Socket, wanted: Mappings) -> Result<bool, Error> {
    Ok(find(socket)? == Some(form(wanted)))
}

/// Flags, lengths of key and data, and milliseconds until an element goes.
type Form = (u32, u32, u32, u64);

fn form(mappings: Mappings) -> Form {
    (FLAGS, key(mappings).1, 2 * WORD, u64::from(Mappings::TIMEOUT) * 1000)
}

fn find(socket: &Socket) -> Result<Option<Form>, Error> {
    let filter = [(attr::SET_TABLE, TABLE)];
    let read = |message: Message<'_>| {
        let ours = message.text(attr::SET_TABLE) == Some(TABLE)
            && message.text(attr::SET_NAME) == Some(Mappings::NAME);
        let number = |kind| message.number(kind).unwrap_or_default();
        let timeout = message.attribute(attr::SET_TIMEOUT).and_then(|bytes| bytes.try_into().ok());
        let timeout = timeout.map(u64::from_be_bytes).unwrap_or_default();
        let lengths = (number(attr::SET_KEY_LENGTH), number(attr::SET_DATA_LENGTH));
        ours.then(|| (number(attr::SET_FLAGS), lengths.0, lengths.1, timeout))
    };
    match socket.dump(libc::NFT_MSG_GETSET, &filter, read) {
        Ok(found) => Ok(found.into_iter().next()),
        // There is no such table.
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

#[expect(unsafe_code, reason = "nftnl has no builder for maps")]
fn message(table: &Table, wanted: Option<Mappings>) -> Set<'_, Key> {
    let name = CString::new(Mappings::NAME).expect("no NUL");
    let set = Set::new_named(&name, ID, table, ProtoFamily::Inet);
    let Some(wanted) = wanted else { return set };
    let (key_type, key_length) = key(wanted);
    let operands = [
        (sys::NFTNL_SET_FLAGS, FLAGS),
        (sys::NFTNL_SET_KEY_TYPE, key_type),
        (sys::NFTNL_SET_KEY_LEN, key_length),
        (sys::NFTNL_SET_DATA_TYPE, IPV4_ADDRESS << LIST | PORT),
        (sys::NFTNL_SET_DATA_LEN, 2 * WORD),
        (sys::NFTNL_SET_DESC_SIZE, Mappings::SIZE),
    ];
    for (operand, value) in operands {
        let operand = u16::try_from(operand).expect("operands are small numbers");
        // SAFETY: `set` is a set of libnftnl; the operand is a 32-bit number of sets.
        unsafe { sys::nftnl_set_set_u32(set.as_ptr().as_ptr(), operand, value) };
    }
    let timeout = u16::try_from(sys::NFTNL_SET_TIMEOUT).expect("operands are small numbers");
    // SAFETY: the same; the operand is a 64-bit number of sets.
    unsafe { sys::nftnl_set_set_u64(set.as_ptr().as_ptr(), timeout, form(wanted).3) };
    set
}

/// `update @mappings { udp sport : ct original ip saddr . ct original proto-src }`, or keyed by the receiver too.
pub(super) fn learn(rule: &mut Rule<'_>, mappings: Mappings) {
    load_key(rule, mappings, (0, 16));
    rule.add_expr(&Original { key: libc::NFT_CT_SRC_IP, to: SECOND });
    rule.add_expr(&Original { key: libc::NFT_CT_PROTO_SRC, to: SECOND_SECOND_WORD });
    rule.add_expr(&Update);
}

/// `dnat ip to udp dport map @mappings`, or keyed by the sender too.
pub(super) fn translate(rule: &mut Rule<'_>, mappings: Mappings) {
    load_key(rule, mappings, (2, 12));
    rule.add_expr(&Lookup);
    rule.add_expr(&Nat {
        kind: libc::NFT_NAT_DNAT,
        family: u8::try_from(libc::NFPROTO_IPV4).expect("a family is one byte"),
        addresses: (FIRST, FIRST),
        ports: Some((FIRST_SECOND_WORD, FIRST_SECOND_WORD)),
        is_prefix: false,
    });
}

/// `at`: where the port stands in the transport header, and the address in the network header.
fn load_key(rule: &mut Rule<'_>, mappings: Mappings, at: (u32, u32)) {
    rule.add_expr(&Header { base: libc::NFT_PAYLOAD_TRANSPORT_HEADER, offset: at.0, length: 2, to: FIRST });
    if mappings.0 == Opens::ToAddresses {
        let base = libc::NFT_PAYLOAD_NETWORK_HEADER;
        rule.add_expr(&Header { base, offset: at.1, length: 4, to: FIRST_SECOND_WORD });
    }
}

/// Bytes of a header into a register.
struct Header {
    base: libc::c_int,
    offset: u32,
    length: u32,
    to: u32,
}

impl Expression for Header {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        build(
            c"payload",
            &[
                (sys::NFTNL_EXPR_PAYLOAD_BASE, self.base.unsigned_abs()),
                (sys::NFTNL_EXPR_PAYLOAD_OFFSET, self.offset),
                (sys::NFTNL_EXPR_PAYLOAD_LEN, self.length),
                (sys::NFTNL_EXPR_PAYLOAD_DREG, self.to),
            ],
        )
    }
}

/// Something of the first packet of the connection, as it was before it was translated, into a register.
struct Original {
    key: libc::c_int,
    to: u32,
}

impl Expression for Original {
    #[expect(unsafe_code, reason = "nftnl has no builder for one direction of a connection")]
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let key = (sys::NFTNL_EXPR_CT_KEY, self.key.unsigned_abs());
        let expr = build(c"ct", &[key, (sys::NFTNL_EXPR_CT_DREG, self.to)]);
        let direction = u16::try_from(sys::NFTNL_EXPR_CT_DIR).expect("operands are small numbers");
        // `IP_CT_DIR_ORIGINAL`.
        // SAFETY: `expr` was just built; the operand is an 8-bit number of this kind of expression.
        unsafe { sys::nftnl_expr_set_u8(expr.as_ptr(), direction, 0) };
        expr
    }
}

/// Adds what the registers hold to the map, or renews it there. As of [`Nat`], all operands are given.
struct Update;

impl Expression for Update {
    #[expect(unsafe_code, reason = "nftnl has no builder for this expression")]
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        /// `NFT_DYNSET_OP_UPDATE`.
        const UPDATE: u32 = 1;
        let operands = [
            (sys::NFTNL_EXPR_DYNSET_OP, UPDATE),
            (sys::NFTNL_EXPR_DYNSET_SREG_KEY, FIRST),
            (sys::NFTNL_EXPR_DYNSET_SREG_DATA, SECOND),
        ];
        let expr = named(build(c"dynset", &operands), sys::NFTNL_EXPR_DYNSET_SET_NAME);
        let timeout = u16::try_from(sys::NFTNL_EXPR_DYNSET_TIMEOUT).expect("operands are small numbers");
        // That of the map.
        // SAFETY: `expr` was just built; the operand is a 64-bit number of this kind of expression.
        unsafe { sys::nftnl_expr_set_u64(expr.as_ptr(), timeout, 0) };
        expr
    }
}

/// Puts what the map has into the first register, and ends the rule where it has nothing.
struct Lookup;

impl Expression for Lookup {
    fn to_expr(&self, _: &Rule<'_>) -> NonNull<sys::nftnl_expr> {
        let operands = [
            (sys::NFTNL_EXPR_LOOKUP_SREG, FIRST),
            (sys::NFTNL_EXPR_LOOKUP_DREG, FIRST),
            (sys::NFTNL_EXPR_LOOKUP_FLAGS, 0),
        ];
        named(build(c"lookup", &operands), sys::NFTNL_EXPR_LOOKUP_SET)
    }
}

#[expect(unsafe_code, reason = "nftnl has no safe builder for these expressions")]
fn named(expr: NonNull<sys::nftnl_expr>, operand: u32) -> NonNull<sys::nftnl_expr> {
    let name = CString::new(Mappings::NAME).expect("no NUL");
    let operand = u16::try_from(operand).expect("operands are small numbers");
    // SAFETY: `expr` was just built; the operand is a text of this kind of expression, and is copied.
    unsafe { sys::nftnl_expr_set_str(expr.as_ptr(), operand, name.as_ptr()) };
    expr
}
