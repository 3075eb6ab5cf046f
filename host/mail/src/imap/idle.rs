//! Waiting until a folder changes (RFC 2177).

use std::time::Duration;

use super::{Response, SMALL, Session, StatusKind, parse::Value};
use crate::{Cause, Result, Stage, wire::within};

/// Why waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// The server told of something: new mail, a mail gone, other flags.
    Changed,
    /// Nothing happened all the time.
    Quiet,
}

/// Servers may hang up after 30 minutes of silence (RFC 2177); middleboxes forget sooner.
const RENEWAL: Duration = Duration::from_secs(20 * 60);

impl Session {
    /// Waits until the selected folder changes, at most for `longest`. IDLE is issued again
    /// before the server or anything in between gives the connection up, which also shows a
    /// dead one.
    ///
    /// # Errors
    /// At the stage `idle`; without the capability ([`can_idle`](Self::can_idle)) at once.
    pub async fn idle(&mut self, longest: Duration) -> Result<Idle> {
        if !self.can_idle() {
            return Err(Cause::NotOffered("IDLE").at(Stage::Idle));
        }
        if self.dead {
            return Err(Cause::Closed.at(Stage::Idle));
        }
        let mut left = longest;
        loop {
            let slice = left.min(RENEWAL);
            // Also when this future is dropped half-way.
            self.dead = true;
            let result = self.idle_once(slice).await;
            let answer = result.as_ref().copied().unwrap_or(Idle::Changed);
            self.conclude(Stage::Idle, result.map(drop))?;
            left = left.saturating_sub(slice);
            if answer == Idle::Changed || left.is_zero() {
                return Ok(answer);
            }
        }
    }

    async fn idle_once(&mut self, longest: Duration) -> std::result::Result<Idle, Cause> {
        let limit = self.timeouts.command;
        let tag = self.tag();
        let mut changed = false;
        self.send(format!("{tag} IDLE\r\n").as_bytes()).await?;
        loop {
            match self.read_in_time(SMALL).await? {
                Response::Continue(_) => break,
                Response::Done(done, status) if done == tag => {
                    super::outcome(status)?;
                    return Err(Cause::Garbage("IDLE ended before it began".into()));
                }
                response => changed |= self.news(response)?,
            }
        }
        if !changed {
            // Nothing is lost when the time runs out in the middle of a response.
            let waiting = async {
                loop {
                    let response = self.read(SMALL).await?;
                    if self.news(response)? {
                        return Ok(());
                    }
                }
            };
            match within(longest, waiting).await {
                Ok(()) => changed = true,
                Err(Cause::Timeout(_)) => {}
                Err(cause) => return Err(cause),
            }
        }
        self.send(b"DONE\r\n").await?;
        let ended = async {
            loop {
                match self.read(SMALL).await? {
                    Response::Done(done, status) if done == tag => return super::outcome(status),
                    response => changed |= self.news(response)?,
                }
            }
        };
        within(limit, ended).await?;
        Ok(if changed { Idle::Changed } else { Idle::Quiet })
    }

    /// Whether `response` tells of a change in the folder.
    fn news(&mut self, response: Response) -> std::result::Result<bool, Cause> {
        let mut changed = false;
        self.untagged(response, &mut |response| {
            changed = match response {
                Response::Data(data) => is_change(&data),
                Response::Notice(status) => status.kind == StatusKind::Bye,
                _ => false,
            };
        })?;
        Ok(changed)
    }
}

fn is_change(data: &[Value]) -> bool {
    let words = ["EXISTS", "RECENT", "EXPUNGE", "FETCH"];
    data.iter()
        .take(2)
        .any(|value| words.iter().any(|word| value.is(word)))
        || data.first().is_some_and(|value| value.is("VANISHED"))
}
