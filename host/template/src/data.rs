//! Where values come from: the product's merge tags (TPL-1), or any JSON.

use serde_json::{Map, Value as Json};

use crate::{Value, value::member};

/// Something that knows variables by name. Each name is asked for at most once in a rendering.
pub trait Data {
    /// The variable `name`, as written at the front of a path (`custom` for `custom.team`).
    fn get(&self, name: &str) -> Option<Value<'_>>;
}

impl Data for Map<String, Json> {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        member(self, name).map(Value::from)
    }
}

/// The members of an object; any other JSON has none.
impl Data for Json {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        member(self.as_object()?, name).map(Value::from)
    }
}

/// No variables at all.
impl Data for () {
    fn get(&self, _: &str) -> Option<Value<'_>> {
        None
    }
}

macro_rules! merge_tags {
    ($($(#[$doc:meta])* $field:ident = $name:literal $(or $alias:literal)?;)*) => {
        /// Names of the built-in merge tags, as the editor offers them.
        pub const BUILTIN_TAGS: &[&str] = &[$($name,)* "signature", "today"];

        /// The built-in name that `name` is or is the snake_case alias of (TPL-1).
        pub fn builtin_tag(name: &str) -> Option<&'static str> {
            match name {
                $($name $(| $alias)? => Some($name),)*
                "signature" => Some("signature"),
                "today" => Some("today"),
                _ => None,
            }
        }

        /// The product's merge tags for one message (TPL-1). A field that is `None`, empty or
        /// blank is missing (TPL-4).
        #[derive(Clone, Copy, Debug, Default)]
        pub struct MergeTags<'a> {
            $(
                $(#[$doc])*
                #[doc = concat!("`{{ ", $name, " }}`.")]
                pub $field: Option<&'a str>,
            )*
            /// The mailbox's signature, `{{ signature }}` (MB-6).
            pub signature: Option<Signature<'a>>,
            /// Custom fields: `{{ custom.NAME }}`, and `{{ NAME }}` when no built-in has it.
            pub custom: Option<&'a Map<String, Json>>,
        }

        impl Data for MergeTags<'_> {
            fn get(&self, name: &str) -> Option<Value<'_>> {
                match name {
                    $($name $(| $alias)? => text(self.$field),)*
                    "signature" => match self.signature? {
                        Signature::Html(html) => Some(Value::html(html)),
                        Signature::Text(plain) => text(Some(plain)),
                    },
                    "custom" => self.custom.map(Value::Object),
                    "today" => None,
                    _ => member(self.custom?, name).map(Value::from),
                }
            }
        }
    };
}

merge_tags! {
    first_name = "firstName" or "first_name";
    last_name = "lastName" or "last_name";
    full_name = "fullName" or "full_name";
    email = "email";
    company = "company";
    role = "role";
    phone = "phone";
    website = "website";
    linkedin_url = "linkedinUrl" or "linkedin_url";
    city = "city";
    country = "country";
    industry = "industry";
    headline = "headline";
    location = "location";
    /// 1, 2 or 3.
    connection_degree = "connectionDegree" or "connection_degree";
    sender_name = "sender_name";
    sender_first_name = "sender_first_name";
    sender_email = "sender_email";
    unsubscribe_link = "unsubscribe_link";
    campaign_name = "campaign_name";
}

/// A mailbox's signature in the form that suits the text being made (MB-6).
#[derive(Clone, Copy, Debug)]
pub enum Signature<'a> {
    /// Markup, written as it is.
    Html(&'a str),
    /// Plain text.
    Text(&'a str),
}

fn text(value: Option<&str>) -> Option<Value<'_>> {
    value.filter(|v| !v.trim().is_empty()).map(Value::from)
}

/// JSON that is read by the names of [`MergeTags`]: aliases of the built-ins, and bare names of
/// the members of `custom`. For previews and the command line.
#[derive(Clone, Copy, Debug)]
pub struct JsonTags<'a>(pub &'a Json);

impl Data for JsonTags<'_> {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        let members = self.0.as_object()?;
        let found = member(members, name).or_else(|| match builtin_tag(name) {
            Some(tag) => {
                let same = |(key, _): &(&String, &Json)| builtin_tag(key) == Some(tag);
                members.iter().find(same).map(|(_, value)| value)
            }
            None => member(members.get("custom")?.as_object()?, name),
        })?;
        Some(Value::from(found)).filter(|v| !v.is_missing())
    }
}
