//! Leaves the unwind tables out of a release: docs/decisions/0007.
//!
//! `TASKHOLD_LINK=plain` keeps them, for a linker that reads no linker scripts (mold, or Apple's).

#![allow(clippy::disallowed_methods, reason = "Cargo passes everything to a build script in its environment")]

use std::path::Path;
use std::{env, fs};

/// INSERT adds to the linker's own script instead of replacing it, in GNU ld and in LLD.
const SCRIPT: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table*) } } INSERT AFTER .text;";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TASKHOLD_LINK");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    // Only a release aborts on panic; a debug build unwinds.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && !is("TASKHOLD_LINK", "plain") {
        let script = Path::new(&env::var("OUT_DIR").expect("Cargo sets it")).join("release.ld");
        fs::write(&script, SCRIPT).expect("OUT_DIR is writable");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
}
