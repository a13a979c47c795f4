use super::*;

const NOW_MS: i64 = 1_800_000_000_000;

fn queues() -> Queues {
    let mut queues = Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), NOW_MS);
    queues.create("dead", QueueSettings::default()).unwrap();
    queues.create("jobs", QueueSettings::default().with_visibility_timeout(60).with_redrive("dead", 2)).unwrap();
    queues
}

fn fifo_queues() -> Queues {
    let mut queues = queues();
    let settings = QueueSettings { content_based_deduplication: true, ..QueueSettings::default() };
    queues.create("jobs.fifo", settings).unwrap();
    queues
}

fn advance(queues: &mut Queues, seconds: i64) {
    queues.advance_to(queues.now() + seconds * 1000);
}

fn bodies(received: &[ReceivedMessage]) -> Vec<&str> {
    received.iter().map(|received| received.message.body.as_str()).collect()
}

#[test]
fn url_and_arn_name_the_queue_and_its_place() {
    let mut queues = queues();
    assert_eq!(queues.url("jobs"), "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs");
    assert_eq!(queues.arn("jobs"), "arn:aws:sqs:eu-west-1:111122223333:jobs");
    queues.set_endpoint("http://127.0.0.1:9");
    assert_eq!(queues.url("jobs"), "http://127.0.0.1:9/111122223333/jobs");
}

#[test]
fn received_message_is_invisible_until_its_timeout_ends() {
    let mut queues = queues();
    let id = queues.send("jobs", SendMessage::new("a").from_sender("AROAEXAMPLEID:task")).unwrap();
    let first = queues.receive("jobs", 10).unwrap().remove(0);
    assert_eq!((first.message.id.as_str(), first.receive_count), (id.as_str(), 1));
    assert_eq!((first.message.sent_ms, first.message.sender_id.as_str()), (NOW_MS, "AROAEXAMPLEID:task"));

    advance(&mut queues, 59);
    assert_eq!(queues.receive("jobs", 10).unwrap(), []);
    assert_eq!(queues.next_due(), Some(NOW_MS + 60_000));

    advance(&mut queues, 1);
    let second = queues.receive("jobs", 10).unwrap().remove(0);
    assert_eq!((second.receive_count, second.first_received_ms), (2, NOW_MS));
    assert_ne!(second.receipt_handle, first.receipt_handle);
}

#[test]
fn deleted_message_does_not_come_back() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a")).unwrap();
    let received = queues.receive("jobs", 1).unwrap();
    queues.delete("jobs", &received[0].receipt_handle).unwrap();
    advance(&mut queues, 3600);
    assert_eq!(queues.receive("jobs", 1).unwrap(), []);
    assert_eq!(queues.next_due(), None);
}

#[test]
fn outdated_receipt_handle_deletes_nothing() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a")).unwrap();
    let old = queues.receive("jobs", 1).unwrap().remove(0);
    advance(&mut queues, 60);
    queues.receive("jobs", 1).unwrap();
    assert_eq!(queues.delete("jobs", &old.receipt_handle), Ok(()));
    assert_eq!(queues.messages("jobs").unwrap().len(), 1);
}

#[test]
fn message_received_too_often_moves_to_the_dead_letter_queue() {
    let mut queues = queues();
    let id = queues.send("jobs", SendMessage::new("a").with_attribute("kind", "poison")).unwrap();
    for _ in 0..2 {
        assert_eq!(queues.receive("jobs", 1).unwrap().len(), 1);
        advance(&mut queues, 60);
    }
    assert_eq!(queues.counts("jobs").unwrap().visible, 1, "moves when it is received once more, not before");
    assert_eq!(queues.receive("jobs", 1).unwrap(), []);

    let dead = queues.receive("dead", 1).unwrap().remove(0);
    assert_eq!((dead.message.id.as_str(), dead.message.sent_ms), (id.as_str(), NOW_MS));
    assert_eq!(dead.message.attributes["kind"], MessageAttribute::string("poison"));
    assert_eq!(dead.system_attributes()["DeadLetterQueueSourceArn"], queues.arn("jobs"));
    assert_eq!(queues.messages("jobs").unwrap(), Vec::<&Message>::new());
}

#[test]
fn delayed_message_is_seen_when_its_delay_ends() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a").delayed(900)).unwrap();
    assert_eq!(queues.counts("jobs").unwrap(), MessageCounts { delayed: 1, ..MessageCounts::default() });
    assert_eq!(queues.receive("jobs", 1).unwrap(), []);
    assert_eq!(queues.next_due(), Some(NOW_MS + 900_000));
    advance(&mut queues, 900);
    assert_eq!(queues.receive("jobs", 1).unwrap().len(), 1);
}

