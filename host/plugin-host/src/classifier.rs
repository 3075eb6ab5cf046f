//! Classifiers: a reply goes in, verdicts come out (CLS-1). Pure.

use jiff::civil::Date;
use overture_domain::{Timestamp, WorkspaceId};
use overture_plugin_pack::Kind;

use crate::{
    bindings::{
        exports::overture::plugin::classifier as wit, overture::plugin::types as wit_types,
    },
    call::{Call, Guest},
    error::CallError,
    exports::{Export, Function},
    types::{Label, Message, MessageLists, millis},
};

/// Verdicts, and pieces of evidence in one, that an answer may hold.
const MAX_LISTED: usize = 20;

/// What a classifier may know beside the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassifyContext {
    /// The subject of our mail that this answers, where known.
    pub our_subject: Option<String>,
    /// When that mail was sent, where known.
    pub our_sent_at: Option<Timestamp>,
    /// The classifier's settings: a JSON object, valid against the manifest.
    pub settings: String,
}

/// What a classifier says about a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it means.
    pub label: Label,
    /// 0 to 1.
    pub confidence: f32,
    /// ISO 639-1, where recognised.
    pub language: Option<String>,
    /// The phrase or header that decided, word for word.
    pub evidence: Vec<String>,
    /// The first day back, for out of office.
    pub out_of_office_until: Option<Date>,
}

/// A plugin that classifies.
#[derive(Clone)]
pub struct Classifier(pub(crate) Guest);

impl Classifier {
    /// Judges a message: verdicts, surest first. None means "can't tell".
    ///
    /// # Errors
    /// [`CallError::InvalidSettings`] is the plugin's own answer; the others say what went wrong
    /// with it.
    pub async fn classify(
        &self,
        workspace: WorkspaceId,
        message: &Message,
        context: &ClassifyContext,
    ) -> Result<Vec<Verdict>, CallError> {
        let export = self.0.exports().classifier()?;
        let call = Call {
            workspace,
            input_bytes: message.bytes() + context.settings.len() as u64,
            mailbox: None,
        };
        let lists = MessageLists::of(message);
        let context = wit::Context {
            our_subject: context.our_subject.as_deref(),
            our_sent_at: context.our_sent_at.map(millis),
            settings: &context.settings,
        };
        let params = (lists.message(message), context);
        let (answer, _) = self.0.call(call, export, params, judge).await;
        answer
    }
}

pub(crate) struct Classify;

impl Function for Classify {
    const KIND: Kind = Kind::Classifier;
    const NAME: &'static str = "classify";
    type Params<'a> = (wit_types::Message<'a>, wit::Context<'a>);
    type Answer = (Result<Vec<wit::Verdict>, wit::ClassifyError>,);
}

pub(crate) type ClassifierExports = Export<Classify>;

fn judge(
    (answer,): (Result<Vec<wit::Verdict>, wit::ClassifyError>,),
) -> Result<Vec<Verdict>, CallError> {
    let verdicts = match answer {
        Ok(verdicts) => verdicts,
        Err(wit::ClassifyError::InvalidSettings(what)) => {
            return Err(CallError::InvalidSettings(what));
        }
    };
    if verdicts.len() > MAX_LISTED {
        let what = format!("{} verdicts, at most {MAX_LISTED}", verdicts.len());
        return Err(CallError::BadAnswer { what });
    }
    let judged: Result<Vec<Verdict>, String> = verdicts.into_iter().map(verdict).collect();
    let mut judged = judged.map_err(|what| CallError::BadAnswer { what })?;
    judged.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    Ok(judged)
}

fn verdict(verdict: wit::Verdict) -> Result<Verdict, String> {
    let wit::Verdict {
        label,
        confidence,
        language,
        evidence,
        out_of_office_until,
    } = verdict;
    if !(0.0..=1.0).contains(&confidence) {
        return Err(format!(
            "a confidence of {confidence}, it must lie between 0 and 1"
        ));
    }
    let is_language = |l: &String| l.len() == 2 && l.bytes().all(|b| b.is_ascii_lowercase());
    if let Some(language) = language.as_ref().filter(|l| !is_language(l)) {
        return Err(format!(
            "`{language}` is no language of ISO 639-1, such as `en`"
        ));
    }
    if evidence.len() > MAX_LISTED {
        return Err(format!(
            "{} pieces of evidence, at most {MAX_LISTED}",
            evidence.len()
        ));
    }
    let date = |text: String| {
        let parsed = text.parse::<Date>();
        parsed.map_err(|_| format!("`{text}` is no date, such as `2026-03-09`"))
    };
    Ok(Verdict {
        label: label.into(),
        confidence,
        language,
        evidence,
        out_of_office_until: out_of_office_until.map(date).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(change: impl FnOnce(&mut wit::Verdict)) -> Result<Vec<Verdict>, CallError> {
        let mut verdict = wit::Verdict {
            label: wit_types::Label::OutOfOffice,
            confidence: 0.9,
            language: Some("en".into()),
            evidence: vec!["away until".into()],
            out_of_office_until: Some("2026-03-09".into()),
        };
        change(&mut verdict);
        judge((Ok(vec![verdict]),))
    }

    // CLS-1
    #[test]
    fn a_verdict_comes_through_whole() {
        let verdicts = said(|_| ()).unwrap();
        assert_eq!(verdicts[0].label, Label::OutOfOffice);
        assert_eq!(
            verdicts[0].out_of_office_until,
            Some(jiff::civil::date(2026, 3, 9))
        );
    }

    // PLG-3
    #[test]
    fn nonsense_is_a_bad_answer() {
        let check = |change: fn(&mut wit::Verdict)| {
            let answer = said(change);
            assert!(
                matches!(answer, Err(CallError::BadAnswer { .. })),
                "{answer:?}"
            );
        };
        check(|v| v.confidence = 1.5);
        check(|v| v.confidence = f32::NAN);
        check(|v| v.language = Some("english".into()));
        check(|v| v.out_of_office_until = Some("next week".into()));
        check(|v| v.out_of_office_until = Some("2026-02-30".into()));
        check(|v| v.evidence = vec![String::new(); 21]);
    }

    #[test]
    fn the_surest_verdict_comes_first() {
        let verdict = |confidence| wit::Verdict {
            label: wit_types::Label::Neutral,
            confidence,
            language: None,
            evidence: vec![],
            out_of_office_until: None,
        };
        let verdicts = judge((Ok(vec![verdict(0.2), verdict(0.8)]),)).unwrap();
        assert_eq!(verdicts[0].confidence, 0.8);
    }
}
