//! Formatters turn an event into the body that a receiver of webhooks understands (API-9).

use serde::de::DeserializeOwned;

pub use crate::bindings::{
    formatter::exports::overture::plugin::formatter::{Context, FormatError, Output},
    imports::overture::plugin::types::Event,
};

/// What a formatter does.
pub trait Formatter {
    /// The body for this event. The host sends it; it alone knows where to.
    ///
    /// # Errors
    /// [`FormatError`], when settings or event can't be used: a person must look, a retry won't
    /// help.
    fn format(event: Event, context: Context) -> Result<Output, FormatError>;
}

impl Context {
    /// The webhook's settings as the plugin's own type.
    ///
    /// # Errors
    /// [`FormatError::InvalidSettings`] with what is wrong.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, FormatError> {
        serde_json::from_str(&self.settings)
            .map_err(|e| FormatError::InvalidSettings(e.to_string()))
    }
}

impl Output {
    /// A JSON body.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Output {
            content_type: "application/json".into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A body of plain text.
    #[must_use]
    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Output {
            content_type: "text/plain; charset=utf-8".into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// Makes the crate a formatter: `overture_plugin::formatter!(MyFormatter);`
#[macro_export]
macro_rules! formatter {
    ($type:ty) => {
        const _: () = {
            use $crate::bindings::formatter::exports::overture::plugin::formatter as kind;

            struct Exported;

            impl kind::Guest for Exported {
                fn format(
                    event: kind::Event,
                    context: kind::Context,
                ) -> ::core::result::Result<kind::Output, kind::FormatError> {
                    <$type as $crate::formatter::Formatter>::format(event, context)
                }
            }

            // Off wasm32 nothing is exported; this keeps the compiler from calling it unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                let _ = <Exported as kind::Guest>::format;
            };

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::formatter::export_formatter!(
                Exported with_types_in $crate::bindings::formatter
            );
        };
    };
}
