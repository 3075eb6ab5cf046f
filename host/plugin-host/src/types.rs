//! Records that several kinds share.

use overture_domain::Timestamp;

use crate::bindings::overture::plugin::types as wit;

/// One header field of a mail or of an HTTP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name, as written.
    pub name: String,
    /// The value, unfolded.
    pub value: String,
}

/// A mail address with the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The name, if there is one.
    pub name: Option<String>,
    /// `ada@example.com`
    pub email: String,
}

/// Something that happened in a workspace (API-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`; the same on every retry.
    pub id: String,
    /// `reply.received`, `email.bounced` and the like.
    pub kind: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Where it happened.
    pub workspace_id: String,
    /// The event's own fields: a JSON object.
    pub data: String,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// E-mail.
    Mail,
    /// LinkedIn.
    Linkedin,
}

/// A file that hangs on a message; its bytes stay with the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name, if it has one.
    pub name: Option<String>,
    /// `application/pdf`
    pub content_type: String,
    /// Bytes.
    pub size: u64,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The host's id of it.
    pub id: String,
    /// How it came.
    pub channel: Channel,
    /// Who wrote it.
    pub sender: Address,
    /// Empty where there is none.
    pub subject: String,
    /// Header fields in the order of the message; empty outside mail.
    pub headers: Vec<Header>,
    /// The whole text.
    pub text: String,
    /// Without quoted history and signature (CLS-3).
    pub newest_text: String,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// When the host saw it.
    pub received_at: Timestamp,
}

/// What a reply means (CLS-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// Wants to know more, or to go on.
    Interested,
    /// Proposes or asks for a meeting.
    MeetingRequest,
    /// Asks something.
    Question,
    /// Neither yes nor no.
    Neutral,
    /// Declines.
    NotInterested,
    /// Asks to be left alone (CLS-5).
    UnsubscribeRequest,
    /// Is not the one to ask.
    WrongPerson,
    /// Names somebody else to ask.
    Referral,
    /// Is away.
    OutOfOffice,
    /// A machine answered.
    AutoReply,
    /// The mail can't be delivered, for good.
    BounceHard,
    /// The mail can't be delivered for now.
    BounceSoft,
    /// Reported as spam.
    Complaint,
    /// None of these.
    Other,
}

impl Label {
    /// Every label, in the order of CLS-1.
    pub const ALL: [Self; 14] = [
        Self::Interested,
        Self::MeetingRequest,
        Self::Question,
        Self::Neutral,
        Self::NotInterested,
        Self::UnsubscribeRequest,
        Self::WrongPerson,
        Self::Referral,
        Self::OutOfOffice,
        Self::AutoReply,
        Self::BounceHard,
        Self::BounceSoft,
        Self::Complaint,
        Self::Other,
    ];

    /// The word of CLS-1: `out_of_office`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interested => "interested",
            Self::MeetingRequest => "meeting_request",
            Self::Question => "question",
            Self::Neutral => "neutral",
            Self::NotInterested => "not_interested",
            Self::UnsubscribeRequest => "unsubscribe_request",
            Self::WrongPerson => "wrong_person",
            Self::Referral => "referral",
            Self::OutOfOffice => "out_of_office",
            Self::AutoReply => "auto_reply",
            Self::BounceHard => "bounce_hard",
            Self::BounceSoft => "bounce_soft",
            Self::Complaint => "complaint",
            Self::Other => "other",
        }
    }
}

impl From<wit::Label> for Label {
    fn from(label: wit::Label) -> Self {
        match label {
            wit::Label::Interested => Self::Interested,
            wit::Label::MeetingRequest => Self::MeetingRequest,
            wit::Label::Question => Self::Question,
            wit::Label::Neutral => Self::Neutral,
            wit::Label::NotInterested => Self::NotInterested,
            wit::Label::UnsubscribeRequest => Self::UnsubscribeRequest,
            wit::Label::WrongPerson => Self::WrongPerson,
            wit::Label::Referral => Self::Referral,
            wit::Label::OutOfOffice => Self::OutOfOffice,
            wit::Label::AutoReply => Self::AutoReply,
            wit::Label::BounceHard => Self::BounceHard,
            wit::Label::BounceSoft => Self::BounceSoft,
            wit::Label::Complaint => Self::Complaint,
            wit::Label::Other => Self::Other,
        }
    }
}

impl From<wit::HeaderResult> for Header {
    fn from(header: wit::HeaderResult) -> Self {
        Self {
            name: header.name,
            value: header.value,
        }
    }
}

impl From<Header> for wit::HeaderResult {
    fn from(header: Header) -> Self {
        Self {
            name: header.name,
            value: header.value,
        }
    }
}

impl<'a> From<&'a Event> for wit::Event<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            id: &event.id,
            kind: &event.kind,
            occurred_at: millis(event.occurred_at),
            workspace_id: &event.workspace_id,
            data: &event.data,
        }
    }
}

impl Event {
    pub(crate) fn bytes(&self) -> u64 {
        [&self.id, &self.kind, &self.workspace_id, &self.data]
            .iter()
            .map(|s| s.len() as u64)
            .sum()
    }
}

impl Message {
    pub(crate) fn bytes(&self) -> u64 {
        let headers: usize = self
            .headers
            .iter()
            .map(|h| h.name.len() + h.value.len())
            .sum();
        let attachments: usize = self
            .attachments
            .iter()
            .map(|a| a.content_type.len() + 64)
            .sum();
        (self.text.len() + self.newest_text.len() + self.subject.len() + headers + attachments)
            as u64
    }
}

/// The lists that a borrowed [`wit::Message`] points into.
pub(crate) struct MessageLists<'a> {
    headers: Vec<wit::HeaderParam<'a>>,
    attachments: Vec<wit::Attachment<'a>>,
}

impl<'a> MessageLists<'a> {
    pub(crate) fn of(message: &'a Message) -> Self {
        let header = |h: &'a Header| wit::HeaderParam {
            name: &h.name,
            value: &h.value,
        };
        let attachment = |a: &'a Attachment| wit::Attachment {
            name: a.name.as_deref(),
            content_type: &a.content_type,
            size: a.size,
        };
        Self {
            headers: message.headers.iter().map(header).collect(),
            attachments: message.attachments.iter().map(attachment).collect(),
        }
    }

    pub(crate) fn message(&'a self, message: &'a Message) -> wit::Message<'a> {
        wit::Message {
            id: &message.id,
            channel: match message.channel {
                Channel::Mail => wit::Channel::Mail,
                Channel::Linkedin => wit::Channel::Linkedin,
            },
            sender: wit::Address {
                name: message.sender.name.as_deref(),
                email: &message.sender.email,
            },
            subject: &message.subject,
            headers: &self.headers,
            text: &message.text,
            newest_text: &message.newest_text,
            attachments: &self.attachments,
            received_at: millis(message.received_at),
        }
    }
}

/// Times of the interface are milliseconds since 1970; what lies before is 1970.
pub(crate) fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

/// A time that a guest answered; what lies beyond the calendar is its end.
pub(crate) fn timestamp(millis: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).min(Timestamp::MAX)
}
