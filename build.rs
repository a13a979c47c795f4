//! Tells the linker how to lay a release out: docs/decisions/0007.
//!
//! `TASKHOLD_LINK=plain` leaves it to the linker, for one that reads no linker scripts (mold, or Apple's).

#![allow(clippy::disallowed_methods, reason = "what cargo tells a build script is in its environment")]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=link/release.ld");
    println!("cargo::rerun-if-env-changed=TASKHOLD_LINK");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    // A debug build links faster without, and unwinds when it panics.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && !is("TASKHOLD_LINK", "plain") {
        let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{root}/link/release.ld");
    }
}
