//! Formatters: an event goes in, the body of a webhook comes out. Pure.

use overture_domain::WorkspaceId;
use overture_plugin_pack::Kind;
use serde::de::IgnoredAny;

use crate::{
    bindings::{exports::overture::plugin::formatter as wit, overture::plugin::types as wit_types},
    call::{Call, Guest},
    capabilities::http::{is_field_value, is_token},
    error::CallError,
    exports::{Export, Function},
    types::{Event, Header},
};

/// Headers that a formatter may add to a webhook, at most.
const MAX_HEADERS: usize = 20;

/// What a formatter may know of the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatContext {
    /// The webhook's settings for this formatter: a JSON object, valid against the manifest.
    pub settings: String,
    /// Where the workspace's pages are, without a slash at the end.
    pub public_url: String,
    /// The workspace's name.
    pub workspace_name: String,
}

/// The body of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formatted {
    /// `application/json`
    pub content_type: String,
    /// Further headers; the host adds its own and the signatures.
    pub headers: Vec<Header>,
    /// The body. Where the content type says JSON, it is JSON.
    pub body: Vec<u8>,
}

/// A plugin that formats.
#[derive(Clone)]
pub struct Formatter(pub(crate) Guest);

impl Formatter {
    /// Turns an event into the body of a webhook.
    ///
    /// # Errors
    /// [`CallError::InvalidSettings`] and [`CallError::InvalidEvent`] are the plugin's own
    /// answers; the others say what went wrong with it.
    pub async fn format(
        &self,
        workspace: WorkspaceId,
        event: &Event,
        context: &FormatContext,
    ) -> Result<Formatted, CallError> {
        let FormatContext {
            settings,
            public_url,
            workspace_name,
        } = context;
        let export = self.0.exports().formatter()?;
        let call = Call {
            workspace,
            input_bytes: event.bytes() + (settings.len() + public_url.len()) as u64,
            mailbox: None,
        };
        let context = wit::Context {
            settings,
            public_url,
            workspace_name,
        };
        let (answer, _) = self
            .0
            .call(call, export, (event.into(), context), judge)
            .await;
        answer
    }
}

pub(crate) struct Format;

impl Function for Format {
    const KIND: Kind = Kind::Formatter;
    const NAME: &'static str = "format";
    type Params<'a> = (wit_types::Event<'a>, wit::Context<'a>);
    type Answer = (Result<wit::Output, wit::FormatError>,);
}

pub(crate) type FormatterExports = Export<Format>;

/// A body that would only annoy its receiver is the formatter's fault, not the receiver's.
fn judge((answer,): (Result<wit::Output, wit::FormatError>,)) -> Result<Formatted, CallError> {
    let bad = |what: String| Err(CallError::BadAnswer { what });
    let output = match answer {
        Ok(output) => output,
        Err(wit::FormatError::InvalidSettings(what)) => {
            return Err(CallError::InvalidSettings(what));
        }
        Err(wit::FormatError::InvalidEvent(what)) => return Err(CallError::InvalidEvent(what)),
    };
    let essence = output
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let is_type = essence
        .split_once('/')
        .is_some_and(|(a, b)| is_token(a) && is_token(b));
    if !is_type || !is_field_value(&output.content_type) {
        return bad(format!("`{}` is no content type", output.content_type));
    }
    if output.headers.len() > MAX_HEADERS {
        return bad(format!(
            "{} headers, at most {MAX_HEADERS}",
            output.headers.len()
        ));
    }
    if let Some(header) = output
        .headers
        .iter()
        .find(|h| !is_token(&h.name) || !is_field_value(&h.value))
    {
        return bad(format!(
            "the header `{}` has a character that is not allowed",
            header.name
        ));
    }
    if essence.eq_ignore_ascii_case("application/json")
        && let Err(e) = serde_json::from_slice::<IgnoredAny>(&output.body)
    {
        return bad(format!(
            "the body is no JSON, but its content type says so: {e}"
        ));
    }
    Ok(Formatted {
        content_type: output.content_type,
        headers: output.headers.into_iter().map(Into::into).collect(),
        body: output.body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &str, header: (&str, &str), body: &str, expected: Option<&str>) {
        let headers = vec![
            Header {
                name: header.0.into(),
                value: header.1.into(),
            }
            .into(),
        ];
        let output = wit::Output {
            content_type: content_type.into(),
            headers,
            body: body.into(),
        };
        let error = judge((Ok(output),)).err().map(|e| e.to_string());
        let expected = expected.map(|what| format!("the plugin gave a bad answer: {what}"));
        assert_eq!(error, expected);
    }

    // PLG-3: a bad answer never leaves the host.
    #[test]
    fn nonsense_is_a_bad_answer() {
        let fine = ("x-kind", "reply");
        check("application/json; charset=utf-8", fine, "{\"a\":1}", None);
        check("text/plain", fine, "{", None);
        check("", fine, "x", Some("`` is no content type"));
        check("json", fine, "x", Some("`json` is no content type"));
        check(
            "text/plain",
            ("x-kind", "a\r\nx-admin: 1"),
            "x",
            Some("the header `x-kind` has a character that is not allowed"),
        );
        check(
            "application/json",
            fine,
            "{\"a\":",
            Some(
                "the body is no JSON, but its content type says so: \
                 EOF while parsing a value at line 1 column 5",
            ),
        );
    }
}
