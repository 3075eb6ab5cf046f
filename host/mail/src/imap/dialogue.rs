//! Commands and their answers, one at a time.

use super::{
    Session,
    parse::{self, Response, Status, StatusKind, Value},
};
use crate::{Cause, Result, Stage, wire::within};

/// No honest answer without a mail in it is longer.
pub(super) const SMALL: usize = 1024 * 1024;

/// A command in pieces: text, and literals that may hold any bytes.
pub(super) enum Piece<'a> {
    Text(String),
    Literal(&'a [u8]),
}

impl Session {
    /// Runs a command without literals; `each` sees the untagged data.
    pub(super) async fn run(
        &mut self,
        stage: Stage,
        command: String,
        mut each: impl FnMut(Vec<Value>),
    ) -> Result<()> {
        let each = |response| {
            if let Response::Data(data) = response {
                each(data);
            }
        };
        self.run_noticing(stage, &[Piece::Text(command)], SMALL, each)
            .await
    }

    /// Runs a command; `each` sees every untagged response, none larger than `largest` bytes.
    pub(super) async fn run_noticing(
        &mut self,
        stage: Stage,
        command: &[Piece<'_>],
        largest: usize,
        each: impl FnMut(Response),
    ) -> Result<()> {
        if self.dead {
            return Err(Cause::Closed.at(stage));
        }
        // Also when this future is dropped half-way: answers would be taken for later ones.
        self.dead = true;
        let whole = self.timeouts.transfer;
        let result = within(whole, self.dialogue(command, largest, each)).await;
        self.conclude(stage, result)
    }

    pub(super) async fn dialogue(
        &mut self,
        command: &[Piece<'_>],
        largest: usize,
        mut each: impl FnMut(Response),
    ) -> std::result::Result<(), Cause> {
        let tag = self.tag();
        let mut line = format!("{tag} ").into_bytes();
        for piece in command {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
                Piece::Literal(bytes) => {
                    line.extend_from_slice(format!("{{{}}}\r\n", bytes.len()).as_bytes());
                    self.send(&line).await?;
                    if let Some(refused) = self.go_ahead(&tag, largest, &mut each).await? {
                        return outcome(refused);
                    }
                    line = bytes.to_vec();
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        self.send(&line).await?;
        loop {
            match self.read_in_time(largest).await? {
                Response::Done(done, status) if done == tag => return outcome(status),
                response => self.untagged(response, &mut each)?,
            }
        }
    }

    /// Waits for the `+` before a literal; the status when the server refuses instead.
    pub(super) async fn go_ahead(
        &mut self,
        tag: &str,
        largest: usize,
        each: &mut impl FnMut(Response),
    ) -> std::result::Result<Option<Status>, Cause> {
        loop {
            match self.read_in_time(largest).await? {
                Response::Continue(_) => return Ok(None),
                Response::Done(done, status) if done == tag => return Ok(Some(status)),
                response => self.untagged(response, each)?,
            }
        }
    }

    pub(super) fn untagged(
        &mut self,
        response: Response,
        each: &mut impl FnMut(Response),
    ) -> std::result::Result<(), Cause> {
        match &response {
            Response::Done(tag, status) => {
                return Err(Cause::Garbage(format!(
                    "an answer to nothing: {tag} {status}"
                )));
            }
            Response::Continue(text) => {
                return Err(Cause::Garbage(format!("unasked: + {text}")));
            }
            Response::Data(data) => {
                if let [count, word, ..] = data.as_slice()
                    && word.is("EXISTS")
                    && let Some(count) = count.number()
                {
                    self.exists = u32::try_from(count).unwrap_or(u32::MAX);
                }
            }
            // The reason for hanging up is worth more than "closed"; LOGOUT asked for it.
            Response::Notice(status) if status.kind == StatusKind::Bye && !self.leaving => {
                return Err(Cause::Status(status.clone()));
            }
            Response::Notice(_) => {}
        }
        each(response);
        Ok(())
    }

    pub(super) fn tag(&mut self) -> String {
        let tag = format!("A{}", self.next_tag);
        self.next_tag = self.next_tag.wrapping_add(1);
        tag
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> std::result::Result<(), Cause> {
        within(self.timeouts.transfer, self.wire.send(bytes)).await
    }

    pub(super) async fn read_in_time(
        &mut self,
        largest: usize,
    ) -> std::result::Result<Response, Cause> {
        within(self.timeouts.command, self.read(largest)).await
    }

    /// The next response. Cancel-safe: what has arrived stays in the buffer.
    pub(super) async fn read(&mut self, largest: usize) -> std::result::Result<Response, Cause> {
        let mut searched = 0;
        loop {
            // A response ends with a line: without a new line end there is no new end.
            let arrived = self.wire.arrived();
            if arrived[searched..].contains(&b'\n')
                && let Some(length) = parse::length(arrived)
            {
                return parse::response(&self.wire.take(length));
            }
            searched = arrived.len();
            if arrived.len() > largest {
                return Err(Cause::Garbage(format!(
                    "an answer of more than {largest} bytes"
                )));
            }
            self.wire.fill().await?;
        }
    }

    /// After a refusal the session goes on; after anything else it is of no more use.
    pub(super) fn conclude(
        &mut self,
        stage: Stage,
        result: std::result::Result<(), Cause>,
    ) -> Result<()> {
        self.dead = match &result {
            Ok(()) => false,
            Err(Cause::Status(status)) => status.kind == StatusKind::Bye,
            Err(_) => true,
        };
        result.map_err(|cause| cause.at(stage))
    }
}

pub(super) fn outcome(status: Status) -> std::result::Result<(), Cause> {
    if status.kind == StatusKind::Ok {
        Ok(())
    } else {
        Err(Cause::Status(status))
    }
}