#[test]
fn changed_visibility_counts_from_the_change() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a")).unwrap();
    let received = queues.receive("jobs", 1).unwrap().remove(0);
    advance(&mut queues, 30);
    queues.change_visibility("jobs", &received.receipt_handle, 120).unwrap();
    assert_eq!(queues.next_due(), Some(NOW_MS + 150_000));
    queues.change_visibility("jobs", &received.receipt_handle, 0).unwrap();
    assert_eq!(queues.receive("jobs", 1).unwrap().len(), 1);
}

#[test]
fn visibility_ends_twelve_hours_after_the_receive_at_the_latest() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a")).unwrap();
    let handle = queues.receive("jobs", 1).unwrap().remove(0).receipt_handle;
    assert_eq!(queues.change_visibility("jobs", &handle, 43_200), Ok(()));
    advance(&mut queues, 1);
    assert_eq!(queues.change_visibility("jobs", &handle, 43_200).unwrap_err().code(), "InvalidParameterValue");
}

#[test]
fn timeout_of_zero_hands_a_message_out_once_per_receive() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a")).unwrap();
    let receive = Receive { visibility_timeout_seconds: Some(0), ..Receive::up_to(10) };
    assert_eq!(queues.receive_with("jobs", receive).unwrap().len(), 1);
    assert_eq!(queues.receive_with("jobs", receive).unwrap().len(), 1);
}

#[test]
fn message_in_flight_can_be_delivered_again() {
    let mut queues = queues();
    let id = queues.send("jobs", SendMessage::new("a")).unwrap();
    let first = queues.receive("jobs", 1).unwrap().remove(0);
    queues.deliver_again("jobs", &id).unwrap();
    advance(&mut queues, 1);
    let second = queues.receive("jobs", 1).unwrap().remove(0);
    assert_eq!(first.message, second.message);
    assert_eq!((first.receive_count, second.receive_count), (1, 1));
    queues.delete("jobs", &first.receipt_handle).unwrap();
    assert_eq!(queues.messages("jobs").unwrap().len(), 1, "the copy is deleted by its own receipt handle");
    queues.delete("jobs", &second.receipt_handle).unwrap();
    assert_eq!(queues.messages("jobs").unwrap().len(), 0);
}

#[test]
fn deleted_message_can_be_delivered_again() {
    let mut queues = queues();
    let id = queues.send("jobs", SendMessage::new("a")).unwrap();
    let first = queues.receive("jobs", 1).unwrap().remove(0);
    queues.delete("jobs", &first.receipt_handle).unwrap();
    queues.deliver_again("jobs", &id).unwrap();
    assert_eq!(queues.receive("jobs", 1).unwrap()[0].message, first.message);
    assert!(queues.deliver_again("jobs", "never-sent").is_err());
}

#[test]
fn last_allowed_delivery_can_be_delivered_again() {
    let mut queues = queues();
    let id = queues.send("jobs", SendMessage::new("a")).unwrap();
    queues.receive("jobs", 1).unwrap();
    advance(&mut queues, 60);
    queues.receive("jobs", 1).unwrap();
    queues.deliver_again("jobs", &id).unwrap();
    assert_eq!(queues.receive("jobs", 1).unwrap()[0].receive_count, 2);
}

#[test]
fn message_is_gone_after_its_retention() {
    let mut queues = queues();
    queues.send("jobs", SendMessage::new("a")).unwrap();
    advance(&mut queues, 4 * 86_400);
    assert_eq!(queues.counts("jobs").unwrap(), MessageCounts::default());
    assert_eq!(queues.receive("jobs", 1).unwrap(), []);
}

#[test]
fn message_of_one_mebibyte_with_its_attributes_is_the_largest() {
    let mut queues = queues();
    let attribute_bytes = "kind".len() + "String".len() + "x".len();
    let largest = "a".repeat(MESSAGE_BYTES_MAX - attribute_bytes);
    let message = SendMessage::new(&largest).with_attribute("kind", "x");
    assert_eq!(message.bytes(), MESSAGE_BYTES_MAX);
    assert!(queues.send("jobs", message).is_ok());
    let larger = SendMessage::new(largest + "a").with_attribute("kind", "x");
    assert_eq!(queues.send("jobs", larger).unwrap_err().code(), "InvalidParameterValue");
}

