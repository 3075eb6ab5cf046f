//! A provider that hands over mails by itself, as one with its own transport does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_engine::{MailProviders, ProviderPreset};
use overture_plugin_host::{
    CallError, Incoming, Leg, Problem, SendOutcome, SyncPage,
    capabilities::mailbox::{MailSession, Outgoing, SubmissionRecord},
};

/// Mails of one page, as many as `provider-smtp` lists.
const PAGE: usize = 200;

/// What waits for each address.
#[derive(Default)]
pub(crate) struct Pages(Mutex<HashMap<String, Vec<Vec<u8>>>>);

impl Pages {
    pub(crate) fn put(&self, address: &str, mails: Vec<Vec<u8>>) {
        self.0.lock().unwrap().insert(address.to_owned(), mails);
    }
}

#[async_trait]
impl MailProviders for Pages {
    async fn presets(&self, _: WorkspaceId) -> Vec<ProviderPreset> {
        Vec::new()
    }

    fn has_own_transport(&self, _: &str) -> Result<bool, CallError> {
        Ok(true)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        _: &str,
        _: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        Ok(Vec::new())
    }

    async fn send(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: Arc<dyn MailSession>,
        _: Outgoing,
    ) -> SendOutcome {
        SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: Err(CallError::UnknownPlugin(provider.to_owned())),
        }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        _: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        let mut waiting = self.0.lock().unwrap();
        let waiting = waiting.get_mut(&session.address()).unwrap();
        let mails: Vec<_> = waiting.drain(..waiting.len().min(PAGE)).collect();
        let page: u32 = cursor
            .and_then(|cursor| cursor.parse().ok())
            .unwrap_or_default();
        Ok(Ok(SyncPage {
            cursor: (page + 1).to_string(),
            mails: mails.into_iter().map(Incoming::Raw).collect(),
            signals: Vec::new(),
            more: !waiting.is_empty(),
            watch: Vec::new(),
            check_again_at: None,
        }))
    }
}
