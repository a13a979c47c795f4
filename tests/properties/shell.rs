//! The commands that alerts and answers suggest are copied into shells.

use super::drawn::text;
use super::fewer;
use proptest::prelude::*;
use std::process::Command;
use taskhold::service::suggested_action::command::shell_quoted;

/// The number of words that a shell parses, and the words, concatenated.
fn words_of(quoted: &str) -> (usize, Vec<u8>) {
    let script = format!(r#"set -- {quoted}; printf '%s\n' "$#"; printf '%s' "$@""#);
    let output = Command::new("/bin/sh").args(["-c", &script]).env_clear().output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    let end = output.stdout.iter().position(|byte| *byte == b'\n').unwrap();
    (String::from_utf8_lossy(&output.stdout[..end]).parse().unwrap(), output.stdout[end + 1..].to_vec())
}

proptest! {
    // Each case starts two processes.
    #![proptest_config(fewer(2))]

    #[test]
    fn whatever_is_quoted_is_one_word_to_a_shell_and_the_same_text(text in prop_oneof![text(), "[ -~]{0,40}", "[$`'\"\\\\!~{}*?#&;|<>()-]{0,12}"]) {
        // An argument of a process cannot contain a zero byte.
        let text = text.replace('\0', "0");
        let (count, word) = words_of(&shell_quoted(&text));
        prop_assert_eq!(count, 1);
        prop_assert_eq!(word, text.into_bytes());
    }

    #[test]
    fn quoted_words_beside_each_other_stay_apart(one in "[ -~]{0,20}", other in "[ -~]{0,20}") {
        let (count, words) = words_of(&format!("--name {} {}", shell_quoted(&one), shell_quoted(&other)));
        prop_assert_eq!(count, 3);
        prop_assert_eq!(words, format!("--name{one}{other}").into_bytes());
    }
}
