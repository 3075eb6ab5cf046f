//! `overture rules`: tables that the documentation has from the code.

use overture_domain::{
    campaigns::CampaignStatus,
    caps::{Cap, Span, ZoneOf},
    enrollments::EnrollmentState,
};

/// `host/docs/RULES.md`.
pub fn document() -> String {
    [
        "# Rules as the code has them",
        "Written by `cargo xtask codegen`; change the code, not this file.",
        "## Transitions of a campaign (SEQ-11)",
        &transitions(),
        "`archived` goes back to `draft` where the campaign never ran, else to `paused`.",
        "## States of an enrollment (SEQ-5)",
        &states(),
        "## Caps on mails (CAP-1, CAP-2)",
        &caps(),
        "A cap without a default has the limit that its subject's own settings say; a recipient's domain \
         that gives mailboxes to anybody has 500 a day. A day is a civil \
         day in the zone that is named; a sliding window is the stretch that ends now.",
    ]
    .join("\n\n")
}

/// Lines of a table after its head.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let all = [head, rule].into_iter().chain(rows);
    all.map(|cells| line(&cells)).collect::<Vec<_>>().join("\n")
}

fn transitions() -> String {
    let may = |from: CampaignStatus, to: CampaignStatus| {
        from.may_become(to, true) || from.may_become(to, false)
    };
    let row = |from: &CampaignStatus| {
        let to = CampaignStatus::ALL.iter().filter(|to| may(*from, **to));
        let to: Vec<String> = to.map(|to| format!("`{to}`")).collect();
        vec![format!("`{from}`"), to.join(", ")]
    };
    table(&["from", "to"], CampaignStatus::ALL.iter().map(row))
}

fn states() -> String {
    let row = |state: &EnrollmentState| {
        let what = match state {
            state if state.is_open() => "goes on by itself",
            state if state.is_parked() => "waits until its cause is gone (SAFE-2)",
            _ => "is over",
        };
        vec![format!("`{state}`"), what.to_owned()]
    };
    table(&["state", "it"], EnrollmentState::ALL.iter().map(row))
}

fn caps() -> String {
    let row = |cap: &Cap| {
        let (span, default) = cap.rule();
        vec![
            format!("`{cap}`"),
            cap.words().to_owned(),
            window(span),
            default.map_or_else(String::new, |limit| limit.to_string()),
            cap.limit_type()
                .map_or_else(String::new, |name| format!("`{name}`")),
        ]
    };
    let head = [
        "cap",
        "what it is",
        "window",
        "default",
        "`limitType` (API-6)",
    ];
    table(&head, Cap::ALL.iter().map(row))
}

fn window(span: Span) -> String {
    match span {
        Span::Day(zone) => {
            let zone = match zone {
                ZoneOf::Mailbox => "the mailbox's zone",
                ZoneOf::Campaign => "the campaign's zone",
                ZoneOf::Workspace => "the workspace's zone",
                ZoneOf::Utc => "UTC",
            };
            format!("a day in {zone}")
        }
        Span::Sliding(length) => format!("{} s, sliding", length.as_secs()),
    }
}
