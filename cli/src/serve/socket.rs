//! Where an engine listens if nobody says where.

use std::path::{Path, PathBuf};

use rustix::fs::{access, Access};

/// `name` in the first of these that can be written: $XDG_RUNTIME_DIR, /run, /tmp.
pub fn runtime_path(name: &str) -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let folders = own.into_iter().chain([PathBuf::from("/run")]);
    let usable = |folder: &Path| folder.is_dir() && access(folder, Access::WRITE_OK).is_ok();
    folders
        .into_iter()
        .find(|folder| usable(folder))
        .unwrap_or_else(|| PathBuf::from("/tmp"))
        .join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_lies_in_a_folder_that_can_be_written() {
        let path = runtime_path("a.sock");
        assert_eq!(path.file_name().unwrap(), "a.sock");
        assert!(access(path.parent().unwrap(), Access::WRITE_OK).is_ok());
    }
}
