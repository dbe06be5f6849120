//! Files that a command is asked to write: whole, or not at all.
//!
//! Must not know: what stands in them.

use std::{io, io::Write as _, path::Path};

/// Puts `text` into the file, in place of what it held. Whoever reads it at the same time sees the one or the other.
pub(super) fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // a device or a pipe is not replaced: what is written to it goes somewhere
    if std::fs::metadata(file).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return std::fs::OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".onceproof-").suffix(".unfinished");
    #[cfg(unix)]
    {
        // as any other file: for whom, the umask says
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut unfinished = builder.tempfile_in(folder)?;
    unfinished.write_all(text.as_bytes())?;
    // some file systems say only now that they are full
    unfinished.as_file().sync_all()?;
    unfinished.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("results/all.json");
        for text in ["a longer text that was there", "new"] {
            write_whole(&file, text).expect("it can be written");
            assert_eq!(std::fs::read_to_string(&file).expect("it is there"), text);
        }
        let there = std::fs::read_dir(folder.path().join("results")).expect("it is there").count();
        assert_eq!(there, 1);
        // a folder has the name
        write_whole(&folder.path().join("results"), "new").expect_err("a folder is there");
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "new");
    }
}
