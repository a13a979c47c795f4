//! A page of a list: of ECS, or of the state store.

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of the answer.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub next_token: Option<String>,
}
