use anyhow::{Result, bail};
use clap::Args;

use super::say;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Options {
    /// An enrollment (enr_…), a campaign (cmp_…) or a mailbox (acc_…)
    id: String,
}

/// `overture why ID`
pub async fn run(client: &Client, options: &Options) -> Result<()> {
    let id = &options.id;
    let kind = match id.split('_').next() {
        Some("enr") => "enrollments",
        Some("cmp") => "campaigns",
        Some("acc") => "mailboxes",
        _ => bail!(
            "`{id}` is no id of an enrollment (enr_…), a campaign (cmp_…) or a mailbox (acc_…)"
        ),
    };
    let answer = client.get(&format!("/{kind}/{id}/why")).await?;
    let text = |key: &str| answer[key].as_str();
    say(format_args!(
        "{} ({})",
        text("reason").unwrap_or_default(),
        text("code").unwrap_or_default()
    ));
    if let Some(next) = text("nextAt") {
        say(format_args!("next: {next}"));
    }
    if let Some(change) = text("change") {
        say(format_args!("to change it: {change}"));
    }
    if let Some(enrollment) = text("enrollmentId").filter(|enrollment| enrollment != id) {
        say(format_args!("whoever comes next: {enrollment}"));
    }
    Ok(())
}
