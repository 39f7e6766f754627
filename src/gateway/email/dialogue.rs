//! One mail over an open connection, walked stage by stage: the stage decides what a lost connection means.

use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Response, Severity};

use super::mail::Built;
use super::reply::{Broken, Stage};

use Severity::{PositiveCompletion, PositiveIntermediate};

/// An open connection.
pub(super) struct Session {
    pub connection: AsyncSmtpConnection,
    /// The relay takes several commands at once (RFC 2920), which saves two of four round trips a mail.
    pipelining: bool,
}

impl Session {
    /// Asks what the relay offers: lettre keeps of its answer only what it uses itself.
    pub async fn begin(mut connection: AsyncSmtpConnection, hello: &ClientId) -> Result<Self, Error> {
        let pipelining = match connection.command(Ehlo::new(hello.clone())).await {
            Ok(offer) => offer.message().any(|line| line.eq_ignore_ascii_case("PIPELINING")),
            // It greets once only.
            Err(refusal) if refusal.status().is_some() => false,
            Err(lost) => return Err(lost),
        };
        Ok(Self { connection, pipelining })
    }

    /// One transaction; `stage` tells how far it came.
    pub async fn deliver(&mut self, mail: &Built, stage: &mut Stage) -> Result<(), Broken> {
        if self.pipelining {
            self.envelope_at_once(mail, stage).await?;
        } else {
            self.envelope(mail, stage).await?;
        }
        *stage = Stage::FinalDot;
        in_step(&self.connection.command(&mail.text).await?, PositiveCompletion)
    }

    async fn envelope(&mut self, mail: &Built, stage: &mut Stage) -> Result<(), Broken> {
        let connection = &mut self.connection;
        *stage = Stage::Mail;
        in_step(&connection.command(from(mail)).await?, PositiveCompletion)?;
        *stage = Stage::Rcpt;
        in_step(&connection.command(to(mail)).await?, PositiveCompletion)?;
        *stage = Stage::Data;
        in_step(&connection.command(Data).await?, PositiveIntermediate)
    }

    /// The same in one write. Every reply is read before the first that is not good counts: the others would be taken for
    /// answers to what comes next.
    async fn envelope_at_once(&mut self, mail: &Built, stage: &mut Stage) -> Result<(), Broken> {
        let connection = &mut self.connection;
        *stage = Stage::Mail;
        let mail_reply = connection.command(format!("{}{}{Data}", from(mail), to(mail))).await;
        if mail_reply.as_ref().is_err_and(is_the_last) {
            return mail_reply.map(drop).map_err(Broken::from);
        }
        *stage = Stage::Rcpt;
        let rcpt_reply = connection.read_response().await;
        if mail_reply.is_ok() && rcpt_reply.as_ref().is_err_and(is_the_last) {
            return rcpt_reply.map(drop).map_err(Broken::from);
        }
        *stage = Stage::Data;
        let data_reply = connection.read_response().await;
        let data_refused = data_reply.as_ref().is_err_and(|error| error.status().is_some());
        for (reached, reply) in [(Stage::Mail, mail_reply), (Stage::Rcpt, rcpt_reply)] {
            *stage = reached;
            match reply {
                Ok(response) => in_step(&response, PositiveCompletion)?,
                Err(refusal) if data_refused => return Err(refusal.into()),
                Err(refusal) => return Err(Broken::Astray(refusal)),
            }
        }
        *stage = Stage::Data;
        in_step(&data_reply?, PositiveIntermediate)
    }
}

fn from(mail: &Built) -> Mail {
    Mail::new(Some(mail.from.clone()), vec![])
}

fn to(mail: &Built) -> Rcpt {
    Rcpt::new(mail.to.clone(), vec![])
}

/// Nothing comes after it: the connection is lost, or the relay says goodbye (421, RFC 5321, 3.8).
fn is_the_last(error: &Error) -> bool {
    error.status().is_none_or(|code| u16::from(code) == 421)
}

/// A good reply of the other kind belongs to another question, so nothing that follows could be believed.
fn in_step(response: &Response, severity: Severity) -> Result<(), Broken> {
    if response.code().severity == severity { Ok(()) } else { Err(Broken::OutOfStep) }
}
