//! Runs several futures concurrently.

use futures_util::StreamExt;
use futures_util::stream;
use std::pin::pin;

/// Passes the output of each future to `forward`, in the order of completion. At most `most` futures run at
/// once.
///
/// A single future, as for a single message, is awaited directly: these futures are large, and moving one
/// into a list costs more than running it.
pub(crate) async fn at_once<F: Future>(
    most: usize,
    mut futures: impl ExactSizeIterator<Item = F>,
    mut forward: impl FnMut(F::Output),
) {
    match futures.len() {
        0 => return,
        // Not in a variable, which would need the memory of a second future.
        1 => return forward(futures.next().expect("there is one").await),
        _ => {}
    }
    let mut ended = pin!(stream::iter(futures).buffer_unordered(most));
    while let Some(output) = ended.next().await {
        forward(output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    /// The first of `count` futures completes when the last one has started.
    fn ended(most: usize, count: usize) -> Option<Vec<usize>> {
        let has_begun = Cell::new(false);
        let future = |at: usize| {
            let has_begun = &has_begun;
            poll_fn(move |context| {
                has_begun.set(has_begun.get() || at + 1 == count);
                if at > 0 || has_begun.get() {
                    return Poll::Ready(at);
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
        };
        let mut ended = Vec::new();
        let all = at_once(most, (0..count).map(future), |at| ended.push(at)).now_or_never();
        all.map(|()| ended)
    }

    #[test]
    fn a_future_that_waits_for_another_blocks_only_if_there_is_room_for_one() {
        assert_eq!(ended(2, 0), Some(vec![]));
        assert_eq!(ended(2, 1), Some(vec![0]));
        assert_eq!(ended(2, 2), Some(vec![1, 0]));
        assert_eq!(ended(1, 2), None);
    }
}
