//! Mutations that keep JSON valid. libFuzzer's byte mutations mostly break JSON, so that few inputs would reach the
//! rules behind the parser.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// An unexpected value.
fn odd(rng: &mut Rng) -> Value {
    let words = ["", "a", "-", "\u{0}", "a\nb", "\u{2028}\u{202e}", "\u{ffff}", "😀", "arn:aws:ecs:::", "Notification"];
    let numbers = [
        json!(-1),
        json!(0),
        json!(1),
        json!(1.5),
        json!(90.0),
        json!(2880),
        json!(2881),
        json!(u32::MAX),
        json!(u64::from(u32::MAX) + 1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
    ];
    match rng.u8(..8) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!([]),
        3 => json!({}),
        4 => json!("9999-12-30T22:00:00.999999999Z"),
        5 => json!(words[rng.usize(..words.len())].repeat(rng.usize(1..400))),
        6 => json!(words[rng.usize(..words.len())]),
        _ => numbers[rng.usize(..numbers.len())].clone(),
    }
}

/// The input with one to three of its values, members or texts mutated; `None` if it is not JSON.
pub fn altered(text: &str, rng: &mut Rng) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    for _ in 0..rng.u8(1..4) {
        let pool = parts(&value);
        let other = pool[rng.usize(..pool.len())].clone();
        let place = rng.usize(..pool.len());
        alter(nth(&mut value, &mut { place })?, other, rng);
    }
    Some(written_otherwise(value.to_string(), rng))
}

/// The same JSON, one time in four with one letter as an escape: parsers must not depend on the notation.
fn written_otherwise(text: String, rng: &mut Rng) -> String {
    let letters: Vec<usize> = text.match_indices(|c: char| c.is_ascii_alphabetic()).map(|(at, _)| at).collect();
    if letters.is_empty() || rng.u8(..4) > 0 {
        return text;
    }
    let at = letters[rng.usize(..letters.len())];
    let escaped = format!("{}\\u{:04x}{}", &text[..at], text.as_bytes()[at], &text[at + 1..]);
    let is_the_same = |value: &Value| serde_json::from_str::<Value>(&text).is_ok_and(|same| same == *value);
    // If the letter belongs to `true` or to an escape, the result differs or is invalid.
    if serde_json::from_str::<Value>(&escaped).is_ok_and(|value| is_the_same(&value)) { escaped } else { text }
}

/// Mutates libFuzzer's input in `data[..size]` in place, to at most `size_max` bytes: as JSON, or with `bytes` one time
/// in four and for inputs that are not JSON.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    size_max: usize,
    seed: u32,
    bytes: impl FnOnce(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut rng = Rng::with_seed(u64::from(seed));
    let text = std::str::from_utf8(&data[..size]).ok().filter(|_| rng.u8(..4) > 0);
    match text.and_then(|text| altered(text, &mut rng)).filter(|altered| altered.len() <= size_max) {
        Some(altered) => {
            data[..altered.len()].copy_from_slice(altered.as_bytes());
            altered.len()
        }
        None => bytes(data, size, size_max),
    }
}

/// The value and all nested values, from the outside to the inside.
fn parts(value: &Value) -> Vec<&Value> {
    let inside: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    std::iter::once(value).chain(inside.into_iter().flat_map(parts)).collect()
}

/// The part at this position of [`parts`]; counts `place` down.
fn nth<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, place)),
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, place)),
        _ => None,
    }
}

fn alter(value: &mut Value, other: Value, rng: &mut Rng) {
    match (rng.u8(..4), &mut *value) {
        (0, _) => *value = odd(rng),
        (1, _) => *value = other,
        (_, Value::Object(members)) => alter_members(members, other, rng),
        (_, Value::Array(items)) if rng.bool() && !items.is_empty() => {
            items.swap_remove(rng.usize(..items.len()));
        }
        (_, Value::Array(items)) => items.push(other),
        (_, Value::String(text)) => *text = altered(text, rng).unwrap_or_else(|| altered_text(text, rng)),
        _ => *value = odd(rng),
    }
}

fn alter_members(members: &mut Map<String, Value>, other: Value, rng: &mut Rng) {
    let names: Vec<String> = members.keys().cloned().collect();
    let name = names.get(rng.usize(..names.len().max(1))).cloned().unwrap_or_default();
    match rng.u8(..3) {
        0 => drop(members.remove(&name)),
        1 => drop(members.insert(altered_text(&name, rng), other)),
        _ => drop(members.insert(name, odd(rng))),
    }
}

/// The text with a part inserted, cut off, repeated or replaced.
pub fn altered_text(text: &str, rng: &mut Rng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = rng.usize(..=chars.len());
    match rng.u8(..4) {
        0 => chars.truncate(at),
        1 => chars.insert(at, rng.char(..)),
        2 => chars.extend_from_within(at..),
        _ => drop(chars.splice(at.., "-/:.\n\"".chars())),
    }
    chars.into_iter().collect()
}
