//! Mail providers talk to a mail service: they know its presets, limits and habits (MB-1).

pub use crate::bindings::mail_provider::exports::overture::plugin::mail_provider::{
    AuthKind, Envelope, Incoming, Leg, LegProblem, Preset, Problem, Sent, Server, Signal,
    SignalKind, SyncPage, TlsMode,
};
pub use crate::mailbox::{Account, Outgoing};

/// What a mail provider does.
pub trait MailProvider {
    /// The services whose settings it knows.
    fn presets() -> Vec<Preset>;

    /// Tests the connection for real, leg by leg (MB-2).
    fn check(account: &Account) -> Vec<Leg>;

    /// Hands one mail to the service, once.
    ///
    /// # Errors
    /// [`Problem`], in the product's words; the host decides what follows.
    fn send(account: &Account, envelope: Envelope, mail: Outgoing) -> Result<Sent, Problem>;

    /// What came in since the cursor; without one, what counts as new for a mailbox just connected.
    ///
    /// # Errors
    /// [`Problem`]; the host shows it and tries again later (MB-3).
    fn sync(account: &Account, cursor: Option<String>) -> Result<SyncPage, Problem>;
}

/// Makes the crate a mail provider: `overture_plugin::mail_provider!(MyProvider);`
#[macro_export]
macro_rules! mail_provider {
    ($type:ty) => {
        const _: () = {
            use $crate::bindings::mail_provider::exports::overture::plugin::mail_provider as kind;
            use $crate::mail_provider::MailProvider as Provider;

            struct Exported;

            impl kind::Guest for Exported {
                fn presets() -> ::std::vec::Vec<kind::Preset> {
                    $crate::rt::start();
                    <$type as Provider>::presets()
                }

                fn check(account: &kind::Account) -> ::std::vec::Vec<kind::Leg> {
                    $crate::rt::start();
                    <$type as Provider>::check(account)
                }

                fn send(
                    account: &kind::Account,
                    envelope: kind::Envelope,
                    mail: kind::Outgoing,
                ) -> ::core::result::Result<kind::Sent, kind::Problem> {
                    $crate::rt::start();
                    <$type as Provider>::send(account, envelope, mail)
                }

                fn sync(
                    account: &kind::Account,
                    cursor: ::core::option::Option<::std::string::String>,
                ) -> ::core::result::Result<kind::SyncPage, kind::Problem> {
                    $crate::rt::start();
                    <$type as Provider>::sync(account, cursor)
                }
            }

            // Off wasm32 nothing is exported; this keeps the compiler from calling it unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                let _ = <Exported as kind::Guest>::presets;
                let _ = <Exported as kind::Guest>::check;
                let _ = <Exported as kind::Guest>::send;
                let _ = <Exported as kind::Guest>::sync;
            };

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::mail_provider::export_mail_provider!(
                Exported with_types_in $crate::bindings::mail_provider
            );
        };
    };
}
