//! The deliberate breaks of the source in tests/breaks, which `make breaks` makes one by one: each still applies, names a test
//! that exists, and is in the table of docs/reliability.md.

use crate::files::{names, path, read};

/// A patch of tests/breaks.
struct Break {
    file: String,
    text: String,
}

impl Break {
    fn all() -> Vec<Self> {
        let mut files = names("tests/breaks");
        files.retain(|name| name.ends_with(".patch"));
        assert!(!files.is_empty());
        files.into_iter().map(|file| Self { text: read(&format!("tests/breaks/{file}")), file }).collect()
    }

    fn field(&self, name: &str) -> &str {
        let line = self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{} does not say `{name}: …`", self.file))
    }

    /// The changed files, each with the lines that its hunks replace, as one text for each hunk.
    fn replaced(&self) -> Vec<(&str, String)> {
        let (mut found, mut file) = (Vec::new(), "");
        let body = self.text.lines().skip_while(|line| !line.starts_with("diff --git "));
        for line in body {
            if let Some(changed) = line.strip_prefix("--- a/") {
                file = changed;
            } else if line.starts_with("@@ ") {
                found.push((file, "\n".to_owned()));
            } else if let (Some(kept), Some((_, text))) = (line.strip_prefix([' ', '-']), found.last_mut())
                && !line.starts_with("--- ")
            {
                *text += kept;
                text.push('\n');
            }
        }
        found
    }
}

#[test]
fn each_break_still_applies_to_the_source() {
    for known in Break::all() {
        let replaced = known.replaced();
        assert!(!replaced.is_empty(), "{} changes nothing", known.file);
        for (file, lines) in replaced {
            assert!(file.starts_with("src/"), "{}: {file} is not part of the function", known.file);
            let count = format!("\n{}", read(file)).matches(&lines).count();
            assert_eq!(count, 1, "{} no longer applies to {file}, which has {count} times:{lines}", known.file);
        }
    }
}

#[test]
fn each_break_names_a_test_that_exists() {
    for known in Break::all() {
        let test = known.field("Test");
        if let Some(scenario) = test.strip_prefix("scenario ") {
            assert!(path(&format!("tests/scenarios/{scenario}.txt")).exists(), "{}: {test}", known.file);
            continue;
        }
        let (module, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{}: {test}", known.file));
        let source = read(&format!("tests/{}.rs", module.replace("::", "/")));
        assert!(source.contains(&format!("\nfn {name}()")), "{}: there is no {test}", known.file);
    }
}

#[test]
fn the_table_of_the_documentation_has_each_break_with_the_test_that_fails() {
    let page = read("docs/reliability.md");
    let rows = page.lines().skip_while(|line| *line != "| Break | Test that fails |").skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    let row = |known: &Break| format!("| {} | `{}` |", known.field("Break"), known.field("Test"));
    assert_eq!(rows, Break::all().iter().map(row).collect::<Vec<_>>(), "`make breaks` prints the table");
}
