//! Strategies for times, names, ids and texts.

use jiff::{SignedDuration, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use taskhold::config::clusters::Clusters;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::service::ServiceArn;
use taskhold::task::job::{JobKey, Labels};

/// This number of seconds after 2026-01-05 10:00 UTC.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_607_200 + second).unwrap()
}

/// Any representable timestamp, to the nanosecond.
pub(crate) fn any_moment() -> impl Strategy<Value = Timestamp> {
    let (least, greatest) = (Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
    let all = (least..=greatest).prop_map(|nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap());
    prop_oneof![6 => all, 1 => select(vec![Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX])]
}

/// Mostly within three days, so that durations are realistic; one in eight may be any time that AWS can return.
pub(crate) fn when() -> impl Strategy<Value = Timestamp> {
    let any = (0..Timestamp::MAX.as_second()).prop_map(|second| Timestamp::from_second(second).unwrap());
    prop_oneof![7 => moment(), 1 => any]
}

/// One of a few times, so that many are equal.
pub(crate) fn one_of_few_moments() -> impl Strategy<Value = Timestamp> {
    (0..4_i64).prop_map(at)
}

/// A time within three days, to the millisecond, as in SQS attributes.
pub(crate) fn moment() -> impl Strategy<Value = Timestamp> {
    (0..3 * 86_400_000_i64).prop_map(|milli| at(0) + SignedDuration::from_millis(milli))
}

/// Valid names of clusters and services, short and long.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[A-Za-z0-9_-]{1,16}", 1 => "[A-Za-z0-9_-]{200,255}"]
}

pub(crate) fn cluster() -> impl Strategy<Value = Arc<ClusterArn>> {
    let place = select(vec![("aws", "eu-west-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]);
    (place, "[0-9]{12}", name()).prop_map(|((partition, region), account, name)| {
        Arc::new(ClusterArn { partition: partition.to_owned(), region: region.to_owned(), account, name })
    })
}

/// The cluster of tests that need only one.
pub(crate) fn video() -> Arc<ClusterArn> {
    Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap())
}

/// [`video`] alone.
pub(crate) fn clusters() -> Clusters {
    Clusters::new(vec![video().as_ref().clone()]).unwrap()
}

/// In both formats.
pub(crate) fn task_id() -> impl Strategy<Value = TaskId> {
    let id =
        prop_oneof!["[0-9a-f]{32}", "[0-9a-fA-F]{32}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"];
    id.prop_map(|id| id.parse().unwrap())
}

/// The id of a task by its number.
pub(crate) fn id(number: usize) -> TaskId {
    format!("{number:032x}").parse().unwrap()
}

pub(crate) fn task() -> impl Strategy<Value = Task> {
    (cluster(), task_id()).prop_map(|(cluster, id)| Task { cluster, id })
}

pub(crate) fn service() -> impl Strategy<Value = ServiceArn> {
    (cluster(), name()).prop_map(|(cluster, name)| ServiceArn::new(cluster, &name).unwrap())
}

/// Characters with a meaning in markup, JSON, a mail, a shell or a terminal.
const HOSTILE: &str = "\0\u{1}\t\n\r\u{1b}\u{7f}\u{85}\u{ad}\u{200b}\u{202e}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}\u{e0041}\u{10ffff}\
                       \"'`\\$<>&@*_[]()|~#;!{}%=, -é😀";

/// A hostile character, an ordinary one, or any other. Derived from one number, because texts are many and each
/// draw takes time.
fn char_of(number: u32) -> char {
    let (kind, number) = (number % 5, number / 5);
    let of = |chars: &str| chars.chars().nth(number as usize % chars.chars().count()).unwrap();
    match kind {
        0 | 1 => of(HOSTILE),
        2 | 3 => of("abcdefghijklmnopqrstuvwxyz0123456789 -"),
        _ => char::from_u32(number % 0x11_0000).unwrap_or(' '),
    }
}

/// Any text, mostly short; one in eight is much longer than any limit.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let chars = |count| vec(any::<u32>().prop_map(char_of), count).prop_map(String::from_iter);
    prop_oneof![
        6 => chars(0..16),
        1 => (chars(1..24), 2..20_usize).prop_map(|(unit, times)| unit.repeat(times)),
        1 => (chars(1..6), 100..600_usize).prop_map(|(unit, times)| unit.repeat(times)),
    ]
}

/// A text that is not empty.
pub(crate) fn some_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

/// A text truncated to this number of characters.
pub(crate) fn text_within(chars_max: usize) -> impl Strategy<Value = String> {
    text().prop_map(move |text| text.chars().take(chars_max).collect())
}

/// A valid job key of a job message.
pub(crate) fn job_key() -> impl Strategy<Value = JobKey> {
    let job_id = text_within(256).prop_map(|id| if id.is_empty() { "j".to_owned() } else { id });
    let attempt = prop_oneof![3 => Just(1_u32), 1 => 1..=u32::MAX];
    (job_id, attempt).prop_map(|(job_id, attempt)| JobKey { job_id, attempt })
}

/// Valid labels of a job message.
pub(crate) fn labels() -> impl Strategy<Value = Labels> {
    prop_oneof![2 => Just(Labels::new()), 1 => btree_map(text_within(64), text_within(128), 0..=8)]
}
