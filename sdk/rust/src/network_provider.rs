//! Network providers act on a social network on behalf of an account (LI). The host decides when,
//! whom and how often; the plugin knows the service.

pub use crate::bindings::network_provider::exports::overture::plugin::network_provider::{
    Acceptance, Account, AccountKind, AccountState, AccountStatus, Done, Incoming, Invited,
    NetworkProblem, Profile, ProfilePage, Search, SignIn, Signal, SignalPage, WebhookRequest,
};

fn not_offered<T>() -> Result<T, NetworkProblem> {
    Err(NetworkProblem::Rejected(
        "this plugin does not offer that".to_owned(),
    ))
}

/// What a network provider does. Profiles are named by their `provider-id`; of a request whose end
/// nobody knows, [`NetworkProblem::Unclear`] is the answer, never a guess: the host calls
/// [`invite`](Self::invite) and [`send_message`](Self::send_message) at most once for a step
/// (SAFE-3).
///
/// The host calls the functions without a body here; the others are drafted.
pub trait NetworkProvider {
    /// Whether the account can act.
    ///
    /// # Errors
    /// [`NetworkProblem`], in the product's words; so it is for every function here.
    fn check_status(account: Account) -> Result<AccountState, NetworkProblem>;

    /// Whose profile stands at a URL.
    fn find_profile(account: Account, url: String) -> Result<Profile, NetworkProblem>;

    /// Invites a profile, with a note where there is one.
    fn invite(
        account: Account,
        profile: String,
        note: Option<String>,
    ) -> Result<Invited, NetworkProblem>;

    /// Writes to a profile.
    fn send_message(
        account: Account,
        profile: String,
        text: String,
    ) -> Result<Done, NetworkProblem>;

    /// What happened since the cursor, oldest first; without one, what counts as new for an
    /// account just connected.
    fn sync(account: Account, cursor: Option<String>) -> Result<SignalPage, NetworkProblem>;

    /// A page of the service where a person signs in.
    fn connect(_account: Account) -> Result<SignIn, NetworkProblem> {
        not_offered()
    }

    /// Reacts to a post.
    fn react(_account: Account, _post: String, _reaction: String) -> Result<Done, NetworkProblem> {
        not_offered()
    }

    /// Searches for people.
    fn search_profiles(_account: Account, _search: Search) -> Result<ProfilePage, NetworkProblem> {
        not_offered()
    }

    /// The account that a request of the service is about, and what it says; none if it is not
    /// genuine.
    fn receive_webhook(
        _request: WebhookRequest,
    ) -> Result<Option<(String, Vec<Signal>)>, NetworkProblem> {
        not_offered()
    }
}

/// Makes the crate a network provider: `overture_plugin::network_provider!(MyProvider);`
#[macro_export]
macro_rules! network_provider {
    ($type:ty) => {
        const _: () = {
            use ::core::{option::Option, result::Result};
            use ::std::{string::String, vec::Vec};
            use $crate::bindings::network_provider::exports::overture::plugin::network_provider as kind;
            use $crate::network_provider::NetworkProvider as Provider;

            struct Exported;

            impl kind::Guest for Exported {
                fn connect(account: kind::Account) -> Result<kind::SignIn, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::connect(account)
                }

                fn check_status(
                    account: kind::Account,
                ) -> Result<kind::AccountState, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::check_status(account)
                }

                fn find_profile(
                    account: kind::Account,
                    url: String,
                ) -> Result<kind::Profile, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::find_profile(account, url)
                }

                fn invite(
                    account: kind::Account,
                    profile: String,
                    note: Option<String>,
                ) -> Result<kind::Invited, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::invite(account, profile, note)
                }

                fn send_message(
                    account: kind::Account,
                    profile: String,
                    text: String,
                ) -> Result<kind::Done, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::send_message(account, profile, text)
                }

                fn react(
                    account: kind::Account,
                    post: String,
                    reaction: String,
                ) -> Result<kind::Done, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::react(account, post, reaction)
                }

                fn search_profiles(
                    account: kind::Account,
                    search: kind::Search,
                ) -> Result<kind::ProfilePage, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::search_profiles(account, search)
                }

                fn sync(
                    account: kind::Account,
                    cursor: Option<String>,
                ) -> Result<kind::SignalPage, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::sync(account, cursor)
                }

                fn receive_webhook(
                    request: kind::WebhookRequest,
                ) -> Result<Option<(String, Vec<kind::Signal>)>, kind::NetworkProblem> {
                    $crate::rt::start();
                    <$type as Provider>::receive_webhook(request)
                }
            }

            // Off wasm32 nothing is exported; this keeps the compiler from calling it unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                let _ = <Exported as kind::Guest>::connect;
                let _ = <Exported as kind::Guest>::check_status;
                let _ = <Exported as kind::Guest>::find_profile;
                let _ = <Exported as kind::Guest>::invite;
                let _ = <Exported as kind::Guest>::send_message;
                let _ = <Exported as kind::Guest>::react;
                let _ = <Exported as kind::Guest>::search_profiles;
                let _ = <Exported as kind::Guest>::sync;
                let _ = <Exported as kind::Guest>::receive_webhook;
            };

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::network_provider::export_network_provider!(
                Exported with_types_in $crate::bindings::network_provider
            );
        };
    };
}
