//! What became of a mail: from what the host saw and what the guest says (SAFE-3, SAF-4).
//!
//! Whether it went out is told by the host's own record of the dialogue, never by the guest; what
//! a server's refusal means is told by the provider, which knows its service, within what the
//! record allows.

use overture_domain::{
    Timestamp,
    accounts::AccountStatus,
    enrollments::EnrollmentState,
    planted::{Bug, planted},
};
use overture_mail::smtp::{Enhanced, ReplyClass, classify_parts};
use overture_plugin_host::{
    CallError, Problem, Sent,
    capabilities::mailbox::{Failure, Reply, Stage, SubmissionRecord},
};

/// What became of a mail, with the words of whoever knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Sent {
        words: String,
    },
    /// Definitely not.
    NotSent {
        why: NotSent,
        words: String,
    },
    /// The body may have been taken, and no answer came.
    Unknown {
        words: String,
    },
}

/// Why a mail has not gone out, by what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    /// The address doesn't exist.
    HardBounce,
    /// Not now: deferred, a full mailbox.
    Soft,
    /// Refused for policy or content: counts against the mailbox.
    Policy,
    /// The mailbox's own quota (CAP-3).
    SenderLimit,
    /// Sign-in refused for good (MB-3).
    Auth,
    /// The server could not be reached, or went away before the body.
    Unreachable,
    /// No connection could be used: all are, or the host is left alone (SAF-3). Until then.
    NoPlace(Timestamp),
    /// The plugin failed or was refused something.
    Provider,
    /// The step was cancelled before the body went out.
    Cancelled,
    /// The account rests until then: a network's limit (LI-8).
    Limited(Timestamp),
    /// The account can't act any more: it has this status now (LI-2, LI-12).
    AccountLost(AccountStatus),
    /// Only connected people can be written to (LI-4).
    NotConnected,
    /// There is nobody to invite: the two are connected (LI-19).
    AlreadyConnected,
    /// The network doesn't know the profile (LI-9).
    NoProfile,
    /// Something holds it that somebody has to look at, and it is parked so: a network refused it
    /// for good (LI-8), or no mail can be made of it.
    Held(EnrollmentState),
}

impl Verdict {
    pub(super) fn not_sent(why: NotSent, words: impl Into<String>) -> Self {
        Self::NotSent {
            why,
            words: words.into(),
        }
    }

    /// The mail went out.
    pub(super) const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }

    /// The name in metrics.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "sent",
            Self::Unknown { .. } => "ambiguous",
            Self::NotSent { why, .. } => why.name(),
        }
    }
}

impl NotSent {
    const fn name(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::Soft => "soft_bounce",
            Self::Policy => "policy",
            Self::SenderLimit => "sender_limit",
            Self::Auth => "auth",
            Self::Unreachable => "unreachable",
            Self::NoPlace(_) => "no_connection",
            Self::Provider => "provider",
            Self::Cancelled => "cancelled",
            Self::Limited(_) => "network_limit",
            Self::AccountLost(_) => "account_lost",
            Self::NotConnected => "not_connected",
            Self::AlreadyConnected => "already_connected",
            Self::NoProfile => "no_profile",
            Self::Held(_) => "rejected",
        }
    }
}

/// The verdict on a send. `committed`: the attempt stands in the database.
pub(super) fn judge(
    own_transport: bool,
    committed: bool,
    submission: &SubmissionRecord,
    answer: &Result<Result<Sent, Problem>, CallError>,
) -> Verdict {
    if own_transport {
        return by_guest(answer);
    }
    match submission {
        SubmissionRecord::Accepted(submission) => Verdict::Sent {
            words: text(&submission.reply),
        },
        SubmissionRecord::Failed(failure)
            if failure.stage == Stage::Body && failure.reply.is_none() =>
        {
            Verdict::Unknown {
                words: failure.detail.clone(),
            }
        }
        SubmissionRecord::Failed(failure) => by_dialogue(failure, answer),
        // The session could not say; the attempt tells on which side of the body it broke.
        SubmissionRecord::Cut if committed => Verdict::Unknown {
            words: "the send was cut short after the mail had left".to_owned(),
        },
        SubmissionRecord::Cut => Verdict::not_sent(
            NotSent::Unreachable,
            "the send was cut short before the mail had left",
        ),
        SubmissionRecord::NotTried => match answer {
            Ok(Ok(_)) => Verdict::not_sent(
                NotSent::Provider,
                "the provider says that it sent the mail, but never handed it over",
            ),
            Ok(Err(problem)) => by_problem(problem, false),
            Err(error) => Verdict::not_sent(NotSent::Provider, error.to_string()),
        },
    }
}

