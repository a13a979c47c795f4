//! notify

pub mod chat;
pub mod email;
pub mod interrupted;
pub mod json;
pub mod notification;
pub mod published;
pub mod refused;
pub mod sink;
pub mod view;
pub mod words;
