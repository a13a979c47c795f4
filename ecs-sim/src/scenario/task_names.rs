//! The names of tasks in scenarios.

/// How texts name tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TaskNames {
    /// In order of creation: `a`, `b` …
    #[default]
    Letters,
    /// By their ids, which commands take.
    Ids,
}

/// `a` … `z`, `aa`, `ab` …
pub(super) fn name_of(mut at: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + u8::try_from(at % 26).expect("less than 26")));
        if at < 26 {
            return letters.iter().rev().collect();
        }
        at = at / 26 - 1;
    }
}
