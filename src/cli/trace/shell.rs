//! Commands to copy into a shell.

use std::path::Path;

/// What brings an event back from the dead-letter queue. Its id is upstream's word: it must not be a command of its own.
pub(super) fn replay(event_id: &str, config: Option<&Path>) -> String {
    dead("replay", event_id, config)
}

/// What shows whether an event is in the dead-letter queue.
pub(super) fn list(event_id: &str, config: Option<&Path>) -> String {
    dead("list", event_id, config)
}

/// What shows what became of an event.
pub(super) fn trace(event_id: &str, config: Option<&Path>) -> String {
    let end = if event_id.starts_with('-') { "-- " } else { "" };
    format!("shirase trace{} {end}{}", configured(config), quoted(event_id))
}

fn configured(config: Option<&Path>) -> String {
    config.map(|file| format!(" --config {}", quoted(&file.to_string_lossy()))).unwrap_or_default()
}

fn dead(what: &str, event_id: &str, config: Option<&Path>) -> String {
    let between = if event_id.starts_with('-') { '=' } else { ' ' };
    format!("shirase dead {what} --id{between}{}{}", quoted(event_id), configured(config))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_word_of_the_command_whatever_it_holds() {
        for (id, words) in [
            ("01JD2Q", " 01JD2Q"),
            ("a b; rm -rf ~", " 'a b; rm -rf ~'"),
            ("it's", r" 'it'\''s'"),
            ("$(id)", " '$(id)'"),
            ("-x", "=-x"),
        ] {
            assert_eq!(replay(id, None), format!("shirase dead replay --id{words}"));
        }
        let config = Path::new("/etc/my house/shirase.toml");
        let expected = "shirase dead list --id e --config '/etc/my house/shirase.toml'";
        assert_eq!(list("e", Some(config)), expected);
    }
}
