//! Whether mails are opened and links clicked (TRK-1, TRK-2).
//!
//! A tracked mail has a pixel and links that lead through this instance. Their tokens name the mail
//! and are valid for 90 days; where a link leads stands with the mail in the database, so nobody
//! can make one that leads elsewhere. Every fetch is kept as it came, and judged when the others of
//! its burst have come too: what a person did becomes an event, once a mail.

mod judge;

use std::time::Duration;

use overture_domain::{
    Timestamp,
    messages::MailKey,
    tracking::{Hit, HitKind},
};
use overture_mail::html::{Tracking, tracked};
use overture_store::{Tx, tracking as store};

pub use judge::tick;

use crate::{Env, Error, Part, Result, tokens};

const OPEN: &str = "open";
const CLICK: &str = "click";
/// How long tokens are valid (TRK-1).
const VALID: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The user agent of a hit that a provider reports.
const REPORTED: &str = "reported by the mailbox's provider";
/// What is kept of a user agent, in bytes.
const LONGEST_AGENT: usize = 300;

/// Who asks, as far as the request tells.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// By the method HEAD.
    pub head: bool,
    /// Empty without one.
    pub user_agent: &'a str,
}

/// What of a mail is tracked: settings of its campaign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tracked {
    pub opens: bool,
    pub clicks: bool,
}

/// The HTML of a mail as it goes out, and where its links led before.
///
/// # Errors
/// When the HTML can't be read.
pub(crate) fn write(
    env: &Env,
    mail: MailKey,
    what: Tracked,
    html: &str,
    now: Timestamp,
) -> overture_mail::Result<(String, Vec<String>)> {
    if !what.opens && !what.clicks {
        return Ok((html.to_owned(), Vec::new()));
    }
    let base = &env.config.public_url;
    let expires = Some(now + VALID);
    let pixel = format!("{base}/o/{}", tokens::sign(env, OPEN, mail, &[], expires));
    let click = |link: usize| {
        let link = u16::try_from(link).unwrap_or(u16::MAX).to_be_bytes();
        format!(
            "{base}/c/{}",
            tokens::sign(env, CLICK, mail, &link, expires)
        )
    };
    let tracking = Tracking {
        pixel: what.opens.then_some(pixel.as_str()),
        click: what.clicks.then_some(&click),
        except: &format!("{base}/u/"),
    };
    tracked(html, tracking)
}

/// Keeps that a mail's pixel was fetched. A token that is not ours, or too old, does nothing.
///
/// # Errors
/// Only the store's.
pub async fn opened(env: &Env, token: &str, visitor: Visitor<'_>) -> Result<()> {
    match tokens::read(env, OPEN, token, env.now()) {
        Some((mail, _)) => keep(env, mail, HitKind::Open, None, visitor).await,
        None => Ok(()),
    }
}

/// Keeps that a link was followed, and says where it leads.
///
/// # Errors
/// [`Error::NotFound`] for a token that is not ours or too old, and for a mail that is gone.
pub async fn clicked(env: &Env, token: &str, visitor: Visitor<'_>) -> Result<String> {
    const GONE: Error = Error::NotFound("link");
    let (mail, link) = tokens::read(env, CLICK, token, env.now()).ok_or(GONE)?;
    let link = <[u8; 2]>::try_from(link).map_err(|_| GONE)?;
    let link = u16::from_be_bytes(link);
    let found = store::find_mail(&mut env.db.reader(), mail).await?;
    let mut links = found.ok_or(GONE)?.links.into_iter();
    let url = links.nth(usize::from(link)).ok_or(GONE)?;
    keep(env, mail, HitKind::Click, Some(i64::from(link)), visitor).await?;
    Ok(url)
}

/// A provider reports that somebody fetched the pixel of a mail, or one of its links: kept as if it
/// had been fetched here. False where the address is none of that mail's: nothing is kept.
///
/// # Errors
/// Only the store's.
pub(crate) async fn reported_in(
    tx: &mut Tx,
    env: &Env,
    mail: MailKey,
    url: &str,
    at: Timestamp,
) -> Result<bool> {
    let ours = |purpose, path| {
        let (_, token) = url.rsplit_once(path)?;
        tokens::read(env, purpose, token, env.now()).filter(|(named, _)| *named == mail)
    };
    let (kind, link) = if ours(OPEN, "/o/").is_some() {
        (HitKind::Open, None)
    } else if let Some((_, link)) = ours(CLICK, "/c/")
        && let Ok(link) = <[u8; 2]>::try_from(link)
    {
        (HitKind::Click, Some(i64::from(u16::from_be_bytes(link))))
    } else {
        return Ok(false);
    };
    let hit = Hit {
        kind,
        link,
        head: false,
        user_agent: REPORTED.to_owned(),
        at: at.min(env.now()),
    };
    store::insert(tx, env.id(), mail, &hit).await?;
    Ok(true)
}

async fn keep(
    env: &Env,
    mail: MailKey,
    kind: HitKind,
    link: Option<i64>,
    visitor: Visitor<'_>,
) -> Result<()> {
    let agent = visitor.user_agent;
    let hit = Hit {
        kind,
        link,
        head: visitor.head,
        user_agent: agent[..agent.floor_char_boundary(LONGEST_AGENT)].to_owned(),
        at: env.now(),
    };
    let mut tx = env.db.begin().await?;
    let kept = store::insert(&mut tx, env.id(), mail, &hit).await?;
    tx.commit().await?;
    if kept {
        env.wakes.wake(Part::Tracking);
    }
    Ok(())
}
