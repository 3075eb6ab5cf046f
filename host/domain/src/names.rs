//! Enums whose values have one name in database, JSON and URL.

/// Declares an enum with a snake_case name for each value: `Display`, `FromStr`, serde and a list
/// of all values follow from it.
#[macro_export]
macro_rules! names {
    ($(#[$doc:meta])* $enum:ident { $($(#[$value_doc:meta])* $value:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum { $($(#[$value_doc])* $value),* }

        impl $enum {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The name in database, JSON and URL.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $name),* }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $enum {
            type Err = $crate::names::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$value),)*
                    _ => Err($crate::names::UnknownName::new(text, &[$($name),*])),
                }
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that names none of the values.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is none of: {}", known.join(", "))]
pub struct UnknownName {
    text: String,
    known: &'static [&'static str],
}

impl UnknownName {
    #[doc(hidden)]
    pub fn new(text: &str, known: &'static [&'static str]) -> Self {
        Self {
            text: text.chars().take(60).collect(),
            known,
        }
    }
}
