//! Gives the shared library its SONAME, which cargo does not.
//!
//! Before 1.0 each minor version has an ABI of its own, so the minor version is part of the name; from
//! 1.0 on it is the major version alone.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let part =
        |name: &str| std::env::var(format!("CARGO_PKG_VERSION_{name}")).expect("set by cargo");
    let name = match part("MAJOR").as_str() {
        "0" => format!("libironhoard.so.0.{}", part("MINOR")),
        major => format!("libironhoard.so.{major}"),
    };
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{name}");
}