/// The provider carries mails itself: its word counts, and no word means that nobody knows.
fn by_guest(answer: &Result<Result<Sent, Problem>, CallError>) -> Verdict {
    match answer {
        Ok(Ok(sent)) => Verdict::Sent {
            words: sent.reply.as_ref().map(text).unwrap_or_default(),
        },
        Ok(Err(Problem::Unclear(words))) if planted(Bug::NoAnswerIsNo) => {
            Verdict::not_sent(NotSent::Unreachable, words)
        }
        Ok(Err(Problem::Unclear(words))) => Verdict::Unknown {
            words: words.clone(),
        },
        Ok(Err(problem)) => by_problem(problem, true),
        Err(error) if error.was_called() => Verdict::Unknown {
            words: error.to_string(),
        },
        Err(error) => Verdict::not_sent(NotSent::Provider, error.to_string()),
    }
}

/// The host saw the dialogue fail before the mail was taken.
fn by_dialogue(failure: &Failure, answer: &Result<Result<Sent, Problem>, CallError>) -> Verdict {
    let words = words(failure);
    if failure.stage == Stage::Auth {
        let definite = matches!(
            failure.code.as_str(),
            "auth_app_password_required" | "auth_invalid" | "smtp_auth_disabled"
        );
        let why = if definite {
            NotSent::Auth
        } else {
            NotSent::Unreachable
        };
        return Verdict::not_sent(why, words);
    }
    let Some(reply) = failure.reply.as_ref().filter(|_| about_mail(failure.stage)) else {
        let why = match failure.code.as_str() {
            "rate_limited" => NotSent::SenderLimit,
            _ => NotSent::Unreachable,
        };
        return Verdict::not_sent(why, words);
    };
    // The provider knows its service's words; a hard bounce needs a refusal for good as well.
    if let Ok(Err(problem)) = answer {
        let for_good = reply.code.is_some_and(|code| code >= 500) && failure.stage != Stage::Sender;
        match problem {
            Problem::RecipientRejected(_) if for_good => {
                return Verdict::not_sent(NotSent::HardBounce, words);
            }
            Problem::PolicyRejected(_) => return Verdict::not_sent(NotSent::Policy, words),
            Problem::RateLimited(_) => return Verdict::not_sent(NotSent::SenderLimit, words),
            Problem::Temporary(_) if !for_good => return Verdict::not_sent(NotSent::Soft, words),
            _ => {}
        }
    }
    Verdict::not_sent(by_reply(failure.stage, reply), words)
}

/// The server spoke about this mail, not about the connection.
fn about_mail(stage: Stage) -> bool {
    matches!(
        stage,
        Stage::Sender | Stage::Recipient | Stage::Data | Stage::Body
    )
}

fn by_reply(stage: Stage, reply: &Reply) -> NotSent {
    let enhanced: Option<Enhanced> = reply.enhanced.as_deref().and_then(|text| text.parse().ok());
    match classify_parts(reply.code, enhanced, &reply.text) {
        // Said to MAIL FROM it is about the sender.
        ReplyClass::Hard if stage == Stage::Sender => NotSent::Policy,
        ReplyClass::Hard => NotSent::HardBounce,
        ReplyClass::Policy | ReplyClass::Content => NotSent::Policy,
        ReplyClass::SenderLimit => NotSent::SenderLimit,
        ReplyClass::Auth => NotSent::Auth,
        ReplyClass::Soft | ReplyClass::Unknown => NotSent::Soft,
    }
}

/// What the provider says, where the host saw nothing of the dialogue. `trusted`: it carries the
/// mails itself.
fn by_problem(problem: &Problem, trusted: bool) -> Verdict {
    let (why, words) = match problem {
        Problem::RecipientRejected(reply) if trusted => (NotSent::HardBounce, text(reply)),
        Problem::RecipientRejected(reply) => (NotSent::Soft, text(reply)),
        Problem::PolicyRejected(reply) => (NotSent::Policy, text(reply)),
        Problem::RateLimited(reply) => (NotSent::SenderLimit, text(reply)),
        Problem::Auth(failure) => (NotSent::Auth, words(failure)),
        Problem::Temporary(words) if trusted => (NotSent::Soft, words.clone()),
        Problem::Temporary(words) | Problem::Unclear(words) => {
            (NotSent::Unreachable, words.clone())
        }
        Problem::Denied(words) => (NotSent::Provider, words.clone()),
    };
    Verdict::not_sent(why, words)
}

