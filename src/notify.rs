//! Notifications: the wording and delivery of alerts about services and of interrupted jobs.
//!
//! A [`notification::Notification`] holds one alert in every format: [`email`], [`chat`] and [`json`], and
//! [`interrupted`] for a task that stopped with jobs running. [`words`] has the phrases that email and chat share,
//! [`json`] has the parts that alerts and command answers share. [`published`] combines the formats into one SNS
//! message, and a [`sink::Sink`] delivers it. Start at [`notification`].
//!
//! Not here: when to notify ([`crate::service::incident`]), the diagnosis of a service ([`crate::service::diagnosis`]),
//! and retries of failed deliveries ([`crate::outbox`]).

mod actions;
pub mod chat;
pub mod email;
pub mod interrupted;
pub mod json;
pub mod notification;
pub mod published;
pub mod refused;
pub mod sink;
pub mod task_view;
pub mod words;
