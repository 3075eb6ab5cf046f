//! What network providers are told and answer, as the engine sees it.

use overture_domain::Timestamp;

use super::wit;
use crate::types::timestamp;

/// An account on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAccount {
    /// The host's id of it.
    pub id: String,
    /// What the service calls it; none before it is connected.
    pub provider_id: Option<String>,
    /// A JSON object, valid against the manifest.
    pub settings: String,
}

impl NetworkAccount {
    pub(super) fn wit(&self) -> wit::Account<'_> {
        wit::Account {
            id: &self.id,
            provider_id: self.provider_id.as_deref(),
            settings: &self.settings,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let provider_id = self.provider_id.as_deref().map_or(0, str::len);
        (self.id.len() + provider_id + self.settings.len()) as u64
    }
}

/// Whether an account can act (LI-1); texts are the service's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// The sign-in is under way.
    Connecting,
    /// It can act.
    Connected,
    /// A code or a confirmation is wanted.
    NeedsVerification(String),
    /// A person must connect it again.
    Disconnected(String),
    /// The service has restricted it (LI-12).
    Restricted(String),
}

/// What a provider knows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Whether it can act.
    pub status: AccountStatus,
    /// Whose it is, where known.
    pub name: Option<String>,
}

/// A person on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What the service calls them; stands for them in every other call.
    pub provider_id: String,
    /// Where the profile is.
    pub url: String,
    /// 1 for whoever is connected with the account, 2, 3; none where unknown.
    pub degree: Option<u8>,
}

/// The service did it, says the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What the service calls it, where it has a name.
    pub provider_id: Option<String>,
}

/// What became of an invitation, says the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invited {
    /// It is on its way.
    Sent(Done),
    /// The two are connected already (LI-19).
    AlreadyConnected,
}

/// The invitation to a profile was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Whose.
    pub profile: String,
    /// By the service's clock (LI-19).
    pub at: Timestamp,
}

/// A message that somebody wrote to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What the service calls it: the same whenever it is listed.
    pub id: String,
    /// Who wrote it.
    pub profile: String,
    /// All of it.
    pub text: String,
    /// By the service's clock.
    pub at: Timestamp,
}

/// Something that happened on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkSignal {
    /// An invitation was accepted.
    Accepted(Acceptance),
    /// Somebody wrote.
    Message(Received),
    /// The account can act, or can't any more.
    Status(AccountState),
}

/// What a sync brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPage {
    /// The oldest first.
    pub signals: Vec<NetworkSignal>,
    /// Opaque; goes back in with the next call.
    pub cursor: String,
    /// More waits: call again at once.
    pub more: bool,
    /// Look again at the latest then.
    pub check_again_at: Option<Timestamp>,
}

/// Why the service did not do it, says the guest, in the product's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkProblem {
    /// No such profile, or not visible to this account (LI-9).
    NotFound(String),
    /// Only connected people can be written to (LI-4).
    NotConnected(String),
    /// The service's limit; where it says so, until when (LI-8).
    Limited(Option<Timestamp>),
    /// The service has restricted the account (LI-12).
    Restricted(String),
    /// The account must be connected again (LI-2).
    Auth(String),
    /// Not done, try again later.
    Temporary(String),
    /// Nobody knows whether it was done (SAFE-3).
    Unclear(String),
    /// Not done, and a retry won't help.
    Rejected(String),
    /// The host refused the guest something.
    Denied(String),
}

impl From<wit::AccountStatus> for AccountStatus {
    fn from(status: wit::AccountStatus) -> Self {
        match status {
            wit::AccountStatus::Connecting => Self::Connecting,
            wit::AccountStatus::Connected => Self::Connected,
            wit::AccountStatus::NeedsVerification(what) => Self::NeedsVerification(what),
            wit::AccountStatus::Disconnected(why) => Self::Disconnected(why),
            wit::AccountStatus::Restricted(why) => Self::Restricted(why),
        }
    }
}

impl From<wit::AccountState> for AccountState {
    fn from(state: wit::AccountState) -> Self {
        Self {
            status: state.status.into(),
            name: state.name,
        }
    }
}

impl From<wit::Profile> for Profile {
    fn from(profile: wit::Profile) -> Self {
        Self {
            provider_id: profile.provider_id,
            url: profile.url,
            degree: profile.degree,
        }
    }
}

impl From<wit::Done> for Done {
    fn from(done: wit::Done) -> Self {
        Self {
            provider_id: done.provider_id,
        }
    }
}

impl From<wit::Invited> for Invited {
    fn from(invited: wit::Invited) -> Self {
        match invited {
            wit::Invited::Sent(done) => Self::Sent(done.into()),
            wit::Invited::AlreadyConnected => Self::AlreadyConnected,
        }
    }
}

impl From<wit::Signal> for NetworkSignal {
    fn from(signal: wit::Signal) -> Self {
        match signal {
            wit::Signal::Accepted(accepted) => Self::Accepted(Acceptance {
                profile: accepted.profile,
                at: timestamp(accepted.at),
            }),
            wit::Signal::Message(message) => Self::Message(Received {
                id: message.id,
                profile: message.profile,
                text: message.text,
                at: timestamp(message.at),
            }),
            wit::Signal::Status(state) => Self::Status(state.into()),
        }
    }
}

impl From<wit::SignalPage> for NetworkPage {
    fn from(page: wit::SignalPage) -> Self {
        Self {
            signals: page.signals.into_iter().map(Into::into).collect(),
            cursor: page.cursor,
            more: page.more,
            check_again_at: page.check_again_at.map(timestamp),
        }
    }
}

impl From<wit::NetworkProblem> for NetworkProblem {
    fn from(problem: wit::NetworkProblem) -> Self {
        match problem {
            wit::NetworkProblem::NotFound(what) => Self::NotFound(what),
            wit::NetworkProblem::NotConnected(what) => Self::NotConnected(what),
            wit::NetworkProblem::Limited(until) => Self::Limited(until.map(timestamp)),
            wit::NetworkProblem::Restricted(what) => Self::Restricted(what),
            wit::NetworkProblem::Auth(what) => Self::Auth(what),
            wit::NetworkProblem::Temporary(what) => Self::Temporary(what),
            wit::NetworkProblem::Unclear(what) => Self::Unclear(what),
            wit::NetworkProblem::Rejected(what) => Self::Rejected(what),
            wit::NetworkProblem::Denied(what) => Self::Denied(what),
        }
    }
}
