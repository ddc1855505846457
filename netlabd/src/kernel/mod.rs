//! The Linux kernel, driven by netlink, `/proc/sys` and nftables.
pub mod nft;
