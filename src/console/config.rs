//! `[console]`: who may see and do what on the console.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Secret, Span};

/// A shorter token could be guessed.
const MIN_TOKEN: usize = 16;

/// A name stands in every line of the log that tells of an action.
const MAX_NAME: usize = 64;

/// `[console]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Whoever sits at this machine may read without a token. `false` where a reverse proxy on this machine passes on
    /// what others ask without saying so in a header.
    pub loopback: bool,
    /// How long somebody stays signed in.
    pub sessions: Span,
    /// Who else may read, and who may act.
    pub tokens: Vec<TokenConfig>,
}

/// `[[console.tokens]]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Whose it is: in the log beside everything that is done with it.
    pub name: String,
    /// The token itself, at least 16 characters.
    pub token: Secret,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See everything that the console shows.
    Read,
    /// Replay and drop dead letters, drain and resume gateways.
    Act,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self { loopback: true, sessions: Span::seconds(12 * 3600), tokens: Vec::new() }
    }
}

impl ConsoleConfig {
    /// What one key alone cannot show: the key below `console`, and what is wrong.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.sessions.0.is_zero() {
            problems.push(("sessions".to_owned(), "is nothing: nobody could sign in".to_owned()));
        }
        for (index, token) in self.tokens.iter().enumerate() {
            let earlier = &self.tokens[..index];
            let below = |(key, message): (&str, &str)| (format!("tokens.{index}.{key}"), message.to_owned());
            problems.extend(token.problems(earlier).into_iter().map(below));
        }
        problems
    }
}

impl TokenConfig {
    fn problems(&self, earlier: &[Self]) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        let printable = self.name.chars().all(|c| c.is_ascii_graphic());
        if self.name.is_empty() || self.name.len() > MAX_NAME || !printable {
            problems.push(("name", "has to be 1 to 64 letters, digits and signs, without spaces"));
        }
        if self.name == super::access::LOOPBACK || earlier.iter().any(|other| other.name == self.name) {
            problems.push(("name", "is taken; the log tells by it who did what"));
        }
        let token = self.token.reveal();
        if token.len() < MIN_TOKEN || !token.chars().all(|c| c.is_ascii_graphic()) {
            let mend =
                "has to be at least 16 letters, digits and signs, without spaces (openssl rand -hex 32)";
            problems.push(("token", mend));
        }
        if earlier.iter().any(|other| other.token == self.token) {
            problems.push(("token", "is another one's too; the log could not tell them apart"));
        }
        if self.scopes.is_empty() {
            problems.push(("scopes", "is empty; write [\"read\"] or [\"read\", \"act\"]"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let config: ConsoleConfig = toml::from_str(text).expect("keys");
        config.problems().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_name_and_a_token_are_one_person_s_and_no_token_can_be_guessed() {
        let token = |name: &str, token: &str, scopes: &str| {
            format!("[[tokens]]\nname = '{name}'\ntoken = '{token}'\nscopes = {scopes}\n")
        };
        let good = token("oncall", "0123456789abcdef", "['read', 'act']");
        assert!(problems("").is_empty());
        assert!(problems(&good).is_empty());
        assert_eq!(problems(&token("a", "0123456789abcde", "['read']")), ["tokens.0.token"]);
        assert_eq!(problems(&token("a", "0123456789 abcdef", "['read']")), ["tokens.0.token"]);
        assert_eq!(problems(&token("a", "0123456789abcdef", "[]")), ["tokens.0.scopes"]);
        assert_eq!(problems(&token("a b", "0123456789abcdef", "['read']")), ["tokens.0.name"]);
        assert_eq!(problems(&token("loopback", "0123456789abcdef", "['read']")), ["tokens.0.name"]);
        let twice = good.clone() + &token("oncall", "0123456789abcdef", "['read']");
        assert_eq!(problems(&twice), ["tokens.1.name", "tokens.1.token"]);
        assert_eq!(problems("sessions = '0s'"), ["sessions"]);
    }
}
