//! Writing several files: all of them, or none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// Writes every file, with the folders that it needs.
///
/// All texts are written beside their places first and moved there at the end, so that a full disk or a folder that may not
/// be written leaves every file as it was.
///
/// # Errors
///
/// What the operating system refuses, with the file's name. Where the moving itself fails, which files are there already.
pub(super) fn write_all(files: &[(String, String)]) -> Result<(), Failure> {
    let mut written = Written::default();
    for (path, text) in files {
        written.write(path, text).map_err(|error| Failure::system(format!("cannot write {path}"), error))?;
    }
    for (done, (path, _)) in files.iter().enumerate() {
        written.place(done, path).map_err(|error| {
            let before = files.iter().take(done).map(|(path, _)| path.as_str()).collect::<Vec<_>>();
            let before = if before.is_empty() { String::new() } else { format!("; written: {}", before.join(", ")) };
            Failure::system(format!("cannot write {path}{before}"), error)
        })?;
    }
    written.folders.clear();
    Ok(())
}

/// What has been made so far, and is removed unless everything succeeds.
#[derive(Default)]
struct Written {
    texts: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Written {
    fn write(&mut self, path: &str, text: &str) -> io::Result<()> {
        let path = Path::new(path);
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let missing: Vec<&Path> =
            folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            // `new/..` is there as soon as `new` is.
            if folder.is_dir() {
                continue;
            }
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
        let mut file = fs::File::create_new(&beside)?;
        self.texts.push(beside);
        file.write_all(text.as_bytes())?;
        file.flush()
    }

    fn place(&mut self, index: usize, path: &str) -> io::Result<()> {
        match self.texts.get(index) {
            Some(beside) => fs::rename(beside, path),
            None => Ok(()),
        }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // What was moved is no longer there; a folder that holds a file stays.
        for text in &self.texts {
            let _ = fs::remove_file(text);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_when_one_file_cannot_be_written() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir(root.path().join("b")).unwrap();
        fs::write(root.path().join("c"), "old").unwrap();
        let files = [("new/deep/a", "1"), ("c", "2"), ("b", "3")].map(|(name, text)| (path(name), text.to_owned()));
        assert_eq!(write_all(&files).unwrap_err().code(), 1);
        let mut left: Vec<String> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["b", "c"]);
        assert_eq!(fs::read_to_string(root.path().join("c")).unwrap(), "old");
    }

    #[test]
    fn a_path_may_leave_a_folder_that_it_has_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("new/../other/a").to_str().unwrap().to_owned();
        write_all(&[(path, "1".to_owned())]).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("other/a")).unwrap(), "1");
    }

    #[test]
    fn files_and_folders_are_made_and_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        for text in ["1", "2"] {
            write_all(&[(path("a/b/c"), text.to_owned())]).unwrap();
            assert_eq!(fs::read_to_string(path("a/b/c")).unwrap(), text);
            assert_eq!(fs::read_dir(root.path().join("a/b")).unwrap().count(), 1);
        }
    }
}
