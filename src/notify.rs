//! Notifications: the wording and delivery of alerts about services and of interrupted jobs.
//!
//! A [`notification::Notification`] is the view model of one alert: it chooses the facts and writes the sentences.
//! [`email`], [`chat`] and [`json`] lay it out; command answers share the parts of [`json`]. [`message`] holds the
//! result in every format, [`published`] combines the formats into one SNS message, and a [`sink::Sink`] delivers them.
//! Start at [`notification`].
//!
//! Not here: when to notify ([`crate::service::incident`]), the diagnosis of a service ([`crate::service::diagnosis`]),
//! and retries of failed deliveries ([`crate::outbox`]).

pub mod chat;
pub mod email;
pub mod json;
pub mod message;
pub mod notification;
pub mod published;
pub mod sender;
pub mod sink;
pub(crate) mod task_view;
pub(crate) mod wording;
