//! Judges replies by headers and phrases (CLS-1, CLS-2): English and German with every label, out
//! of office and the plainest answers in eight more languages.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`headers`] | what the header fields prove: bounces, complaints, automatic replies |
//! | [`words`] | a text as words with sentences and places |
//! | [`phrases`] | the phrase language of `rules/`, built once at pack time, and the search |
//! | [`lexicon`] | words by their hash |
//! | [`language`] | which language a text is in |
//! | [`dates`] | the first day back that an absence notice names |
//! | [`judgement`] | verdicts out of all that |

mod dates;
mod headers;
mod judgement;
mod language;
mod lexicon;
mod phrases;
mod words;

use overture_plugin::classifier::{Classifier, ClassifyError, Context, Message, Verdict};

struct Rules;

overture_plugin::classifier!(Rules);

overture_plugin::preinit!(phrases::build);

impl Classifier for Rules {
    fn classify(message: Message, _: Context) -> Result<Vec<Verdict>, ClassifyError> {
        Ok(classify(&message))
    }
}

/// Verdicts, surest first; none means "can't tell".
pub fn classify(message: &Message) -> Vec<Verdict> {
    judgement::of(message)
}
