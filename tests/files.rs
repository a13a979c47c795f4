//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The path of a file or folder, from its path in the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a folder of it").join(relative)
}

/// The function as a program.
pub(crate) fn bootstrap() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| program("bootstrap"));
    &PATH
}

/// `taskhold-run`.
pub(crate) fn taskhold_run() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| program("taskhold-run"));
    &PATH
}

/// `ecs-sim`.
#[cfg(feature = "aws")]
pub(crate) fn ecs_sim() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| program("ecs-sim"));
    &PATH
}

/// A program that `cargo build` and `make test` put beside the folder of this one.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace`, or `make test`", path.display());
    path
}

/// The text of a page without its line breaks, from its path in the repository.
pub(crate) fn prose(relative: &str) -> String {
    read(relative).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of a file, from its path in the repository.
pub(crate) fn read(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The names of the files in a folder, in order, from its path in the repository.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let entries = path(folder).read_dir().unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The Rust files of a folder and its subfolders.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The cells of each row of the table of a page whose first column has this heading.
pub(crate) fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(page);
    let start = format!("| {heading} |");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&start)).skip(2).peekable();
    assert!(lines.peek().is_some(), "{page} has a table of `{heading}`");
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}
