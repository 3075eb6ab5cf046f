//! A provider whose `check` tries every capability and tells in its legs what came of it.

use overture_plugin::{
    clock, http,
    mail_provider::{
        Account, Envelope, Leg, LegProblem, MailProvider, Outgoing, Preset, Problem, Sent, SyncPage,
    },
    random, store,
};

struct Tries;

overture_plugin::mail_provider!(Tries);

fn leg<T: std::fmt::Debug, E: std::fmt::Debug>(name: &str, result: Result<T, E>) -> Leg {
    let problem = |said: String| LegProblem {
        stage: name.into(),
        code: "tried".into(),
        reply: None,
        fix: said,
    };
    Leg {
        name: name.into(),
        problem: Some(match result {
            Ok(value) => problem(format!("ok: {value:?}")),
            Err(error) => problem(format!("error: {error:?}")),
        }),
    }
}

impl MailProvider for Tries {
    fn presets() -> Vec<Preset> {
        Vec::new()
    }

    fn check(account: &Account) -> Vec<Leg> {
        let url = account.settings();
        let sent = http::Request::new("POST", url)
            .header("authorization", "Bearer {api-key}")
            .send();
        let text = sent.map(|r| String::from_utf8_lossy(&r.body).into_owned());
        vec![
            leg("clock", Ok::<_, ()>(clock::now())),
            leg("random", Ok::<_, ()>(random::bytes(3).len())),
            leg("set", store::set("greeting", b"hello")),
            leg("get", store::get("greeting")),
            leg("fill", store::set("greeting", &[0; 5_000])),
            leg("keys", store::keys("gr")),
            leg("delete", store::delete("greeting")),
            leg("http", text),
        ]
    }

    fn send(_: &Account, _: Envelope, mail: Outgoing) -> Result<Sent, Problem> {
        match mail.raw() {
            Ok(bytes) => Err(Problem::Temporary(format!("read {} bytes", bytes.len()))),
            Err(e) => Err(Problem::Denied(format!("{e:?}"))),
        }
    }

    fn sync(_: &Account, _: Option<String>) -> Result<SyncPage, Problem> {
        // Sixty requests, whatever they bring: more than any call may send.
        let over = (0..60).filter(|_| {
            let sent = http::Request::new("GET", "https://api.example.com/").send();
            matches!(sent, Err(http::HttpError::OverLimit))
        });
        Err(Problem::Temporary(format!(
            "{} over the limit",
            over.count()
        )))
    }
}
