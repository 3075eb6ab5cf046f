//! What went wrong with a server, in the words of the plugin interface.

use overture_mail::{self as mail, smtp};
use overture_plugin_host::capabilities::mailbox::{Failure, Reply, Stage};

/// The host was not dialled.
pub(super) fn left_alone(why: String) -> Failure {
    Failure {
        stage: Stage::Tcp,
        code: "host_left_alone".to_owned(),
        reply: None,
        detail: why,
    }
}

/// What the server said and where, in the words of the plugin interface.
pub(super) fn failure(error: &mail::Error) -> Failure {
    let reply = match &error.cause {
        mail::Cause::Reply(reply) => Some(reply_of(reply)),
        mail::Cause::Status(status) => Some(Reply {
            code: None,
            enhanced: None,
            text: status.to_string(),
        }),
        _ => None,
    };
    let stage = match error.stage {
        mail::Stage::Dns => Stage::Dns,
        mail::Stage::Tcp => Stage::Tcp,
        mail::Stage::Tls | mail::Stage::Starttls => Stage::Tls,
        mail::Stage::Greeting | mail::Stage::Capability => Stage::Greeting,
        mail::Stage::Auth => Stage::Auth,
        mail::Stage::Build | mail::Stage::Mail | mail::Stage::Reset => Stage::Sender,
        mail::Stage::Rcpt => Stage::Recipient,
        mail::Stage::Data => Stage::Data,
        // At `body` without a reply nobody knows; what was certainly not taken stands before it.
        mail::Stage::Body if reply.is_none() && error.fate() == mail::Fate::NotSent => Stage::Data,
        mail::Stage::Body => Stage::Body,
        mail::Stage::List | mail::Stage::Select => Stage::Select,
        mail::Stage::Append => Stage::Append,
        mail::Stage::Search
        | mail::Stage::Fetch
        | mail::Stage::Move
        | mail::Stage::Flag
        | mail::Stage::Idle => Stage::Fetch,
    };
    Failure {
        stage,
        code: error.code().as_str().to_owned(),
        reply,
        detail: error.to_string(),
    }
}

pub(in crate::mailboxes) fn reply_of(reply: &smtp::Reply) -> Reply {
    Reply {
        code: Some(reply.code),
        enhanced: reply.enhanced().map(|enhanced| enhanced.to_string()),
        text: reply.text(),
    }
}