#[test]
fn messages_that_sqs_refuses_are_refused() {
    let mut queues = fifo_queues();
    let binary = MessageAttribute { data_type: "Binary".to_owned(), value: AttributeValue::String("x".to_owned()) };
    let mut mistyped = SendMessage::new("a");
    mistyped.attributes.insert("kind".to_owned(), binary);
    let many = (0..11).fold(SendMessage::new("a"), |message, n| message.with_attribute(n.to_string(), "x"));
    let refused = [
        ("none", SendMessage::new("a"), "QueueDoesNotExist"),
        ("jobs", SendMessage::new(""), "MissingParameter"),
        ("jobs", SendMessage::new("a\u{0}"), "InvalidMessageContents"),
        ("jobs", SendMessage::new("a").delayed(901), "InvalidParameterValue"),
        ("jobs", SendMessage::new("a").with_attribute("kind", ""), "InvalidParameterValue"),
        ("jobs", mistyped, "InvalidParameterValue"),
        ("jobs", many, "InvalidParameterValue"),
        ("jobs.fifo", SendMessage::new("a"), "MissingParameter"),
        ("jobs.fifo", SendMessage::new("a").in_group("g").delayed(1), "InvalidParameterValue"),
    ];
    for (queue, message, code) in refused {
        assert_eq!(queues.send(queue, message.clone()).unwrap_err().code(), code, "{queue}: {message:?}");
    }
    assert_eq!(queues.messages("jobs").unwrap().len(), 0);
}

#[test]
fn queue_settings_that_sqs_refuses_are_refused() {
    let mut queues = queues();
    let settings = QueueSettings::default;
    let refused = [
        ("a b", settings(), "InvalidParameterValue"),
        ("a", settings().with_visibility_timeout(43_201), "InvalidAttributeValue"),
        ("a", settings().with_redrive("idle", 3), "InvalidAttributeValue"),
        ("a", settings().with_redrive("dead", 0), "InvalidAttributeValue"),
        ("a.fifo", settings().with_redrive("dead", 3), "InvalidAttributeValue"),
        ("a", QueueSettings { retention_seconds: 59, ..settings() }, "InvalidAttributeValue"),
    ];
    for (name, settings, code) in refused {
        assert_eq!(queues.create(name, settings.clone()).unwrap_err().code(), code, "{name}: {settings:?}");
    }
}

#[test]
fn fifo_group_waits_for_its_message_in_flight() {
    let mut queues = fifo_queues();
    for (group, body) in [("g", "g1"), ("g", "g2"), ("h", "h1")] {
        queues.send("jobs.fifo", SendMessage::new(body).in_group(group)).unwrap();
    }
    let first = queues.receive("jobs.fifo", 1).unwrap();
    assert_eq!(bodies(&first), ["g1"]);
    assert_eq!(bodies(&queues.receive("jobs.fifo", 10).unwrap()), ["h1"]);
    queues.delete("jobs.fifo", &first[0].receipt_handle).unwrap();
    assert_eq!(bodies(&queues.receive("jobs.fifo", 10).unwrap()), ["g2"]);
}

#[test]
fn one_fifo_receive_takes_a_group_in_order() {
    let mut queues = fifo_queues();
    for body in ["1", "2", "3"] {
        queues.send("jobs.fifo", SendMessage::new(body).in_group("g")).unwrap();
    }
    assert_eq!(bodies(&queues.receive("jobs.fifo", 10).unwrap()), ["1", "2", "3"]);
}

#[test]
fn fifo_duplicate_within_five_minutes_is_not_stored() {
    let mut queues = fifo_queues();
    let message = || SendMessage::new("a").in_group("g");
    let first = queues.send("jobs.fifo", message()).unwrap();
    advance(&mut queues, 299);
    assert_eq!(queues.send("jobs.fifo", message()), Ok(first.clone()));
    advance(&mut queues, 1);
    assert_ne!(queues.send("jobs.fifo", message()), Ok(first));
    assert_eq!(queues.messages("jobs.fifo").unwrap().len(), 2);
}

#[test]
fn receive_stops_before_its_bytes_are_exceeded() {
    let mut queues = queues();
    for _ in 0..3 {
        queues.send("jobs", SendMessage::new("a".repeat(10_000))).unwrap();
    }
    let receive = Receive { bytes_max: 25_000, ..Receive::up_to(10) };
    assert_eq!(queues.receive_with("jobs", receive).unwrap().len(), 2);
    let receive = Receive { bytes_max: 1, ..Receive::up_to(10) };
    assert_eq!(queues.receive_with("jobs", receive).unwrap().len(), 1, "one message is always taken");
}
