//! What a source file says: its code without comments, text and tests; its `use` lines; its paths; its types.

use std::collections::BTreeSet;

/// A name that a `use` line brings into a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The segments as written, without an alias. The last one of a glob is `*`.
    pub(super) path: Vec<String>,
    /// The name in this file.
    pub(super) name: String,
    /// Whether other files can reach the name through this one.
    pub(super) visibility: Visibility,
}

/// Who can reach a name through the file that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    Private,
    Public,
}

/// The parts of a file that matter here.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) uses: Vec<Use>,
    /// Paths of at least two segments outside of `use` lines.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// All identifiers outside of `use` lines.
    pub(super) identifiers: BTreeSet<String>,
    /// The modules in files of their own that exist for tests only.
    pub(super) test_modules: Vec<String>,
    /// Structs, enums, traits and type aliases, without associated types.
    pub(super) types: Vec<String>,
}

impl Source {
    pub(super) fn read(text: &str) -> Self {
        let code = without_comments_and_text(text);
        let (code, test_modules) = without_tests(&code);
        let tokens = tokens(&code);
        let mut source = Self { test_modules, types: types(&code), ..Self::default() };
        let mut at = 0;
        while at < tokens.len() {
            at = match tokens[at] {
                "use" if tokens.get(at + 1) != Some(&"<") => source.read_use(&tokens, at),
                _ => source.read_path(&tokens, at),
            };
        }
        source
    }

    /// Reads the `use` line that begins here, and returns the place after it.
    fn read_use(&mut self, tokens: &[&str], at: usize) -> usize {
        let is_public = at > 0 && (tokens[at - 1] == "pub" || is_restricted(&tokens[..at]));
        let visibility = if is_public { Visibility::Public } else { Visibility::Private };
        let length = tokens[at..].iter().position(|token| *token == ";").expect("a `use` line ends");
        let mut tree = &tokens[at + 1..at + length];
        self.read_tree(&mut tree, &[], visibility);
        at + length + 1
    }

    fn read_tree(&mut self, tree: &mut &[&str], prefix: &[String], visibility: Visibility) {
        let mut path = prefix.to_vec();
        while let Some((token, rest)) = tree.split_first() {
            *tree = rest;
            match *token {
                "::" => {}
                "{" => {
                    while tree.first().is_some_and(|token| *token != "}") {
                        self.read_tree(tree, &path, visibility);
                        *tree = tree.strip_prefix(&[","]).unwrap_or(tree);
                    }
                    *tree = tree.strip_prefix(&["}"]).expect("a group is closed");
                    return;
                }
                segment => path.push(segment.to_owned()),
            }
            if matches!(tree.first(), None | Some(&("," | "}" | "as"))) {
                break;
            }
        }
        // `a::{self}` names `a`.
        if path.len() > 1 {
            path.pop_if(|last| last == "self");
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if let ["as", alias, ..] = **tree {
            name = alias.to_owned();
            *tree = &tree[2..];
        }
        self.uses.push(Use { path, name, visibility });
    }

    /// Reads the path or the single token that begins here, and returns the place after it.
    fn read_path(&mut self, tokens: &[&str], at: usize) -> usize {
        let is_name = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !is_name(tokens[at]) {
            return at + 1;
        }
        let mut path = vec![tokens[at].to_owned()];
        let mut end = at + 1;
        while end + 1 < tokens.len() && tokens[end] == "::" && is_name(tokens[end + 1]) {
            path.push(tokens[end + 1].to_owned());
            end += 2;
        }
        self.identifiers.extend(path.iter().cloned());
        let continues = at > 0 && ["::", "."].contains(&tokens[at - 1]);
        if path.len() > 1 && !continues {
            self.paths.insert(path);
        }
        end
    }
}

/// Whether the tokens end with `pub(…)`.
fn is_restricted(tokens: &[&str]) -> bool {
    tokens.last() == Some(&")") && tokens.iter().rev().skip_while(|token| **token != "(").nth(1) == Some(&"pub")
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// The code with blanks in place of comments and the content of literals. A lifetime is not the start of a character.
fn without_comments_and_text(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|raw| raw.trim_start_matches('#')).filter(|raw| raw.starts_with('"'));
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = raw.filter(|_| !after_word) {
            let hashes = rest.len() - raw.len() - 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let content = &raw[1..];
            hashes + 2 + content.find(&end).expect("a raw string ends") + end.len()
        } else if first == '"' {
            2 + length_before(&rest[1..], '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            2 + length_before(&rest[1..], '\'')
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[length..];
    }
    code
}

/// The length of a literal's content before its end, which no backslash precedes.
fn length_before(content: &str, end: char) -> usize {
    let mut is_escaped = false;
    let at = content.find(|c| {
        let is_end = c == end && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    at.expect("a literal ends")
}

/// The code before the test module, and the modules in files of their own that only tests have.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut parts = code.split("#[cfg(test)]");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    let mut modules = Vec::new();
    for part in parts {
        let tokens = tokens(part);
        let after_visibility = tokens.iter().skip_while(|token| ["pub", "(", "crate", "super", ")"].contains(token));
        match after_visibility.take(3).copied().collect::<Vec<_>>()[..] {
            ["mod", "tests", "{"] => break,
            ["mod", name, ";"] => {
                modules.push(name.to_owned());
                kept.push_str(part.split_once(';').map_or("", |(_, after)| after));
            }
            _ => kept.push_str(part),
        }
    }
    (kept, modules)
}

/// The declared types. Indented ones belong to a trait, an `impl` block or a function: of those, aliases are left out.
fn types(code: &str) -> Vec<String> {
    let declared = code.lines().filter_map(|line| {
        let tokens = tokens(line);
        let after_visibility = tokens.iter().skip_while(|token| ["pub", "(", "crate", "super", ")"].contains(token));
        match after_visibility.take(2).copied().collect::<Vec<_>>()[..] {
            ["struct" | "enum" | "trait", name] => Some(name.to_owned()),
            ["type", name] if !line.starts_with(' ') => Some(name.to_owned()),
            _ => None,
        }
    });
    declared.collect()
}
