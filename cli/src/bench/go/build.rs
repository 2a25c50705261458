//! Building what is measured: `go build` on the binding's source, into a folder that goes away.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::GoError;

/// The module of the binding, in a checkout.
const BINDINGS: &str = "go-bindings";
/// The module of the rivals, which has the dependencies that the binding has not.
const RIVALS: &str = "go-bindings/rivals";
/// How far above the program's file a checkout is looked for.
const FOLDERS_ABOVE: usize = 4;

/// Finds the checkout: the one asked for, or the nearest one.
pub fn checkout(wish: Option<&Path>) -> Result<PathBuf, GoError> {
    let mut candidates: Vec<PathBuf> = match wish {
        Some(wish) => vec![wish.to_owned()],
        None => places(),
    };
    let looked = candidates.clone();
    candidates.retain(|folder| folder.join(BINDINGS).join("go.mod").is_file());
    match candidates.into_iter().next() {
        Some(folder) => folder.canonicalize().map_err(|_| GoError::Source(looked)),
        None => Err(GoError::Source(looked)),
    }
}

fn places() -> Vec<PathBuf> {
    let up = |folder: PathBuf, levels: usize| -> Vec<PathBuf> {
        folder.ancestors().take(levels).map(PathBuf::from).collect()
    };
    let working = std::env::current_dir().map(|folder| up(folder, usize::MAX));
    let program = std::env::current_exe().map(|file| up(file, FOLDERS_ABOVE + 1));
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    [working, program]
        .into_iter()
        .flat_map(Result::unwrap_or_default)
        .chain(built.map(PathBuf::from))
        .collect()
}

/// Builds the measuring host of the binding.
pub fn host(checkout: &Path, into: &Path) -> Result<PathBuf, GoError> {
    let output = into.join("go-host");
    let module = checkout.join(BINDINGS);
    build(&module, "./internal/benchhost", &output, "the Go host")?;
    Ok(output)
}

/// Builds the rivals.
pub fn rivals(checkout: &Path, into: &Path) -> Result<PathBuf, GoError> {
    let output = into.join("go-rivals");
    build(
        &checkout.join(RIVALS),
        "./cmd/grpcecho",
        &output,
        "the rivals in Go",
    )?;
    Ok(output)
}

/// The version of the Go that builds.
pub fn version() -> Result<String, GoError> {
    let output = Command::new("go").args(["env", "GOVERSION"]).output();
    let output = output.map_err(no_go)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn build(module: &Path, package: &str, output: &Path, what: &'static str) -> Result<(), GoError> {
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(output)
        .arg(package)
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .output()
        .map_err(no_go)?;
    if built.status.success() {
        return Ok(());
    }
    Err(GoError::Build {
        what,
        module: module.to_owned(),
        reason: String::from_utf8_lossy(&built.stderr).trim().to_owned(),
    })
}

fn no_go(cause: io::Error) -> GoError {
    GoError::NoGo(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_wish_is_refused_and_names_the_folder() {
        let wish = Path::new("/nowhere/at/all");
        let error = checkout(Some(wish)).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn without_a_wish_the_checkout_of_this_build_is_found() {
        let found = checkout(None).unwrap();
        assert!(found.join(BINDINGS).join("go.mod").is_file());
    }
}
