//! Classifiers judge replies (CLS-1).

use serde::de::DeserializeOwned;

pub use crate::bindings::{
    classifier::exports::overture::plugin::classifier::{ClassifyError, Context, Verdict},
    imports::overture::plugin::types::{Label, Message},
};

/// What a classifier does.
pub trait Classifier {
    /// Verdicts, surest first; none means "can't tell". Judge [`Message::newest_text`]: the rest
    /// is history (CLS-3).
    ///
    /// # Errors
    /// [`ClassifyError`], when the settings can't be used.
    fn classify(message: Message, context: Context) -> Result<Vec<Verdict>, ClassifyError>;
}

impl Context {
    /// The classifier's settings as the plugin's own type.
    ///
    /// # Errors
    /// [`ClassifyError::InvalidSettings`] with what is wrong.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, ClassifyError> {
        serde_json::from_str(&self.settings)
            .map_err(|e| ClassifyError::InvalidSettings(e.to_string()))
    }
}

/// Makes the crate a classifier: `overture_plugin::classifier!(MyClassifier);`
#[macro_export]
macro_rules! classifier {
    ($type:ty) => {
        const _: () = {
            use $crate::bindings::classifier::exports::overture::plugin::classifier as kind;

            struct Exported;

            impl kind::Guest for Exported {
                fn classify(
                    message: kind::Message,
                    context: kind::Context,
                ) -> ::core::result::Result<::std::vec::Vec<kind::Verdict>, kind::ClassifyError>
                {
                    <$type as $crate::classifier::Classifier>::classify(message, context)
                }
            }

            // Off wasm32 nothing is exported; this keeps the compiler from calling it unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                let _ = <Exported as kind::Guest>::classify;
            };

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::classifier::export_classifier!(
                Exported with_types_in $crate::bindings::classifier
            );
        };
    };
}