fn words(failure: &Failure) -> String {
    failure
        .reply
        .as_ref()
        .map_or_else(|| failure.detail.clone(), text)
}

/// `550 5.1.1 no such user here`
fn text(reply: &Reply) -> String {
    let code = reply.code.map(|code| code.to_string());
    let parts = [
        code.as_deref(),
        reply.enhanced.as_deref(),
        Some(reply.text.as_str()),
    ];
    let said: Vec<_> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    // Some replies carry their codes in the text as well.
    let enhanced_twice = reply
        .enhanced
        .as_deref()
        .is_some_and(|code| reply.text.starts_with(code));
    if enhanced_twice {
        [code.as_deref().unwrap_or_default(), &reply.text]
            .join(" ")
            .trim()
            .to_owned()
    } else {
        said.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use overture_plugin_host::capabilities::mailbox::Submission;

    use super::*;
    use NotSent::{Auth, HardBounce, Policy, Provider, SenderLimit, Soft, Unreachable};

    fn reply(line: &str) -> Reply {
        let (code, text) = line.split_once(' ').unwrap();
        let enhanced = text
            .split(' ')
            .next()
            .filter(|word| word.contains('.'))
            .map(str::to_owned);
        Reply {
            code: code.parse().ok(),
            enhanced,
            text: text.to_owned(),
        }
    }

    fn failed(stage: Stage, code: &str, line: Option<&str>) -> SubmissionRecord {
        SubmissionRecord::Failed(Failure {
            stage,
            code: code.into(),
            reply: line.map(reply),
            detail: "broke".into(),
        })
    }

    fn ok() -> Result<Result<Sent, Problem>, CallError> {
        Ok(Ok(Sent {
            provider_id: None,
            reply: None,
        }))
    }

    fn problem(problem: Problem) -> Result<Result<Sent, Problem>, CallError> {
        Ok(Err(problem))
    }

    fn trap() -> Result<Result<Sent, Problem>, CallError> {
        Err(CallError::Panicked {
            message: "x".into(),
        })
    }

    fn short(verdict: &Verdict) -> Option<NotSent> {
        match verdict {
            Verdict::NotSent { why, .. } => Some(*why),
            Verdict::Sent { .. } | Verdict::Unknown { .. } => None,
        }
    }

    // SAFE-3: the host's record outranks the guest's answer and its trap.
    #[test]
    fn the_host_s_record_decides_whether_it_went_out() {
        let accepted = SubmissionRecord::Accepted(Submission {
            reply: reply("250 2.0.0 ok"),
        });
        let unanswered = failed(Stage::Body, "connection_lost", None);
        let gone = problem(Problem::RecipientRejected(reply("550 5.1.1 no")));
        for answer in [
            ok(),
            gone.clone(),
            trap(),
            problem(Problem::Unclear("?".into())),
        ] {
            assert_eq!(
                judge(false, true, &accepted, &answer),
                Verdict::Sent {
                    words: "250 2.0.0 ok".into()
                }
            );
            assert!(matches!(
                judge(false, true, &unanswered, &answer),
                Verdict::Unknown { .. }
            ));
            let verdict = judge(
                false,
                false,
                &failed(Stage::Tcp, "connection_refused", None),
                &answer,
            );
            assert_eq!(short(&verdict), Some(Unreachable), "{answer:?}");
            assert!(matches!(
                judge(false, true, &SubmissionRecord::Cut, &answer),
                Verdict::Unknown { .. }
            ));
            assert_eq!(
                short(&judge(false, false, &SubmissionRecord::Cut, &answer)),
                Some(Unreachable)
            );
        }
        // A guest that claims to have sent what it never handed over has not.
        assert_eq!(
            short(&judge(false, false, &SubmissionRecord::NotTried, &ok())),
            Some(Provider)
        );
        assert_eq!(
            short(&judge(false, false, &SubmissionRecord::NotTried, &trap())),
            Some(Provider)
        );
    }

    // SAFE-3: with a transport of its own the guest's word counts, and silence is ambiguous.
    #[test]
    fn a_provider_with_its_own_transport_is_believed() {
        let none = SubmissionRecord::NotTried;
        assert_eq!(
            judge(true, true, &none, &ok()),
            Verdict::Sent {
                words: String::new()
            }
        );
        for (answer, why) in [
            (
                problem(Problem::RecipientRejected(reply("550 5.1.1 no"))),
                HardBounce,
            ),
            (
                problem(Problem::PolicyRejected(reply("554 5.7.1 no"))),
                Policy,
            ),
            (
                problem(Problem::RateLimited(reply("429 slow down"))),
                SenderLimit,
            ),
            (problem(Problem::Temporary("later".into())), Soft),
            (problem(Problem::Denied("no".into())), Provider),
            (Err(CallError::UnknownPlugin("x".into())), Provider),
        ] {
            assert_eq!(
                short(&judge(true, true, &none, &answer)),
                Some(why),
                "{answer:?}"
            );
        }
        assert!(matches!(
            judge(true, true, &none, &trap()),
            Verdict::Unknown { .. }
        ));
        assert!(matches!(
            judge(true, true, &none, &problem(Problem::Unclear("?".into()))),
            Verdict::Unknown { .. }
        ));
    }

    // SAF-4, CAP-3, MB-3
    #[test]
    fn refusals_are_told_apart() {
        let check = |stage, line: &str, expected| {
            let verdict = judge(
                false,
                false,
                &failed(stage, "server_refused", Some(line)),
                &trap(),
            );
            assert_eq!(short(&verdict), Some(expected), "{line}");
        };
        check(Stage::Recipient, "550 5.1.1 no such user here", HardBounce);
        check(Stage::Body, "550 5.1.1 no such user here", HardBounce);
        check(Stage::Recipient, "450 4.7.1 try again later", Soft);
        check(
            Stage::Recipient,
            "550 5.4.5 daily sending quota exceeded",
            SenderLimit,
        );
        check(Stage::Body, "554 5.7.1 looks like spam", Policy);
        check(Stage::Sender, "550 5.1.1 no such user here", Policy);
        check(Stage::Greeting, "554 5.7.1 go away", Unreachable);
        let check = |code: &str, expected| {
            let verdict = judge(
                false,
                false,
                &failed(Stage::Auth, code, Some("535 5.7.8 no")),
                &trap(),
            );
            assert_eq!(short(&verdict), Some(expected), "{code}");
        };
        check("auth_invalid", Auth);
        check("auth_app_password_required", Auth);
        check("server_unavailable", Unreachable);
        // Greylisting is about one recipient: it does not silence the mailbox (CAP-3).
        let greylisted = "450 4.7.1 greylisted, try again later";
        let greylisted = failed(Stage::Recipient, "rate_limited", Some(greylisted));
        let later = problem(Problem::Temporary("greylisted".into()));
        for answer in [trap(), later] {
            let verdict = judge(false, false, &greylisted, &answer);
            assert_eq!(short(&verdict), Some(Soft), "{answer:?}");
        }
        let limited = failed(
            Stage::Greeting,
            "rate_limited",
            Some("421 4.7.0 too many connections"),
        );
        assert_eq!(
            short(&judge(false, false, &limited, &trap())),
            Some(SenderLimit)
        );
    }

    // The provider may say what its service means, but a hard bounce needs a refusal for good.
    #[test]
    fn a_provider_can_translate_but_not_invent() {
        let rejected = problem(Problem::RecipientRejected(reply("550 gone")));
        let check = |line, expected| {
            let verdict = judge(
                false,
                false,
                &failed(Stage::Recipient, "server_refused", Some(line)),
                &rejected,
            );
            assert_eq!(short(&verdict), Some(expected), "{line}");
        };
        check("550 requested action not taken", HardBounce);
        check("450 4.2.0 later", Soft);
        let quota = problem(Problem::RateLimited(reply("550 x")));
        let verdict = judge(
            false,
            false,
            &failed(
                Stage::Recipient,
                "server_refused",
                Some("550 no more today"),
            ),
            &quota,
        );
        assert_eq!(short(&verdict), Some(SenderLimit));
    }
}
