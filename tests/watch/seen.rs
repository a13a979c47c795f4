//! The observations of a test: reads, notifications, sent and dead-lettered messages, and the content of the state store.

use super::counted::{InvocationCause, WatchedCalls};
use super::parts::{RecordedRechecks, SentNotification, locked};
use super::world::WatchedWorld;
use ecs_sim::control_plane::Millis;
use ecs_sim::doubles::stepped::Stepped;
use ecs_sim::queue::{AttributeValue, Message};
use ecs_sim::region::{CLUSTER, DEAD_LETTER_QUEUE, RECHECK_QUEUE};
use futures_util::FutureExt;
use std::sync::MutexGuard;
use taskhold::ecs::service::ServiceArn;
use taskhold::lambda::dead_letter::REASON_ATTRIBUTE;
use taskhold::service::recheck::Recheck;
use taskhold::service::record::ServiceRecord;
use taskhold::store::Store;

impl WatchedWorld {
    /// The calls to ECS so far.
    pub(crate) fn counted(&self) -> MutexGuard<'_, WatchedCalls> {
        let mut counted = locked(&self.counted);
        counted.take(&mut self.region.lock());
        counted
    }

    /// The times of reconciles so far, for this reason.
    pub(crate) fn reconciles(&self, cause: InvocationCause) -> Vec<Millis> {
        let counted = self.counted();
        counted.reconciles.iter().filter(|(.., of)| *of == cause).map(|(at, ..)| *at).collect()
    }

    pub(crate) fn notices(&self) -> Vec<SentNotification> {
        locked(&self.parts.alerts.inner.notices).clone()
    }

    /// The alerts so far, without their times.
    pub(crate) fn notice_texts(&self) -> Vec<String> {
        self.notices().into_iter().map(|notice| notice.what).collect()
    }

    pub(crate) fn rechecks(&self) -> &Stepped<RecordedRechecks> {
        &self.parts.rechecks
    }

    /// The messages that the function dead-lettered: reason and body.
    pub(crate) fn dead_lettered(&self) -> Vec<(String, String)> {
        let dead_lettered = self.dead_letter_queue().into_iter();
        dead_lettered.filter_map(|(reason, body)| Some((reason?, body))).collect()
    }

    /// Messages that SQS itself moved to the dead-letter queue.
    pub(crate) fn given_up(&self) -> usize {
        self.dead_letter_queue().iter().filter(|(reason, _)| reason.is_none()).count()
    }

    /// The messages in the dead-letter queue: the function's reason, and the body.
    fn dead_letter_queue(&self) -> Vec<(Option<String>, String)> {
        let region = self.region.lock();
        let messages = region.queues.messages(DEAD_LETTER_QUEUE).unwrap();
        let reason = |message: &Message| match &message.attributes.get(REASON_ATTRIBUTE)?.value {
            AttributeValue::String(reason) => Some(reason.clone()),
            AttributeValue::Binary(_) => panic!("a reason is text"),
        };
        messages.iter().map(|message| (reason(message), message.body.clone())).collect()
    }

    /// The rechecks in the queue, including those that were delivered but not deleted.
    pub(crate) fn rechecks_waiting(&self) -> Vec<Recheck> {
        let region = self.region.lock();
        let messages = region.queues.messages(RECHECK_QUEUE).unwrap();
        let read = |body: &str| Recheck::parse(body, &self.function.config().clusters).ok();
        messages.iter().filter_map(|message| read(&message.body)).collect()
    }

    pub(crate) fn arn(&self, service: &str) -> ServiceArn {
        ServiceArn::new(self.function.config().clusters.find(CLUSTER).unwrap(), service).unwrap()
    }

    /// The stored record of a service.
    pub(crate) fn record(&self, service: &str) -> ServiceRecord {
        let arn = self.arn(service);
        Store::<ServiceRecord>::load(&self.parts.store.inner.kept, &arn).now_or_never().unwrap().unwrap().record
    }

    /// The number of queued rechecks whose time is the one that the service's watch expects.
    pub(crate) fn awaited(&self, service: &str) -> usize {
        let awaited = self.record(service).watch.and_then(|watch| watch.due);
        let arn = self.arn(service);
        let is_awaited = |recheck: &&Recheck| match recheck {
            Recheck::Check { service, due } => *service == arn && Some(*due) == awaited,
            _ => false,
        };
        self.rechecks_waiting().iter().filter(is_awaited).count()
    }

    /// When ECS first reported, from `since` on, that protection blocks a deployment or a scale-in of the service.
    pub(crate) fn said_blocked(&self, service: &str, since: Millis) -> Option<Millis> {
        let region = self.region.lock();
        let events = &region.ecs.service(CLUSTER, service)?.events;
        let said = events.iter().filter(|event| event.message.contains(") was unable to scale in due to (reason"));
        said.map(|event| event.created_at).filter(|at| *at >= since).min()
    }
}
